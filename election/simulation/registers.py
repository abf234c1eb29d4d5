"""The state machine of lives that bring no application of their own: a few registers, each command applied once.

It keeps beside the session table, which is under test itself, a plain account of what it executed.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import msgspec

from tanist.election.entries import Command, Entry, Kind, SessionClosed, SessionOpened
from tanist.election.sessions import SessionsState, SessionTable
from tanist.election.simulation.broken import Broken

_encoder = msgspec.msgpack.Encoder()
_decode_command = msgspec.msgpack.Decoder(Command).decode
_decode_opened = msgspec.msgpack.Decoder(SessionOpened).decode
_decode_closed = msgspec.msgpack.Decoder(SessionClosed).decode
_decode_asked = msgspec.msgpack.Decoder(tuple[str, int, int]).decode
APP = "registers"
REFUSED = b"!"
"""How a reply begins that is the session table's own: what was asked was not done."""


class Reply(msgspec.Struct, frozen=True):
    """The answer to one command."""

    session: str
    sequence: int
    index: int
    reply: bytes


class _State(msgspec.Struct, array_like=True):
    values: dict[str, int]
    sessions: SessionsState
    executed: dict[str, int]
    hash: int


_decode_state = msgspec.msgpack.Decoder(_State).decode


def asked(session: str, sequence: int, name: str, key: str, value: int = 0, expected: int = 0) -> bytes:
    """The body of a command: `put` a value, `get` one, or `cas` from an expected one to another."""
    arguments = msgspec.Raw(_encoder.encode((key, value, expected)))
    return _encoder.encode(Command(session, sequence, sequence, APP, name, arguments))


def result_of(reply: bytes) -> int | None:
    """What a command was answered: the register's value, or -1 for a `cas` that did not match; None if refused."""
    return None if reply.startswith(REFUSED) else int(reply)


class Registers:
    """Registers by key, all 0 at first. Raises `Broken` when a command is executed a second time."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.sessions = SessionTable(_refusal)
        self.executed: dict[str, int] = {}
        """The highest sequence of each session that was executed: they are executed in order."""
        self.hash = 0

    def apply(self, first: int, entries: Sequence[Entry]) -> list[Reply]:
        """Apply committed entries; commands that are none of ours count for the digest only."""
        replies = []
        rolling = self.hash
        for index, entry in enumerate(entries, first):
            kind = entry.kind
            rolling = crc32(entry.body, rolling + entry.number + kind & 0xFFFFFFFF)
            try:
                if kind == 3:  # Kind.COMMAND
                    command = _decode_command(entry.body)
                    reply = self.sessions.once(command, entry.time_ns, self._execute)
                    rolling = crc32(reply, rolling)
                    replies.append(Reply(command.session, command.sequence, index, reply))
                elif kind == Kind.SESSION_OPENED:
                    self.sessions.open(_decode_opened(entry.body))
                elif kind == Kind.SESSION_CLOSED:
                    self.sessions.close(_decode_closed(entry.body).session, entry.time_ns)
            except msgspec.MsgspecError:
                continue
        self.hash = rolling
        return replies

    def _execute(self, command: Command, session: object) -> bytes:
        if command.sequence <= self.executed.get(command.session, 0):
            raise Broken("once", f"command {command.sequence} of session {command.session} is executed again")
        self.executed[command.session] = command.sequence
        key, value, expected = _decode_asked(command.arguments)
        present = self.values.get(key, 0)
        if command.name == "get":
            return b"%d" % present
        if command.name == "cas" and present != expected:
            return b"-1"
        self.values[key] = value
        return b"%d" % value

    def snapshot(self) -> bytes:
        """All of the state."""
        return _encoder.encode(_State(self.values, self.sessions.state(), self.executed, self.hash))

    def restore(self, state: bytes) -> None:
        """Become what `snapshot` gave."""
        found = _decode_state(state)
        self.values, self.hash = found.values, found.hash
        self.executed = found.executed
        self.sessions.restore(found.sessions)

    def digest(self) -> int:
        """A hash over every entry that was applied, and every reply."""
        return self.hash


def _refusal(code: str, text: str) -> bytes:
    return REFUSED + code.encode()


__all__ = ["APP", "REFUSED", "Registers", "Reply", "asked", "result_of"]
