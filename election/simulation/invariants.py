"""The protocol's invariants, checked at every step of every virtual peer. A breach raises at once, with its story.

`Invariants(world)` watches the world from then on; `final()` checks what must hold once all is quiet.
"""

from __future__ import annotations

from typing import Any

from tanist.election.entries import Entry, Kind
from tanist.election.events import DamageFound
from tanist.election.history import Term
from tanist.election.messages import Append, Confirm, Heartbeat, Serving, Stored, Vote
from tanist.election.ready import Ready
from tanist.election.records import BallotRecord, EntriesRecord, SwitchRecord
from tanist.election.reign import Reign
from tanist.election.roles import Role
from tanist.election.settings import Safety
from tanist.election.simulation.archive_checks import archive_problem, archived_commands, missing
from tanist.election.simulation.conduct import Conduct
from tanist.election.simulation.inside import Inside
from tanist.election.simulation.world import VirtualPeer, World


class Broken(AssertionError):
    """An invariant does not hold."""


class Invariants:
    """What was seen so far of a whole world, across restarts."""

    def __init__(self, world: World, safety: Safety) -> None:
        self.world = world
        self.quorum = safety is Safety.QUORUM
        self.servers: dict[int, str] = {}
        self.opened: set[Term] = set()
        self.entries: dict[tuple[int, Term], tuple[Entry, Term]] = {}
        self.committed: dict[int, Entry] = {}
        self.committed_in: dict[int, int] = {}
        """In which number each index was committed."""
        self.spoken: dict[str, int] = {}
        """The highest number each peer has voted in aloud."""
        self.votes: dict[tuple[str, int], str] = {}
        self.commits: dict[str, tuple[int, int]] = {}
        self.ballots: dict[str, tuple[int, str]] = {}
        self.submitted: dict[bytes, str] = {}
        self.acknowledged: dict[bytes, str] = {}
        self.reads: dict[tuple[str, int, int], int] = {}
        """Linearizable reads on their way: (peer, incarnation, request) to what was committed when it was asked."""
        self.steps = 0
        world.watchers.append(self.watch)
        for watcher in (Inside(world, self.quorum), Conduct(world, self.quorum)):
            world.watchers.append(watcher.watch)

    def submit(self, name: str, *bodies: bytes) -> None:
        """Submit commands whose acknowledgement is kept in mind."""
        for body in bodies:
            self.submitted[body] = name
        self.world.submit(name, *bodies)

    def read(self, name: str) -> None:
        """Ask for a linearizable read, and hold its answer against what was committed before."""
        request = self.steps
        peer = self.world.peers[name]
        self.reads[name, peer.incarnation, request] = max(self.committed, default=0)
        self.world.read(name, request, prove=True)

    # Every step

    def watch(self, peer: VirtualPeer, ready: Ready) -> None:
        """One step of one peer."""
        self.steps += 1
        core = peer.core
        assert core is not None
        if any(isinstance(event, DamageFound) for event in ready.events):
            self._forget(peer)
        self._log(peer, ready)
        self._numbers(peer, ready)
        self._spoken(peer, ready)
        self._commit(peer, ready)
        if core.role is Role.SERVER:
            self._server(peer)
        for answer in ready.reads:
            floor = self.reads.pop((peer.name, peer.incarnation, answer.request), 0)
            if 0 <= answer.index < floor:
                raise Broken(f"{peer.name} may read at {answer.index}, though {floor} was committed before it asked")
        if ready.deadline is None and not core._said_goodbye:
            raise Broken(f"{peer.name} asks never to be called again: {core.behaviour!r}")

    def _forget(self, peer: VirtualPeer) -> None:
        """It lost what it had promised: it may go back, since it counts nowhere until it is repaired."""
        self.ballots.pop(peer.name, None)
        self.spoken.pop(peer.id, None)
        for vote in [v for v in self.votes if v[0] == peer.id]:
            del self.votes[vote]

    def _server(self, peer: VirtualPeer) -> None:
        core = peer.core
        assert core is not None
        term = core.term
        if self.quorum:
            known = self.servers.setdefault(term.number, peer.id)
            if known != peer.id:
                raise Broken(f"two servers of number {term.number}: {known} and {peer.id}")
        if term not in self.opened:
            self.opened.add(term)
            if self.quorum:
                # Leader completeness (Raft 5.4): what was committed in a lower number. A ballot for a number that has
                # been overtaken may still be won late, and serve until it meets the higher one.
                for index, entry in self.committed.items():
                    if term.number > self.committed_in[index] and core.node.log.term_at(index) != entry.term:
                        raise Broken(f"server {term} lacks the committed entry {index} of {entry.term}")
        if isinstance(core.behaviour, Reign) and core.behaviour.proving is not None:
            # Away and not proved yet: it may acknowledge nothing (see _commit, which knows the commit before).
            before = self.commits.get(peer.name)
            if before is not None and before[0] == peer.incarnation and core.node.commit > before[1]:
                raise Broken(f"{peer.name} committed {core.node.commit} before it proved its reign")

    def _log(self, peer: VirtualPeer, ready: Ready) -> None:
        core = peer.core
        assert core is not None
        for record in ready.persist:
            log = core.node.log
            if isinstance(record, EntriesRecord):
                index, entries = record.first, record.entries
            elif isinstance(record, SwitchRecord):
                index, entries = log.first, tuple(log.entries)
            else:
                continue
            previous = log.term_at(index - 1)
            for entry in entries:
                if log.term_at(index) == entry.term and previous is not None:
                    known = self.entries.setdefault((index, entry.term), (entry, previous))
                    if known != (entry, previous):
                        raise Broken(f"{peer.name} holds another entry at {index} of {entry.term}: {known}")
                previous = entry.term
                index += 1

    def _numbers(self, peer: VirtualPeer, ready: Ready) -> None:
        number, voted = self.ballots.get(peer.name, (0, ""))
        for record in ready.persist:
            if isinstance(record, BallotRecord):
                if record.number < number or (record.number == number and voted not in ("", record.voted_for)):
                    raise Broken(f"{peer.name} went back from {number} {voted} to {record}")
                number, voted = record.number, record.voted_for
        if peer.core is not None:
            self.ballots[peer.name] = peer.core.node.number, peer.core.node.voted_for

    def _spoken(self, peer: VirtualPeer, ready: Ready) -> None:
        disk = peer.stored
        for to, message in ready.send:
            match message:
                case Append(term) | Serving(term) if term.holder == peer.id and disk.number < term.number:
                    # Restarted, it could serve in that number a second time, with other entries.
                    raise Broken(f"{peer.name} serves in {term} with {disk.number} on disk")
                case _:
                    pass
            match message:
                case Vote(number, True):
                    if disk.number < number or (disk.number == number and disk.voted_for != to):
                        raise Broken(f"{peer.name} voted for {to} as {number} before it was on disk")
                    known = self.votes.setdefault((peer.id, number), to)
                    if known != to:
                        raise Broken(f"{peer.name} voted twice as {number}: {known} and {to}")
                    self.spoken[peer.id] = max(number, self.spoken.get(peer.id, 0))
                case Stored(term, match):
                    self._stored(peer, term, match)
                case Confirm(term) if term.number < self.spoken.get(peer.id, 0):
                    raise Broken(f"{peer.name} confirmed {term} after it voted as {self.spoken[peer.id]}")
                case Heartbeat(term, fallbacks=fallbacks) if fallbacks.place(term.holder) is not None:
                    raise Broken(f"the list of {term} names its server")
                case _:
                    pass

    def _stored(self, peer: VirtualPeer, term: Term, match: int) -> None:
        if term.number < self.spoken.get(peer.id, 0):
            raise Broken(f"{peer.name} acknowledged {term} after it voted as {self.spoken[peer.id]}")
        disk = peer.stored
        assert peer.core is not None
        if match > disk.last:
            raise Broken(f"{peer.name} acknowledged {match} with {disk.last} on disk")
        kept: Term | None
        if match >= disk.first:
            kept = disk.entries[match - disk.first].term
        else:
            kept = disk.snapshot.term if disk.snapshot is not None and disk.snapshot.index == match else None
        held = peer.core.node.log.term_at(match)
        if match and kept is not None and kept != held:
            raise Broken(f"{peer.name} acknowledged {match} of {held} with that of {kept} on disk")

    def _commit(self, peer: VirtualPeer, ready: Ready) -> None:
        core = peer.core
        assert core is not None
        incarnation, before = self.commits.get(peer.name, (0, 0))
        commit = core.node.commit
        cut = bool(ready.archive) or ready.rebuild
        if incarnation == peer.incarnation and commit < before and (self.quorum or not cut):
            raise Broken(f"{peer.name} went back from commit {before} to {commit}")
        self.commits[peer.name] = peer.incarnation, commit
        if ready.apply is None:
            return
        for index, entry in enumerate(ready.apply.entries, ready.apply.first):
            if self.quorum:
                known = self.committed.setdefault(index, entry)
                self.committed_in.setdefault(index, core.term.number)
                if known != entry:
                    raise Broken(f"{peer.name} applied another entry at {index}: {entry.term}, not {known.term}")
            if entry.kind == Kind.COMMAND and self.submitted.get(entry.body) == peer.name:
                self.acknowledged.setdefault(entry.body, ready.apply.durability)

    # At the end

    def final(self) -> None:
        """All peers run and are settled: equal states, nothing twice, nothing acknowledged gone."""
        states = {p.name: p.commands() for p in self.world.running()}
        first = next(iter(states.values()))
        for name, commands in states.items():
            if commands != first:
                raise Broken(f"{name} applied other commands: {difference(commands, first)}")
        if len(set(first)) != len(first):
            raise Broken(f"applied twice: {[c for c in set(first) if first.count(c) > 1]}")
        for peer in self.world.running():
            problem = archive_problem(peer.applied, self.entries)
            if problem:
                raise Broken(f"{peer.name}: {problem}")
            self._nothing_gone(peer)

    def _nothing_gone(self, peer: VirtualPeer) -> None:
        """What was acknowledged is in this peer's log, applied or archived, but for what was reported as missing."""
        kept = {*peer.commands(), *archived_commands(peer.applied)}
        lost = [body for body in self.acknowledged if body not in kept]
        if not lost:
            return
        copies = [
            (other, archive.snapshot)
            for other in self.world.peers.values()
            for archive in other.archives
            if archive.snapshot is not None
        ]
        in_copies = {e.body for other, meta in copies for _, e in other.snapshots[meta.digest].applied}
        if len(lost) > missing(peer.applied) or not in_copies.issuperset(lost):
            raise Broken(f"acknowledged and gone from {peer.name}: {[(b, self.acknowledged[b]) for b in lost]}")


def difference(a: list[Any], b: list[Any]) -> str:
    """What one list has and the other lacks, in short."""
    return f"only here {[x for x in a if x not in b][:5]}, missing {[x for x in b if x not in a][:5]}"


__all__ = ["Broken", "Invariants"]
