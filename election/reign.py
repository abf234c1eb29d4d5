"""SERVER: one reign, from its first entry to its end.

Proposals become entries at once and go to disk and to every client at the same time; what is committed
follows from who has them on disk (`safety`), and is said with the next message. Heartbeats carry the list.
"""

from typing import TYPE_CHECKING

from tanist.election import events
from tanist.election.behaviour import DECLINED_RETRY_MS, Behaviour
from tanist.election.commit import durability, has_majority
from tanist.election.commitset import CommitSet
from tanist.election.entries import BODY_BYTES_MAX, PROPOSED_KINDS, Entry, Kind, Proposal
from tanist.election.evidence import Evidence
from tanist.election.fallbacks import FallbackList
from tanist.election.handingover import HandingOver
from tanist.election.history import Term
from tanist.election.joining import Joining
from tanist.election.messages import (
    Confirm,
    Conflict,
    Declined,
    Fetch,
    Follow,
    Following,
    Goodbye,
    HandOver,
    Heartbeat,
    Leave,
    Message,
    NotYet,
    Propose,
    ReadIndex,
    Refuse,
    Seek,
    Serving,
    SnapshotFetch,
    Stored,
)
from tanist.election.precedence import Claim, compare
from tanist.election.ranking import Standing, rank
from tanist.election.ready import Remote, SnapshotRead
from tanist.election.replication import Progress, Replication
from tanist.election.roles import Cause, Role
from tanist.election.safety import rules_of
from tanist.election.settings import MS, UNCOMMITTED_ENTRIES_MAX, plausible

if TYPE_CHECKING:
    from tanist.election.core import Core

HELD_MAX = 16_384
"""Proposals held while a hand-over is under way; what comes beyond is declined, to be sent again."""


