"""The contract of every transport: links that carry messages, and the handler that hears of them.

All calls happen on the event loop's thread. A handler that raises has a bug: the error goes to the
`on_error` that the transport was made with, and is never swallowed.
"""

from typing import Protocol

from tanist.election.evidence import Evidence
from tanist.election.messages import Message
from tanist.transport.hello import Hello


class Link(Protocol):
    """An open connection to a peer, hellos exchanged."""

    @property
    def remote(self) -> Hello:
        """Who is at the other end."""
        ...

    def send(self, message: Message) -> None:
        """Send a message after all sent before; everything of one loop turn leaves in one write.

        On a link that is ending the message is dropped: `link_down` says so, or has said so. A reader so
        slow that too much waits for it loses the link. Raises `MisuseError` for what cannot be sent.
        """
        ...

    def send_frame(self, frame: bytes) -> None:
        """Like `send`, with what `codec.encode_message` gave: one message to many is encoded once."""
        ...

    def close(self, reason: str) -> None:
        """End the link once what was sent has left. `link_down` follows on the next loop turn, with the reason."""
        ...


class Handler(Protocol):
    """Who hears of links: the running peer. Methods must not block."""

    def link_up(self, link: Link, dialed: str | None) -> None:
        """A link is open. `dialed` is the address given to `dial`, None when the other side dialed."""
        ...

    def received(self, link: Link, messages: list[Message]) -> None:
        """All messages of one read, in order; never after `link.close` or `link_down`."""
        ...

    def link_down(self, link: Link, evidence: Evidence, detail: str) -> None:
        """A link ended: exactly once for each that was up. Never called from inside `send` or `close`."""
        ...

    def dial_failed(self, address: str, evidence: Evidence, detail: str) -> None:
        """A dial came to nothing."""
        ...

    def rejected(self, address: str, code: str, text: str) -> None:
        """An incoming connection was turned away; for the log. Rate-limited, with a count of those not told."""
        ...


class Transport(Protocol):
    """Opens links."""

    async def listen(self, address: str) -> str:
        """Accept links at "host:port" ("[v6]:port"; port 0 is any free one); gives the address bound.

        Raises `ListenError`, which names the address and why (busy, not this host's, no address at all).
        """
        ...

    def dial(self, address: str, timeout_s: float) -> None:
        """Open a link; ends in one `link_up` or `dial_failed`, unless the transport is closed before.

        One deadline covers name resolution, connecting and the hello. Evidence: `unreachable` (time-out
        while connecting, no route, no such name), `refused`, `silent` (time-out after connecting),
        `rejected` (a refusal, or another protocol), `closed` (ended before the hello).
        """
        ...

    async def close(self) -> None:
        """End listeners, dials and links (each after what was sent, within a deadline), and free the ports."""
        ...
