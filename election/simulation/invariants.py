"""The protocol's invariants, checked at every step of every virtual peer. A breach raises at once, with its story.

`Invariants(world, safety)` watches the world from then on; `final()` checks what must hold once all is quiet. A step
costs what it changed, however long the logs are. What only an onlooker can see, who looks into all disks at once, is
in `whitebox`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tanist.election.entries import Entry
from tanist.election.events import DamageFound
from tanist.election.history import Term
from tanist.election.messages import Append, Confirm, Heartbeat, Message, Serving, Stored, Vote
from tanist.election.ready import Apply, Ready
from tanist.election.records import BallotRecord, EntriesRecord, SwitchRecord
from tanist.election.reign import Reign
from tanist.election.roles import Role
from tanist.election.settings import Safety
from tanist.election.simulation.archive_checks import archive_problem, archived_commands, let_go_problem, missing
from tanist.election.simulation.broken import Broken
from tanist.election.simulation.conduct import Conduct
from tanist.election.simulation.inside import Inside, holds
from tanist.election.simulation.marks import Marks
from tanist.election.simulation.whitebox import check_commit
from tanist.election.simulation.world import VirtualPeer, World

_MASK = (1 << 64) - 1


@dataclass
class Reached:
    """What one cluster came to in quorum mode. Two that were founded apart have nothing in common."""

    servers: dict[int, str] = field(default_factory=dict)
    committed: dict[int, Entry] = field(default_factory=dict)
    committed_in: dict[int, int] = field(default_factory=dict)
    """In which number each index was committed."""
    last: int = 0
    """The last index that was committed."""


class Invariants:
    """What was seen so far of a whole world, across restarts."""

    def __init__(self, world: World, safety: Safety) -> None:
        self.world = world
        self.quorum = safety is Safety.QUORUM
        self.clusters: dict[str, Reached] = {}
        """By founding: more than one only where so much was lost that people founded anew."""
        self.opened: set[Term] = set()
        self.entries: dict[tuple[int, int, str], tuple[Entry, Term]] = {}
        """By index, number and holder: the entry, and the term of the one before it."""
        self.states: dict[tuple[int, int, str], bytes | int] = {}
        """The digest of the state where that entry was applied last."""
        self.spoken: dict[str, int] = {}
        """The highest number each peer has voted in aloud, by id."""
        self.votes: dict[tuple[str, int], str] = {}
        self.commits: dict[str, tuple[int, int]] = {}
        self.ballots: dict[tuple[str, int], tuple[int, str]] = {}
        """The number and vote of each process, which begin with what is on disk."""
        self.submitted: dict[bytes, str] = {}
        self.acknowledged: dict[bytes, str] = {}
        self.reads: dict[tuple[str, int, int], int] = {}
        """Linearizable reads on their way: (peer, incarnation, request) to what was committed when it was asked."""
        self.steps = 0
        self.digest = 0
        self.marks = Marks()
        self._said = {
            Append: self._serves,
            Serving: self._serves,
            Vote: self._voted,
            Stored: self._stored,
            Confirm: self._confirmed,
            Heartbeat: self._heartbeat,
        }
        world.watchers.append(self.watch)
        for watcher in (Inside(world, self.quorum), Conduct(world, self.quorum)):
            world.watchers.append(watcher.watch)
        world.on_applied = self._applied

    def submit(self, name: str, *bodies: bytes) -> None:
        """Submit commands whose acknowledgement is kept in mind."""
        for body in bodies:
            self.submitted[body] = name
        self.world.submit(name, *bodies)

    def read(self, name: str) -> None:
        """Ask for a linearizable read, and hold its answer against what was committed before."""
        request = self.steps
        self.will_read(name, request)
        self.world.read(name, request, prove=True)

    def will_read(self, name: str, request: int) -> None:
        """A linearizable read is asked of a peer now, under this number."""
        peer = self.world.peers[name]
        self.reads[name, peer.incarnation, request] = self.reached(peer).last

    def reached(self, peer: VirtualPeer) -> Reached:
        """What the cluster of this peer came to."""
        founding = peer.core.node.log.roster.founding if peer.core is not None else ""
        known = self.clusters.get(founding)
        if known is None:
            known = self.clusters[founding] = Reached()
        return known

    # Every step

    def watch(self, peer: VirtualPeer, ready: Ready) -> None:
        """One step of one peer."""
        self.steps += 1
        core = peer.core
        assert core is not None
        node = core.node
        seen = self.world.now ^ (len(ready.send) << 40) ^ (node.commit << 20) ^ node.log.last ^ (ready.persist_id << 30)
        self.digest = (self.digest * 1_000_003 + seen + peer.order) & _MASK
        if ready.events or ready.send or ready.rebuild or ready.snapshot_read or ready.halt is not None:
            self.marks.note(ready)
        for event in ready.events:
            if type(event) is DamageFound:
                self._forget(peer)
        if ready.persist:
            self._persisted(peer, ready)
        for to, message in ready.send:
            check = self._said.get(type(message))
            if check is not None:
                check(peer, to, message)
        self._commit(peer, ready)
        if core.role is Role.SERVER:
            self._server(peer)
        for answer in ready.reads:
            floor = self.reads.pop((peer.name, peer.incarnation, answer.request), 0)
            if 0 <= answer.index < floor:
                raise Broken("read", f"{peer.name} may read at {answer.index}, though {floor} was committed before")
        if ready.deadline is None and not core._said_goodbye:
            raise Broken("deadline", f"{peer.name} asks never to be called again: {core.behaviour!r}")

    def _forget(self, peer: VirtualPeer) -> None:
        """It lost what it had promised: it may go back, since it counts nowhere until it is repaired."""
        self.spoken.pop(peer.id, None)
        for vote in [v for v in self.votes if v[0] == peer.id]:
            del self.votes[vote]

    def _server(self, peer: VirtualPeer) -> None:
        core = peer.core
        assert core is not None
        term = core.term
        if self.quorum:
            known = self.reached(peer).servers.setdefault(term.number, peer.id)
            if known != peer.id:
                raise Broken("one server", f"two servers of number {term.number}: {known} and {peer.id}")
        if term not in self.opened:
            self.opened.add(term)
            if self.quorum:
                # Leader completeness (Raft 5.4): what was committed in a lower number. A ballot for a number that has
                # been overtaken may still be won late, and serve until it meets the higher one.
                reached = self.reached(peer)
                for index, entry in reached.committed.items():
                    if term.number > reached.committed_in[index] and core.node.log.term_at(index) != entry.term:
                        raise Broken("complete", f"server {term} lacks the committed entry {index} of {entry.term}")

    def _persisted(self, peer: VirtualPeer, ready: Ready) -> None:
        core = peer.core
        assert core is not None
        process = peer.id, peer.incarnation
        number, voted = self.ballots.get(process) or (peer.stored.number, peer.stored.voted_for)
        problem = let_go_problem(ready.archive, core.node.log)
        if problem:
            raise Broken("let-go", f"{peer.name} {problem}")
        for record in ready.persist:
            if isinstance(record, EntriesRecord):
                self._log(peer, record.first, record.entries)
            elif isinstance(record, SwitchRecord):
                self._log(peer, core.node.log.first, tuple(core.node.log.entries))
            elif isinstance(record, BallotRecord):
                if record.number < number or (record.number == number and voted not in ("", record.voted_for)):
                    raise Broken("numbers", f"{peer.name} went back from {number} {voted} to {record}")
                number, voted = record.number, record.voted_for
        self.ballots[process] = core.node.number, core.node.voted_for

    def _log(self, peer: VirtualPeer, index: int, entries: Sequence[Entry]) -> None:
        """Log matching: the same index and term is the same entry, with the same before it."""
        assert peer.core is not None
        log = peer.core.node.log
        previous = log.term_at(index - 1)
        for entry in entries:
            if previous is not None and log.term_at(index) == entry.term:
                key = index, entry.number, entry.holder
                known = self.entries.get(key)
                if known is None:
                    self.entries[key] = entry, previous
                elif (known[0] is not entry and known[0] != entry) or known[1] != previous:
                    raise Broken("log", f"{peer.name} holds another entry at {index} of {entry.term}: {known}")
            previous = entry.term
            index += 1

    # What is said

    def _serves(self, peer: VirtualPeer, to: str, message: Message) -> None:
        term: Term = message.term  # type: ignore[attr-defined]
        if term.holder == peer.id and peer.stored.number < term.number:
            # Restarted, it could serve in that number a second time, with other entries.
            raise Broken("durable", f"{peer.name} serves in {term} with {peer.stored.number} on disk")

    def _voted(self, peer: VirtualPeer, to: str, message: Message) -> None:
        assert isinstance(message, Vote)
        if not message.granted:
            return
        number, disk = message.number, peer.stored
        if disk.number < number or (disk.number == number and disk.voted_for != to):
            raise Broken("durable", f"{peer.name} voted for {to} as {number} before it was on disk")
        known = self.votes.setdefault((peer.id, number), to)
        if known != to:
            raise Broken("one vote", f"{peer.name} voted twice as {number}: {known} and {to}")
        self.spoken[peer.id] = max(number, self.spoken.get(peer.id, 0))

    def _confirmed(self, peer: VirtualPeer, to: str, message: Message) -> None:
        assert isinstance(message, Confirm)
        if message.term.number < self.spoken.get(peer.id, 0):
            raise Broken("below", f"{peer.name} confirmed {message.term} after it voted as {self.spoken[peer.id]}")

    def _heartbeat(self, peer: VirtualPeer, to: str, message: Message) -> None:
        assert isinstance(message, Heartbeat)
        self._serves(peer, to, message)
        if message.fallbacks.entries and message.fallbacks.place(message.term.holder) is not None:
            raise Broken("list-names-server", f"the list of {message.term} names its server")

    def _stored(self, peer: VirtualPeer, to: str, message: Message) -> None:
        assert isinstance(message, Stored)
        term, match = message.term, message.match
        if term.number < self.spoken.get(peer.id, 0):
            raise Broken("below", f"{peer.name} acknowledged {term} after it voted as {self.spoken[peer.id]}")
        disk = peer.stored
        assert peer.core is not None
        if match > disk.last:
            raise Broken("durable", f"{peer.name} acknowledged {match} with {disk.last} on disk")
        held = peer.core.node.log.term_at(match)
        if match and held is not None and not holds(disk, match, held):
            raise Broken("durable", f"{peer.name} acknowledged {match} of {held}, which is not what is on disk")

    # What counts

    def _commit(self, peer: VirtualPeer, ready: Ready) -> None:
        core = peer.core
        assert core is not None
        incarnation, before = self.commits.get(peer.name, (0, 0))
        commit = core.node.commit
        if commit == before and incarnation == peer.incarnation and ready.apply is None:
            return
        self.commits[peer.name] = peer.incarnation, commit
        if incarnation == peer.incarnation:
            cut = bool(ready.archive) or ready.rebuild
            if commit < before and (self.quorum or not cut):
                raise Broken("commit", f"{peer.name} went back from commit {before} to {commit}")
            if isinstance(core.behaviour, Reign) and commit > before:
                if core.behaviour.proving is not None:
                    raise Broken("proof", f"{peer.name} committed {commit} before it proved its reign")
                check_commit(self.world, peer, core.behaviour, commit)
        if ready.apply is not None:
            self._apply(peer, ready.apply)

    def _apply(self, peer: VirtualPeer, apply: Apply) -> None:
        assert peer.core is not None
        submitted, reached = self.submitted, self.reached(peer)
        for index, entry in enumerate(apply.entries, apply.first):
            if self.quorum:
                known = reached.committed.get(index)
                if known is None:
                    reached.committed[index], reached.committed_in[index] = entry, peer.core.term.number
                    reached.last = max(reached.last, index)
                elif known is not entry and known != entry:
                    raise Broken("applied", f"{peer.name} applied another entry at {index}: {entry.term}, {known.term}")
            if entry.kind == 3 and submitted and submitted.get(entry.body) == peer.name:  # Kind.COMMAND
                self.acknowledged.setdefault(entry.body, apply.durability)

    def _applied(self, peer: VirtualPeer, apply: Apply) -> None:
        """The state machine has applied entries: where it was at the same entry before, it had the same state."""
        if peer.machine is None or not apply.entries:
            return
        last = apply.entries[-1]
        key = apply.first + len(apply.entries) - 1, last.number, last.holder
        digest = peer.machine.digest()
        known = self.states.setdefault(key, digest)
        if known != digest:
            raise Broken("state", f"{peer.name} has another state after entry {key[0]} of {last.term}")

    # At the end

    def final(self) -> None:
        """All peers run and are settled: equal states, nothing twice, nothing acknowledged gone."""
        states = {p.name: p.commands() for p in self.world.running()}
        first = next(iter(states.values()))
        for name, commands in states.items():
            if commands != first:
                raise Broken("equal", f"{name} applied other commands: {difference(commands, first)}")
        # With sessions one command may be in the log twice; the state machine sees to it that it is executed once.
        if self.world.make_machine is None and len(set(first)) != len(first):
            raise Broken("once", f"applied twice: {[c for c in set(first) if first.count(c) > 1]}")
        for peer in self.world.running():
            problem = archive_problem(peer.applied, self.entries)
            if problem:
                raise Broken("archive", f"{peer.name}: {problem}")
            self._nothing_gone(peer)

    def _nothing_gone(self, peer: VirtualPeer) -> None:
        """What was acknowledged is in this peer's log, applied or archived, but for what was reported as missing."""
        kept = {*peer.commands(), *archived_commands(peer.applied)}
        if not self.quorum:
            kept |= self.world.gone
        lost = [body for body in self.acknowledged if body not in kept]
        if not lost:
            return
        copies = [
            (other, archive.snapshot)
            for other in self.world.peers.values()
            for archive in other.archives
            if archive.snapshot is not None
        ]
        in_copies: set[bytes] = set()
        for other, meta in copies:
            applied = other.snapshots[meta.digest].applied
            in_copies.update(entry.body for _, entry in applied)
            in_copies.update(archived_commands(applied))
        if len(lost) > missing(peer.applied) or not in_copies.issuperset(lost):
            gone = [(b, self.acknowledged[b]) for b in lost]
            raise Broken("kept", f"acknowledged and gone from {peer.name}: {gone}")


def difference(a: list[Any], b: list[Any]) -> str:
    """What one list has and the other lacks, in short."""
    return f"only here {[x for x in a if x not in b][:5]}, missing {[x for x in b if x not in a][:5]}"


__all__ = ["Broken", "Invariants"]