class Reign(Behaviour):
    """This peer serves. `supporters` elected it: they may be waited for at the begin."""

    role = Role.SERVER

    def __init__(self, core: "Core", supporters: frozenset[str]) -> None:
        super().__init__(core)
        node = self.node
        self.term = node.serving_term()
        self.rules = rules_of(node.settings.safety)
        self.replication = Replication(node)
        self.commit_set = CommitSet(node.settings.sync_successors, node.times.sync)
        self.joining = Joining(self)
        self.handover: HandingOver | None = None
        self.begun = node.now
        self.opens_at = 0
        """The index of the reign's first entry: nothing is answered before it is committed."""
        waits = not node.quorum and bool(supporters & node.log.roster.ids())
        self.forming_until = node.now + node.times.timeout if waits else 0
        """Until when a new reign waits for a first member of its commit set before it goes on alone."""
        self.round = 0
        self.heartbeat_at = node.now
        self.probe_at = node.now
        self.list = FallbackList(self.term, 0, ())
        self.committed_before = 0
        """The commit index at the heartbeat before: who holds that is in sync."""
        self.majority_at = node.now
        self.proving: tuple[int, int, frozenset[str]] | None = None
        """While a reign is proved after being away: since when, from which round on, and by whom."""
        self.reads: list[tuple[str | None, int, int, int]] = []
        """Reads that wait for a round: (peer or None, request, index, round)."""

    @property
    def open(self) -> bool:
        """Whether the reign's first entry is committed."""
        return self.node.commit >= self.opens_at

    # The begin

    def enter(self) -> None:
        node = self.node
        without = 0 if node.without_since is None else node.now - node.without_since
        first = node.log.last == 0
        node.without_since = None
        node.heir_named = None
        self._write(Kind.REIGN, b"")
        self.opens_at = node.log.last
        node.emit(events.ReignBegan(str(self.term), node.log.last, without / MS, first))
        self.joining.myself()
        self._publish()
        for peer in list(node.links):
            self._announce(peer)
        self._beat()
        self._probe()

    def _announce(self, peer: str) -> None:
        self.node.send(peer, Serving(self.term, self.node.log.history(), 1 + len(self._in_touch())))

    def _write(self, kind: Kind, body: bytes) -> None:
        node = self.node
        seed = node.rng.getrandbits(63)
        node.append([Entry(self.term.number, self.term.holder, kind, self.core.log_time(), seed, body)])
        self.replication.push_all()

    def write_roster(self, body: bytes) -> None:
        """Change the roster; it is in force when written."""
        self._write(Kind.ROSTER, body)

    # Proposals

    def submit(self, proposals: tuple[Proposal, ...]) -> None:
        if not self._take(proposals, own=True):
            self.node.out.declined = DECLINED_RETRY_MS

    def _take(self, proposals: tuple[Proposal, ...], *, own: bool) -> bool:
        node = self.node
        if self.handover is not None:
            return self.handover.hold(proposals)
        if self.proving is not None or node.log.last - node.commit > UNCOMMITTED_ENTRIES_MAX:
            return False
        number, holder = self.term.number, self.term.holder
        time_ns, bits = self.core.log_time(), node.rng.getrandbits
        entries = [
            Entry(number, holder, p.kind, time_ns, bits(63), p.body)
            for p in proposals
            if (own or p.kind in PROPOSED_KINDS) and len(p.body) <= BODY_BYTES_MAX
        ]
        if not entries:
            return True
        node.append(entries)
        self.replication.push_all()
        self._advance()
        return True

    def persisted(self) -> None:
        self._advance()

    # Committing

    def _advance(self) -> None:
        """Commit what may be acknowledged now, and say so."""
        node = self.node
        if self.proving is not None:
            return
        matches = self.replication.matches()
        voters = node.log.roster.voters() or frozenset({node.me.id})
        waited_for = self._waited_for()
        if waited_for is None:
            return
        index = min(self.rules.committed(matches, waited_for, voters), node.log.last)
        # Only entries of the own term commit by counting (Raft 5.4.2); those before come with them.
        if index <= node.commit or index < self.opens_at:
            return
        was_open = self.open
        heirs = [p for p in self.commit_set.counting if p in waited_for]
        node.commit_to(index, durability(index, matches, voters, heirs), 1 + len(self._in_touch()))
        if not was_open:
            after = (node.now - self.begun) / MS
            node.emit(events.ReignOpen(str(self.term), self.opens_at, node.durability, after))
        self.replication.push_all()
        self.joining.go_on()
        self._answer_reads()

    def _waited_for(self) -> list[str] | None:
        """Whose disks count for an acknowledgement now; None while a new reign's commit set forms."""
        node = self.node
        me = node.me.id
        if node.quorum:
            return [me]
        if self.forming_until:
            if not self.commit_set.counting and node.now < self.forming_until and not self.open:
                return None
            self.forming_until = 0
        if node.settings.sync_strict:
            return [me, *self.commit_set.waited_for()]
        # One that is silent stalls nobody for longer than a heartbeat's time-out: until the set has changed,
        # acknowledgements say `alone`.
        heard = {**self.commit_set.counting, **{p: at for p, (_, at) in self.commit_set.leaving.items()}}
        return [me, *(p for p, at in heard.items() if node.now < at + node.times.timeout)]

    def _in_touch(self) -> list[str]:
        now, timeout = self.node.now, self.node.times.timeout
        return [p for p, c in self.replication.clients.items() if now < c.heard_at + timeout]

    # The list

    def _publish(self) -> None:
        """Rank the clients anew; a list that differs gets the next version."""
        node = self.node
        now, timeout, last = node.now, node.times.timeout, node.log.last
        in_touch = {p: c for p, c in self.replication.clients.items() if now < c.heard_at + timeout and c.round}
        ready = frozenset(p for p, c in in_touch.items() if c.match >= max(self.opens_at, node.commit))
        standings = []
        for peer, client in in_touch.items():
            member = node.log.roster.get(peer)
            if member is None:
                continue
            in_sync = client.match >= min(self.committed_before, node.commit)
            counts = peer in self.commit_set.counting
            standings.append(
                Standing(
                    peer, member.name, member.address, in_sync or counts, member.serve and member.voter,
                    max(0, last - client.match), counts, client.priority,
                )
            )  # fmt: skip
        ranked = rank(standings, node.settings.fallbacks)
        changed = False
        if not node.quorum:
            version = self.list.version + 1
            ready |= frozenset(p for p in self.commit_set.counting if p in in_touch)
            changed = self.commit_set.choose([e.id for e in ranked if e.in_sync], ready, now, version)
            if changed:
                node.emit(events.CommitSetChanged(sorted(self.commit_set.counting), "the list changed"))
                counting = self.commit_set.counting
                standings = [_with_counts(s, s.id in counting) for s in standings]
                ranked = rank(standings, node.settings.fallbacks)
        if changed or _shape(ranked) != _shape(self.list.entries) or not self.list.version:
            self.list = FallbackList(self.term, self.list.version + 1, ranked)
            node.keep_list(self.list, node.me.id, node.me.address)
            told = [f"{e.name} {'counts' if e.counts else 'waits'} ({e.reason})" for e in ranked]
            node.emit(events.ListPublished(str(self.term), self.list.version, told))
            self.heartbeat_at = now
        else:
            self.list = FallbackList(self.term, self.list.version, ranked)
            node.fallbacks = self.list
        if self.commit_set.settle(self.replication.clients, now):
            self._advance()

    def _beat(self) -> None:
        """One round of heartbeats."""
        node = self.node
        self.round += 1
        self.heartbeat_at = node.now + node.times.heartbeat
        reach, members = 1 + len(self._in_touch()), len(node.log.roster.members)
        node.reach = reach
        for peer, client in self.replication.clients.items():
            client.was_at = client.match
            beat = Heartbeat(self.term, self.round, node.commit, self.list, client.sequence, reach, members)
            node.send(peer, beat)
        self.committed_before = node.commit

    # What clients say

    def received(self, peer: str, message: Message) -> None:
        match message:
            case Stored():
                if self.replication.stored(peer, message):
                    client = self.replication.clients[peer]
                    if client.match >= self.opens_at and client.round and self.list.place(peer) is None:
                        self._caught_up()
                    self._advance()
                    self.replication.push(peer, client)
                elif (stored_by := self.replication.clients.get(peer)) is not None:
                    self.replication.push(peer, stored_by)
            case Propose(proposals):
                if not self._take(proposals, own=False):
                    self.node.send(peer, Declined("the server cannot take more now", DECLINED_RETRY_MS))
            case Confirm():
                self._confirmed(peer, message)
            case Follow():
                self._asked_to_follow(peer, message)
            case Conflict():
                self.replication.conflict(peer, message)
            case Seek():
                self._announce(peer)
            case NotYet():
                pass
            case Serving(term, history, holders):
                self._met_server(peer, term, Claim(history, holders))
            case Following(term, server, address) if server != self.node.me.id:
                self.node.addresses[server] = address
                self.node.reach_for(server, self.node.times.retry)
            case ReadIndex(request, prove):
                self.read_asked(peer, request, prove)
            case SnapshotFetch(index, digest, offset):
                self.node.out.snapshot_read.append(SnapshotRead(peer, index, digest, offset))
            case Leave(member):
                self.joining.leave(member)
            case Goodbye(reason):
                self._left(peer, reason)
            case Refuse(code, text):
                self.node.emit(events.PeerRefused(peer, code, text))
            case Fetch():
                self.core.lend(peer, message)
            case _:
                pass

    def _caught_up(self) -> None:
        """A client that is in no list yet has confirmed, or holds the reign's begin: it may rank, and count."""
        self._publish()
        if self.heartbeat_at <= self.node.now:
            self._beat()

    def _confirmed(self, peer: str, message: Confirm) -> None:
        client = self.replication.clients.get(peer)
        if client is None or message.term != self.term or message.round > self.round:
            return
        node = self.node
        first = client.round == 0
        client.heard_at = node.now
        client.round = max(client.round, message.round)
        client.sequence = max(client.sequence, message.sequence)
        client.version = max(client.version, message.version)
        self.commit_set.heard(peer, node.now)
        if self.commit_set.settle(self.replication.clients, node.now):
            self._advance()
        if first:
            self._caught_up()
        self._note_majority()
        if self.proving is not None:
            self._look_at_proof()
        self._answer_reads()

    def _note_majority(self) -> None:
        node = self.node
        if has_majority({node.me.id, *self._in_touch()}, node.log.roster.voters()):
            self.majority_at = node.now

    def _asked_to_follow(self, peer: str, message: Follow) -> None:
        node = self.node
        if not plausible(Term(message.own_number, ""), node.number):
            node.emit(events.Implausible(peer, f"number {message.own_number}"))
            return
        refusal = self.joining.refusal(message.member)
        if refusal is not None:
            node.emit(events.PeerRefused(peer, refusal.code, refusal.text))
            node.send(peer, refusal)
            return
        if self.rules.heals:
            verdict = compare(Claim(node.log.history(), 1 + len(self._in_touch())), Claim(message.history, 1))
            if verdict.at.theirs_after:
                self._tell_compared(peer, verdict.at.at, verdict.at.mine_after, verdict.at.theirs_after, verdict.why)
            if not verdict.mine:
                self._give_way(peer, message.member.address, verdict.why, stands=True)
                return
        if message.own_number > self.term.number:
            if not self.rules.heals:
                self.core.step_down(Cause.HIGHER_NUMBER, message.own_number)
            else:
                self.core.renew(message.own_number)
            return
        remote = node.links.get(peer)
        self.replication.welcome(message.member, message.history, remote.priority if remote else 0)
        self.commit_set.heard(peer, node.now)
        self.joining.ask(message.member)
        beat = Heartbeat(
            self.term, self.round, node.commit, self.list, 0, node.reach, len(node.log.roster.members)
        )
        node.send(peer, beat)

    def _tell_compared(self, peer: str, at: int, mine_after: int, theirs_after: int, why: str) -> None:
        self.node.emit(events.HistoriesCompared(peer, at, mine_after, theirs_after, why))

    # Another server

    def _met_server(self, peer: str, term: Term, theirs: Claim) -> None:
        node = self.node
        if not plausible(term, node.number):
            node.emit(events.Implausible(peer, f"number {term.number}"))
            return
        if not self.rules.heals:
            if term.number > self.term.number:
                self.core.step_down(Cause.HIGHER_NUMBER, term.number, follow=(peer, term))
            return
        verdict = compare(Claim(node.log.history(), 1 + len(self._in_touch())), theirs)
        self._tell_compared(peer, verdict.at.at, verdict.at.mine_after, verdict.at.theirs_after, verdict.why)
        if verdict.mine and self.proving is None:
            if term.number >= self.term.number:
                self.core.renew(term.number)
            else:
                self._announce(peer)
        elif not verdict.mine:
            self._give_way(peer, node.address_of(peer) or "", verdict.why, stands=False, term=term)

    def _give_way(self, peer: str, address: str, why: str, *, stands: bool, term: Term | None = None) -> None:
        """Another history goes on: point everyone there, the one that stands for it too."""
        told = HandOver(self.term, peer, address, f"its history goes on: {why}")
        for client in {*self.replication.clients, *([peer] if stands else [])}:
            self.node.send(client, told)
        if term is not None:
            self.core.step_down(Cause.GAVE_WAY, 0, follow=(peer, term))
        else:
            self.node.heir_named = (peer, self.node.now + self.node.times.round)
            self.core.step_down(Cause.GAVE_WAY, 0, hold_for=peer)

    # Links

    def link_up(self, remote: Remote, dialed: str | None) -> None:
        self._announce(remote.id)

    def link_down(self, peer: str, evidence: Evidence, detail: str) -> None:
        if self.replication.forget(peer) is None:
            return
        node = self.node
        node.emit(events.PeerLost(peer, evidence, detail))
        # Refused, it is gone for certain and is waited for no longer; else it may only be cut off.
        node.reach_for(peer, node.times.retry)
        self._publish()
        if self.handover is not None:
            self.handover.lost(peer)

    def dial_failed(self, address: str, evidence: Evidence, detail: str) -> None:
        if evidence is not Evidence.REFUSED:
            return
        for peer in self.commit_set.waited_for():
            if self.node.address_of(peer) == address and peer not in self.node.links:
                self._left(peer, "refused")

    def _left(self, peer: str, reason: str) -> None:
        """A peer is gone for certain."""
        if reason != "refused":
            self.node.emit(events.PeerLost(peer, Evidence.GOODBYE, reason))
        known = self.replication.forget(peer) is not None
        if self.commit_set.gone(peer) or known:
            self.node.emit(events.CommitSetChanged(sorted(self.commit_set.counting), f"{peer} is gone: {reason}"))
            self._publish()
            self._advance()

    def _probe(self) -> None:
        """Look for members that are away, and for the addresses this peer was given."""
        node = self.node
        spread = 1 + node.rng.random() / 2
        self.probe_at = node.now + int(max(node.times.retry, node.times.timeout / 2) * spread)
        linked = {r.address for r in node.links.values()}
        for member in node.others():
            node.reach_for(member.id, node.times.retry)
        for address in node.me.given:
            if address not in linked and address != node.me.address and address not in self.core.reached:
                node.dial(address, node.times.retry)

    # Reads

    def read_asked(self, peer: str | None, request: int, prove: bool) -> None:
        node = self.node
        if len(self.reads) >= HELD_MAX or self.handover is not None:
            self.answer_read(peer, request, -1)
            return
        needed = self.round + 1 if prove and self._proved_by() else 0
        self.reads.append((peer, request, node.commit, needed))
        if needed and len([1 for r in self.reads if r[3] == needed]) == 1:
            self._beat()
        self._answer_reads()

    def _proved_by(self) -> list[str]:
        """Whose answer proves that this peer still serves."""
        if self.node.quorum:
            return [m.id for m in self.node.others() if m.voter]
        return self.commit_set.waited_for()

    def _answer_reads(self) -> None:
        if not self.reads or not self.open or self.proving is not None:
            return
        waiting = []
        for peer, request, index, needed in self.reads:
            if needed and not self._round_proved(needed):
                waiting.append((peer, request, index, needed))
            else:
                self.answer_read(peer, request, max(index, self.opens_at))
        self.reads = waiting

    def _round_proved(self, needed: int) -> bool:
        said = {p for p, c in self.replication.clients.items() if c.round >= needed}
        if self.node.quorum:
            return has_majority({self.node.me.id, *said}, self.node.log.roster.voters())
        return all(p in said for p in self.commit_set.waited_for())

    # Being away

    def woke(self, away_ns: int) -> None:
        """I was away: nothing is acknowledged or read before this reign is proved again."""
        node = self.node
        node.without_since = node.without_since or node.now
        by = frozenset(self._proved_by()) or frozenset(m.id for m in node.others())
        if not by:
            return
        self.proving = (node.now, self.round + 1, by)
        self._beat()
        self._probe()

    def _look_at_proof(self) -> None:
        assert self.proving is not None
        since, needed, by = self.proving
        node = self.node
        said = {p for p, c in self.replication.clients.items() if c.round >= needed}
        if node.quorum:
            proved = has_majority({node.me.id, *said}, node.log.roster.voters())
        else:
            proved = by <= said
        if proved:
            self.proving = None
            node.without_since = None
            node.emit(events.ReignProved(str(self.term), (node.now - since) / MS))
            self._publish()
            self._advance()
            self._answer_reads()

    def alive_server(self) -> tuple[str, int] | None:
        if self.proving is not None:
            return None
        return self.node.me.id, len(self._in_touch())

    # Time

    def tick(self) -> None:
        node, now = self.node, self.node.now
        if self.proving is not None and now >= self.proving[0] + node.times.round:
            self.core.step_down(Cause.NOT_PROVED, 0)
            return
        if node.quorum:
            self._note_majority()
            if now >= self.majority_at + node.times.timeout:
                self.core.step_down(Cause.NO_MAJORITY, 0)
                return
        if self.handover is not None:
            self.handover.tick()
            if self.core.behaviour is not self:
                return
        if now >= self.heartbeat_at:
            self._drop_silent()
            self._publish()
            self._beat()
        if now >= self.probe_at:
            self._probe()
        self.commit_set.settle(self.replication.clients, now)
        self._advance()

    def _drop_silent(self) -> None:
        """Clients that confirm nothing keep their place only while they may still count."""
        node = self.node
        for peer, client in list(self.replication.clients.items()):
            silent = node.now - client.heard_at
            if silent > max(node.times.sync, 2 * node.times.timeout):
                self.replication.forget(peer)
                node.emit(events.PeerLost(peer, Evidence.SILENT, f"for {silent / MS:.0f} ms"))
                node.out.close.append((peer, "silent"))
            elif client.snapshot and silent < node.times.timeout and client.match == client.was_at:
                self.replication.offer_again(peer, client)

    def deadline(self) -> int | None:
        node = self.node
        times = [self.heartbeat_at, self.probe_at]
        if self.forming_until:
            times.append(self.forming_until)
        if self.proving is not None:
            times.append(self.proving[0] + node.times.round)
        if node.quorum:
            times.append(self.majority_at + node.times.timeout)
        elif node.log.last > node.commit and self.commit_set.counting:
            alone_at = min(self.commit_set.counting.values()) + node.times.timeout
            if alone_at > node.now:
                times.append(alone_at)
        if self.handover is not None:
            times.append(self.handover.until)
        leaving = self.commit_set.deadline()
        if leaving is not None:
            times.append(leaving)
        return min(times)

    def disk_failed(self) -> None:
        self.core.step_down(Cause.DISK, 0)


def _shape(entries: tuple[object, ...]) -> list[tuple[object, ...]]:
    """What makes a list another one: all but the lags, which change all the time."""
    return [(e.id, e.address, e.in_sync, e.counts) for e in entries]  # type: ignore[attr-defined]


def _with_counts(standing: Standing, counts: bool) -> Standing:
    return Standing(
        standing.id, standing.name, standing.address, standing.in_sync or counts, standing.serves, standing.lag,
        counts, standing.priority, standing.fitness,
    )  # fmt: skip


__all__ = ["Progress", "Reign"]
