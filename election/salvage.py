"""What a server does with the entries that its clients would lose by following it: it archives them in its own log.

They come from one client at a time, oldest first, so that a heal is one run of entries in the log; the others say
theirs again, and by then find most of it archived.
"""

from typing import TYPE_CHECKING

from tanist.election import events
from tanist.election.archived import ArchivedEntry, HealBegun, HealEnded, Reported, heal_body
from tanist.election.archivedkeys import REPORTS_MAX
from tanist.election.entries import Kind
from tanist.election.history import Fork, History, Term
from tanist.election.messages import Salvage

if TYPE_CHECKING:
    from tanist.election.reign import Reign

REPORTED_MAX = 64
"""Lost details that are remembered as reported: as many as a cluster has members, and all of them had compacted."""


class Salvaging:
    """The heals of one reign's log. At most one is open; whoever began it has `heal.timeout` for each batch."""

    def __init__(self, reign: "Reign") -> None:
        self.reign = reign
        self.node = reign.node
        self.peer = ""
        self.heal = ""
        self.until = 0
        self._met: dict[str, tuple[History, Fork]] = {}
        self._reported: set[tuple[int, Term]] = set()

    def close_open(self) -> None:
        """The reign begins: heals that an earlier server did not end will get nothing more under their ids."""
        for heal, archived in list(self.node.log.archived.open.items()):
            self._end(heal, archived)

    def met(self, peer: str, history: History, fork: Fork) -> None:
        """A client follows whose history has more after the fork than this server's log."""
        if fork.theirs_after:
            self._met[peer] = (history, fork)
        else:
            self._met.pop(peer, None)

    def received(self, peer: str, message: Salvage) -> None:
        """A batch of what a client would lose."""
        node, reign = self.node, self.reign
        if message.term != reign.term or peer not in reign.replication.clients:
            return
        if self.peer not in ("", peer):
            # One heal at a time: it comes again.
            return
        self.peer, self.until = peer, node.now + node.times.heal
        fresh = {kept.key: kept for kept in message.entries if not node.log.holds(kept.key)}
        if fresh:
            self._begin(peer, message)
            self._archive(list(fresh.values()))
        if message.last:
            known = node.log.archived.reported
            earlier = tuple(r for r in message.reported[:REPORTS_MAX] if r.heal not in known and r.missing > 0)
            if message.first - 1 > message.fork or earlier:
                # It waits to see in this log that what its snapshot alone holds was reported.
                self._begin(peer, message)
            self.end(self._missing(peer, message), earlier)

    def _begin(self, peer: str, message: Salvage) -> None:
        if self.heal:
            return
        node, reign = self.node, self.reign
        # The place of its first entry makes it the only heal of that name in any log.
        self.heal = f"{reign.term}:{node.log.last + 1}"
        begun = HealBegun(self.heal, message.fork, message.theirs, (peer,), message.first)
        reign.write([(Kind.HEAL, heal_body(begun))])
        node.emit(events.HealStarted(self.heal, peer, message.fork, str(message.theirs)))

    def _archive(self, entries: list[ArchivedEntry]) -> None:
        bodies = [ArchivedEntry(self.heal, kept.index, kept.entry, kept.acknowledged) for kept in entries]
        self.reign.write([(Kind.ARCHIVED, heal_body(body)) for body in bodies])

    def _missing(self, peer: str, message: Salvage) -> int:
        """How many commands of this client are nowhere but in its snapshot; each such history counts once."""
        history, fork = self._met.get(peer, (None, None))
        if history is None or fork is None:
            return 0
        which = (history.last, message.theirs)
        if which in self._reported or len(self._reported) >= REPORTED_MAX:
            return 0
        self._reported.add(which)
        archived = self.node.log.archived
        known = 0
        for i, run in enumerate(history.reigns):
            end = history.reigns[i + 1].first - 1 if i + 1 < len(history.reigns) else history.last
            known += archived.count(run.term, max(run.first, message.fork + 1), min(end, message.first - 1))
        return max(0, fork.theirs_commands - message.commands - known)

    def end(self, missing: int = 0, earlier: tuple[Reported, ...] = ()) -> None:
        """All that this client had is in the log, or it is gone: the next one's turn."""
        heal, self.peer, self.heal = self.heal, "", ""
        if heal:
            self._end(heal, self.node.log.archived.open.get(heal, 0), missing, earlier)

    def _end(self, heal: str, archived: int, missing: int = 0, earlier: tuple[Reported, ...] = ()) -> None:
        missing += sum(report.missing for report in earlier)
        self.reign.write([(Kind.HEALED, heal_body(HealEnded(heal, archived, missing, earlier)))])
        self.node.emit(events.HealFinished(heal, archived, missing))

    def lost(self, peer: str) -> None:
        """A client is gone; what it still had comes with another heal."""
        self._met.pop(peer, None)
        if peer == self.peer:
            self.end()

    def tick(self) -> None:
        """Whoever stays silent too long gives its turn away."""
        if self.peer and self.node.now >= self.until:
            self.end()

    def deadline(self) -> int | None:
        """When the present one's time is over."""
        return self.until if self.peer else None
