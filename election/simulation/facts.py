"""What a search has seen happen on its way to a state: the invariants of protocol.md, held against every step.

Unlike `Invariants`, which watches one long life, these facts are small, copied with each state, and part of it: two
ways to the same cores are not the same when another commit was promised on one of them.
"""

from __future__ import annotations

import msgspec

from tanist.election.archived import ArchivedEntry
from tanist.election.core import Core
from tanist.election.entries import Entry, Kind
from tanist.election.history import Term
from tanist.election.messages import Append, Confirm, Heartbeat, Message, Serving, Stored, Vote
from tanist.election.ready import Ready
from tanist.election.records import BallotRecord, EntriesRecord
from tanist.election.records import Stored as Disk
from tanist.election.roles import Role
from tanist.election.simulation.broken import Broken


class Facts:
    """Everything that was ever served, voted, written, committed and acknowledged. By peer id."""

    def __init__(self, *, quorum: bool) -> None:
        self.quorum = quorum
        self.servers: dict[int, str] = {}
        self.votes: dict[tuple[str, int], str] = {}
        self.ballots: dict[str, tuple[int, str]] = {}
        self.entries: dict[tuple[int, Term], tuple[Entry, Term]] = {}
        self.committed: dict[int, tuple[Entry, int]] = {}
        """By index: the entry, and the number in which it was committed."""
        self.opened: frozenset[Term] = frozenset()
        self.commits: dict[str, int] = {}
        """Of each running process."""
        self.acknowledged: dict[bytes, str] = {}
        self.archived: frozenset[bytes] = frozenset()

    def fork(self) -> Facts:
        """The same, to go on differently."""
        made = Facts(quorum=self.quorum)
        for name, value in vars(self).items():
            setattr(made, name, dict(value) if isinstance(value, dict) else value)
        return made

    def told(self) -> list[object]:
        """What makes two pasts different ones, for a fingerprint."""
        return [
            sorted(self.servers.items()),
            sorted(self.votes.items()),
            sorted((index, entry.term, number) for index, (entry, number) in self.committed.items()),
            sorted(self.commits.items()),
            sorted(self.acknowledged.items()),
            self.archived,
        ]

    def crashed(self, peer: str, disk: Disk) -> None:
        """Its process is gone: what it knew is what is on its disk, and its commit index begins anew."""
        self.commits.pop(peer, None)
        self.ballots[peer] = disk.number, disk.voted_for

    def step(self, core: Core, ready: Ready, disks: dict[str, Disk], submitter: dict[bytes, str]) -> None:
        """Hold one step of one peer against all before. `disks`, by id, are those before this step's records."""
        me = core.node.me.id
        disk = disks[me]
        self._records(core, ready, me)
        for to, message in ready.send:
            self._spoken(core, me, to, message, disk)
        if core.role is Role.SERVER:
            self._serves(core, me)
            self._counts(core, me, disks)
        self._commits(core, ready, me, submitter)
        for archive in ready.archive:
            self.archived |= {entry.body for entry in archive.entries}

    def _records(self, core: Core, ready: Ready, me: str) -> None:
        for record in ready.persist:
            match record:
                case BallotRecord(number, voted_for):
                    before = self.ballots.get(me, (0, ""))
                    if number < before[0] or (number == before[0] and before[1] not in ("", voted_for)):
                        raise Broken("number-goes-back", f"{me} went back from {before} to {record}")
                    self.ballots[me] = number, voted_for
                case EntriesRecord(first, entries):
                    self._written(core, me, first, entries)
                case _:
                    pass

    def _written(self, core: Core, me: str, first: int, entries: tuple[Entry, ...]) -> None:
        log = core.node.log
        for index, entry in enumerate(entries, first):
            previous = log.term_at(index - 1)
            if log.term_at(index) != entry.term or previous is None:
                continue
            known = self.entries.setdefault((index, entry.term), (entry, previous))
            if known != (entry, previous):
                raise Broken("log-matching", f"{me} holds another entry at {index} of {entry.term}")

    def _spoken(self, core: Core, me: str, to: str, message: Message, disk: Disk) -> None:
        match message:
            case Append(term) | Serving(term) if term.holder == me and disk.number < term.number:
                raise Broken("number-durable", f"{me} serves in {term} with {disk.number} on disk")
            case Vote(number, True):
                if disk.number < number or (disk.number == number and disk.voted_for != to):
                    raise Broken("vote-durable", f"{me} voted for {to} as {number} before it was on disk")
                if self.votes.setdefault((me, number), to) != to:
                    raise Broken("one-vote", f"{me} voted twice as {number}: {self.votes[me, number]} and {to}")
            case Stored(term, match):
                self._no_lower(me, term, "acknowledged")
                self._on_disk(core, me, match, disk)
            case Confirm(term):
                self._no_lower(me, term, "confirmed")
            case Heartbeat(term, fallbacks=fallbacks) if fallbacks.place(term.holder) is not None:
                raise Broken("list", f"the list of {term} names its server")
            case _:
                pass

    def _no_lower(self, me: str, term: Term, what: str) -> None:
        higher = [number for peer, number in self.votes if peer == me and number > term.number]
        if higher:
            raise Broken("number-below-vote", f"{me} {what} {term} after it voted as {max(higher)}")

    def _on_disk(self, core: Core, me: str, match: int, disk: Disk) -> None:
        if match > disk.last:
            raise Broken("ack-durable", f"{me} acknowledged {match} with {disk.last} on disk")
        kept = disk.entries[match - disk.first].term if match >= disk.first else None
        if kept is not None and kept != core.node.log.term_at(match):
            raise Broken("ack-durable", f"{me} acknowledged {match} with that of {kept} on disk")

    def _serves(self, core: Core, me: str) -> None:
        term = core.term
        if self.quorum and self.servers.setdefault(term.number, me) != me:
            raise Broken("one-server", f"two servers of number {term.number}: {self.servers[term.number]} and {me}")
        if self.quorum and term not in self.opened:
            self.opened |= {term}
            for index, (entry, number) in self.committed.items():
                if term.number > number and core.node.log.term_at(index) != entry.term:
                    raise Broken(
                        "leader-completeness", f"server {term} lacks the committed entry {index} of {entry.term}"
                    )

    def _counts(self, core: Core, me: str, disks: dict[str, Disk]) -> None:
        """What a server commits is its own term's (Raft 5.4.2), and on the disks that were counted."""
        commit, term = core.node.commit, core.node.log.term_at(core.node.commit)
        if commit <= self.commits.get(me, 0) or term is None:
            return
        if term != core.term:
            raise Broken("own-term-commit", f"{me} serves in {core.term} and committed {commit} of {term}")
        holders = {peer for peer, disk in disks.items() if _holds(disk, commit, term)}
        if not self.quorum and me not in holders:
            raise Broken("commit-durable", f"{me} committed {commit}, which is not on its disk")
        voters = core.node.log.voters
        if self.quorum and 2 * len(voters & holders) <= len(voters):
            raise Broken("commit-durable", f"{me} committed {commit}, which is on the disks of {sorted(holders)}")

    def _commits(self, core: Core, ready: Ready, me: str, submitter: dict[bytes, str]) -> None:
        commit = core.node.commit
        if commit < self.commits.get(me, 0) and (self.quorum or not (ready.archive or ready.rebuild)):
            raise Broken("commit-goes-back", f"{me} went back from commit {self.commits[me]} to {commit}")
        self.commits[me] = commit
        if ready.apply is None:
            return
        for index, entry in enumerate(ready.apply.entries, ready.apply.first):
            if self.quorum:
                known = self.committed.setdefault(index, (entry, core.term.number))
                if known[0] != entry:
                    raise Broken(
                        "state-machine-safety",
                        f"{me} applied another entry at {index}: {entry.term}, not {known[0].term}",
                    )
            if entry.kind == Kind.COMMAND and submitter.get(entry.body) == me:
                self.acknowledged.setdefault(entry.body, ready.apply.durability)

    def final(self, cores: dict[str, Core]) -> None:
        """All that run have settled: equal logs, no command twice, and nothing acknowledged gone."""
        logs = {name: core.node.log for name, core in cores.items()}
        kept: set[bytes] = set(self.archived)
        for name, log in logs.items():
            bodies = [e.body for e in log.entries if e.kind == Kind.COMMAND]
            if len(set(bodies)) != len(bodies):
                raise Broken("applied-twice", f"{name} holds a command twice: {bodies}")
            kept.update(bodies)
            kept.update(_decoder.decode(e.body).entry.body for e in log.entries if e.kind == Kind.ARCHIVED)
        histories = {log.history() for log in logs.values()}
        if len(histories) > 1:
            raise Broken("equal-logs", f"settled, and of different histories: {histories}")
        lost = {body: durability for body, durability in self.acknowledged.items() if body not in kept}
        if lost:
            raise Broken("acknowledged-gone", f"acknowledged and gone: {lost}")


def _holds(disk: Disk, index: int, term: Term) -> bool:
    at = index - disk.first
    return 0 <= at < len(disk.entries) and disk.entries[at].term == term


_decoder = msgspec.msgpack.Decoder(ArchivedEntry)

__all__ = ["Facts"]
