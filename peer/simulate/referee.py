"""Are all virtual peers in the same state after the same entry? If not, which command made the difference, and where.

Two logs that have the same (index, term) have the same entry there and the same before it. So whatever peers apply up
to there, in which life, and whether from the beginning or from a snapshot, they must come to the same state, and
publish the same events; if they do not, an application used something besides its arguments, its state and `ctx`.
"""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from tanist.election.entries import Command, Entry, Kind
from tanist.election.simulation.broken import Broken
from tanist.peer.application.events import Published
from tanist.peer.application.machine import Machine
from tanist.peer.simulate.difference import differences

STATES_KEPT = 5_000
"""States kept whole, the newest: older ones are compared too, but what differs cannot be shown."""

INVARIANT = "deterministic"
SNAPSHOT = "snapshot"
APPLICATION = "application"

Key = tuple[int, int, str]
"""Where an entry stands: index, and its term's number and holder."""

_decode_command = msgspec.msgpack.Decoder(Command).decode


class Known(msgspec.Struct):
    """The state after one entry, as the first peer had it that applied it."""

    peer: str
    entry: Entry
    before: Key | None
    digest: bytes
    events: bytes
    state: bytes


class Referee:
    """Watches all machines of one virtual world."""

    def __init__(self) -> None:
        self.known: dict[Key, Known] = {}
        self._whole: list[Key] = []

    def applied(
        self, peer: str, index: int, entry: Entry, before: Key | None, machine: Machine, events: Sequence[Published]
    ) -> bytes:
        """A machine has applied an entry; gives the digest of its state. Raises Broken if another has another.

        `before` is where the entry before it stands, None if that is not known: after a restore.
        """
        key = index, entry.number, entry.holder
        state, told = machine.snapshot(), msgspec.msgpack.encode(events)
        digest = blake2b(state, digest_size=16).digest()
        known = self.known.get(key)
        if known is None:
            self._keep(key, Known(peer, entry, before, digest, told, state))
            return digest
        if known.before is None:
            known.before = before
        if known.digest != digest:
            shown = differences(known.state, state, known.peer, peer) if known.state else ["(no longer kept)"]
            raise Broken(INVARIANT, "\n".join([different(index, entry, peer, known.peer, "state"), *shown, RULE]))
        if known.events != told:
            shown = [f"  {known.peer}: {_events(known.events)}", f"  {peer}: {_events(told)}"]
            raise Broken(INVARIANT, "\n".join([different(index, entry, peer, known.peer, "events"), *shown, RULE]))
        return digest

    def restored(self, peer: str, state: bytes, machine: Machine) -> None:
        """A machine was restored. Raises Broken if it is not in the state that the snapshot was taken of."""
        again = machine.snapshot()
        if again != state:
            shown = differences(state, again, "before", "after")
            raise Broken(SNAPSHOT, "\n".join([f"{peer}: a snapshot changes the state", *shown]))

    def log(self) -> list[tuple[Entry, bytes]]:
        """The longest log from its first entry on, each entry with the digest of the state after it."""
        for key in sorted(self.known, reverse=True):
            found = self._back_from(key)
            if found is not None:
                return found
        return []

    def _back_from(self, key: Key) -> list[tuple[Entry, bytes]] | None:
        found: list[tuple[Entry, bytes]] = []
        at: Key | None = key
        while at is not None and (known := self.known.get(at)) is not None:
            found.append((known.entry, known.digest))
            if at[0] == 1:
                return found[::-1]
            at = known.before
        return None

    def state_after(self, index: int, entry: Entry) -> bytes:
        """The state that peers had after an entry; empty if it is no longer kept."""
        known = self.known.get((index, entry.number, entry.holder))
        return known.state if known is not None else b""

    def _keep(self, key: Key, known: Known) -> None:
        self.known[key] = known
        self._whole.append(key)
        if len(self._whole) > STATES_KEPT:
            self.known[self._whole.pop(0)].state = b""


RULE = (
    "A command may use its arguments, the declared state and ctx (ctx.time, ctx.random), and nothing else: no clock, "
    "no chance, no order of a set, nothing that is kept outside the declared fields."
)


def different(index: int, entry: Entry, peer: str, other: str, what: str) -> str:
    """The sentence that names the command at which two peers parted."""
    return f"after entry {index}, {said(entry)}, {peer} has other {what} than {other}:"


def said(entry: Entry) -> str:
    """An entry in words: the command with its arguments."""
    if entry.kind != Kind.COMMAND:
        try:
            return f"of kind {Kind(entry.kind).name.lower()}"
        except ValueError:
            return f"of kind {entry.kind}"
    try:
        command = _decode_command(entry.body)
        arguments = msgspec.msgpack.decode(command.arguments)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "a command"
    words = [f"{name}={value!r}" for name, value in arguments.items()] if isinstance(arguments, dict) else []
    return " ".join([command.app, command.name, *words])


def _events(encoded: bytes) -> str:
    found = msgspec.msgpack.decode(encoded, type=list[Published])
    return "; ".join(event.line for event in found) or "none"
