"""SERVER: one reign, from its first entry to its end.

Proposals become entries at once and go to disk and to every client at the same time; what is committed
follows from who has them on disk (`safety`), and is said with the next message. Heartbeats carry the list.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.election import events
from tanist.election.behaviour import DECLINED_RETRY_MS, Behaviour
from tanist.election.claims import Claims
from tanist.election.commit import durability, majority_match
from tanist.election.commitset import CommitSet
from tanist.election.entries import BODY_BYTES_MAX, PROPOSED_KINDS, Entry, Kind, Proposal
from tanist.election.evidence import Evidence
from tanist.election.fallbacks import NO_LIST, FallbackList
from tanist.election.forgetting import Forgetting
from tanist.election.handingover import HandingOver
from tanist.election.history import NO_TERM, Term
from tanist.election.joining import Joining
from tanist.election.lending import lend
from tanist.election.losing import Losing
from tanist.election.measuring import Measuring
from tanist.election.meeting import Meeting
from tanist.election.messages import (
    Claim,
    Confirm,
    Conflict,
    Copied,
    Declined,
    Fetch,
    Follow,
    Following,
    Goodbye,
    Heartbeat,
    Leave,
    Message,
    NotYet,
    Propose,
    ReadIndex,
    Refuse,
    Salvage,
    Seek,
    Serving,
    SnapshotFetch,
    Stored,
)
from tanist.election.preempting import Preempting
from tanist.election.probing import Probing
from tanist.election.proving import Proving
from tanist.election.publishing import Publishing
from tanist.election.reads import Reads
from tanist.election.ready import Remote, SnapshotRead
from tanist.election.replication import Progress, Replication
from tanist.election.roles import Cause, Role
from tanist.election.safety import rules_of
from tanist.election.salvage import Salvaging
from tanist.election.settings import MS, UNCOMMITTED_ENTRIES_MAX

if TYPE_CHECKING:
    from tanist.election.core import Core


class Reign(Behaviour):
    """This peer serves. `supporters` elected it: they may be waited for at the begin."""

    role = Role.SERVER

    def __init__(self, core: "Core", supporters: frozenset[str], held: tuple[int, int] = (0, 0)) -> None:
        super().__init__(core)
        node = self.node
        self._held = held
        """Up to which index how many disks held the log when this reign's forerunner became it."""
        self.term = node.serving_term()
        self.rules = rules_of(node.settings.safety)
        self.replication = Replication(node)
        self.commit_set = CommitSet(node.settings.sync_successors, node.times.sync)
        self.joining = Joining(self)
        self.meeting = Meeting(self)
        self.claims = Claims(self)
        self.salvaging = Salvaging(self)
        self.losing = Losing(self)
        self.probing = Probing(self)
        self.handover: HandingOver | None = None
        self.begun = node.now
        self.opens_at = 0
        """The index of the reign's first entry: nothing is answered before it is committed."""
        waits = not node.quorum and bool(supporters & node.log.roster.ids())
        self.forming_until = node.now + node.times.timeout if waits else 0
        """Until when a new reign waits for a first member of its commit set before it goes on alone."""
        self.round = 0
        self.heartbeat_at = node.now
        self.ticked_at = node.now
        """When what time brings was last looked at."""
        self.list = FallbackList(self.term, 0, ())
        self.measuring = Measuring(node)
        self.preempting = Preempting(self)
        self.forgetting = Forgetting(self)
        self.publishing = Publishing(self)
        self.majority_at = node.now
        self.proving: Proving | None = None
        """Set while the reign is proved after being away."""
        self.reads = Reads(self)
        self.renewal: int | None = None
        """While the number to go on in is on its way to the disk: under which id."""

    @property
    def open(self) -> bool:
        """Whether the reign's first entry is committed."""
        return self.node.commit >= self.opens_at

    # The begin

    def enter(self) -> None:
        node = self.node
        without = 0 if node.without_since is None else node.now - node.without_since
        first, after_term = node.log.last == 0, str(node.log.last_term)
        node.without_since = None
        node.heir_named = None
        node.leaving = False
        node.belonged = True
        self.write([(Kind.REIGN, b"")])
        self.opens_at = node.log.last
        node.emit(events.ReignBegan(str(self.term), node.log.last, without / MS, first, after_term))
        self.joining.myself()
        self.salvaging.close_open()
        self.publish()
        for peer in list(node.links):
            self.announce(peer)
        self._beat_in_turn()
        self.probing.probe()

    def announce(self, peer: str, heard: Term = NO_TERM) -> None:
        """Tell a peer that this one serves, and what it has; and a server, which reign of its was heard of."""
        self.node.send(peer, Serving(self.term, self.node.log.history(), self.holders(), heard))

    def write(self, bodies: Sequence[tuple[Kind, bytes]]) -> None:
        """Write entries of the server's own, one after another."""
        node, (number, holder) = self.node, (self.term.number, self.term.holder)
        time_ns, bits = self.core.log_time(), node.rng.getrandbits
        node.append([Entry(number, holder, kind, time_ns, bits(63), body) for kind, body in bodies])
        self.replication.push_all()

    def write_roster(self, body: bytes) -> None:
        """Change the roster; it is in force when written."""
        self.write([(Kind.ROSTER, body)])

    # Proposals

    def submit(self, proposals: tuple[Proposal, ...]) -> None:
        if not self._take(proposals, own=True):
            self.node.out.declined = DECLINED_RETRY_MS

    def _take(self, proposals: tuple[Proposal, ...], *, own: bool) -> bool:
        """Write proposals, or hold them while the reign is handed over. Returns whether they were taken."""
        node = self.node
        fit = [p for p in proposals if (own or p.kind in PROPOSED_KINDS) and len(p.body) <= BODY_BYTES_MAX]
        if self.handover is not None:
            return self.handover.hold(fit)
        unproved = self.proving is not None or self.claims.open
        if unproved or node.log.last - node.commit > UNCOMMITTED_ENTRIES_MAX:
            return False
        if not fit:
            return True
        self.preempting.busy_at = node.now
        number, holder = self.term.number, self.term.holder
        time_ns, bits = self.core.log_time(), node.rng.getrandbits
        node.append([Entry(number, holder, p.kind, time_ns, bits(63), p.body) for p in fit])
        self.replication.push_all()
        self.advance()
        return True

    def persisted(self) -> None:
        if self.renewal is not None and self.node.on_disk(self.renewal):
            self.core.renewed()
        else:
            self.advance()

    # Committing

    def advance(self) -> None:
        """Commit what may be acknowledged now, and say so."""
        node = self.node
        if self.proving is not None or self.claims.open:
            return
        matches = self.replication.matches()
        voters = node.log.voters or frozenset({node.me.id})
        waited_for = self._waited_for()
        if waited_for is None:
            return
        index = min(self.rules.committed(matches, waited_for, voters), node.log.last)
        # Only entries of the own term commit by counting (Raft 5.4.2); those before come with them.
        if index <= node.commit or index < self.opens_at:
            return
        was_open = self.open
        promise = durability(index, matches, voters) if node.quorum else self.commit_set.promise(index, matches, voters)
        node.commit_to(index, promise, 1 + len(self.in_touch()))
        if not was_open:
            after = (node.now - self.begun) / MS
            node.emit(events.ReignOpen(str(self.term), self.opens_at, node.durability, after))
        self.replication.push_all()
        self.joining.go_on()
        self.reads.go_on()

    def _waited_for(self) -> list[str] | None:
        """Whose disks count for an acknowledgement now; None while a new reign's commit set forms."""
        node = self.node
        me = node.me.id
        if node.quorum:
            return [me]
        if self.forming_until:
            waits = not self.commit_set.counting and node.now < self.forming_until and not self.open
            if waits and node.others():
                return None
            self.forming_until = 0
        if node.settings.sync_strict:
            return [me, *self.commit_set.waited_for()]
        # One that is silent stalls nobody for longer than a heartbeat's time-out: until the set has changed,
        # acknowledgements say `alone`.
        heard = {**self.commit_set.counting, **{p: at for p, (_, at) in self.commit_set.leaving.items()}}
        return [me, *(p for p, at in heard.items() if node.now < at + node.times.timeout)]

    def in_touch(self) -> list[str]:
        """The clients that confirmed a heartbeat within its time-out."""
        now, timeout = self.node.now, self.node.times.timeout
        return [p for p, c in self.replication.clients.items() if now < c.heard_at + timeout]

    def holders(self) -> int:
        """How many members' disks are known to hold all that is acknowledged here, this one's too."""
        commit, holding = self.node.commit, 1 + self.replication.holding(max(self.node.commit, self.opens_at))
        # A reign that only went on in another number is not held by fewer for that, while no client has told it so.
        return max(holding, self._held[1]) if commit <= self._held[0] else holding

    # The list

    def publish(self) -> None:
        """Rank the clients anew; what is new about the list is told at once."""
        if self.proving is not None:
            return
        if self.publishing.publish():
            self.heartbeat_at = self.node.now
        if self.commit_set.settle(self.replication.clients, self.node.now):
            self.advance()

    def beat(self) -> None:
        """One round of heartbeats. Out of turn, for a read, it puts off nothing that is looked after with each turn."""
        node = self.node
        self.round += 1
        reach, members = 1 + len(self.in_touch()), len(node.log.roster.members)
        node.reach = reach
        node.confirmed = self.replication.confirmed()
        self.measuring.sent(self.round, self.list.version)
        for peer, client in self.replication.clients.items():
            client.was_at = client.reached
            node.send(peer, self.heartbeat(client.sequence, reach, members))
        self.publishing.committed_before = node.commit

    def heartbeat(self, echo: int, reach: int, members: int) -> Heartbeat:
        """A heartbeat of this round. One that was away knows of nobody who is here now, and names none."""
        named = self.list if self.proving is None else NO_LIST
        return Heartbeat(self.term, self.round, self.node.commit, named, echo, reach, members, self.node.confirmed)

    def _beat_in_turn(self) -> None:
        self.beat()
        self.heartbeat_at = self.node.now + self.node.times.heartbeat

    # What clients say

    def received(self, peer: str, message: Message) -> None:
        if isinstance(message, Follow | Following | Seek | NotYet | Goodbye):
            self.claims.serves_no_longer(peer)
        match message:
            case Stored(term, match_) if term == self.term:
                self._stored(peer, match_)
            case Propose(proposals):
                if not self._take(proposals, own=False):
                    self.node.send(peer, Declined("the server cannot take more now", DECLINED_RETRY_MS))
            case Confirm():
                self._confirmed(peer, message)
            case Follow():
                self.meeting.follower(peer, message)
            case Copied(term, index) if term == self.term:
                self._copied(peer, index)
            case Salvage() if self.rules.heals:
                self.salvaging.received(peer, message)
            case Conflict():
                self.replication.conflict(peer, message)
            case Seek():
                # Once the heir was told to stand, nobody is called back from it.
                if self.handover is None or not self.handover.told:
                    self.announce(peer)
            case NotYet():
                pass
            case Serving(term, _, _, heard):
                self.meeting.server(peer, term, heard)
            case Claim() if self.rules.heals:
                self.claims.received(peer, message)
            case Following(term, server, address) if server != self.node.me.id:
                self.node.addresses[server] = address
                self.node.reach_for(server, self.node.times.retry)
            case ReadIndex(request, prove):
                self.read_asked(peer, request, prove)
            case SnapshotFetch(index, digest, offset):
                size = self.replication.chunk_bytes(peer)
                self.node.out.snapshot_read.append(SnapshotRead(peer, index, digest, offset, size))
            case Leave(member):
                self.joining.leave(member)
            case Goodbye(reason):
                self.losing.gone(peer, reason)
            case Refuse(code, text):
                self.node.emit(events.PeerRefused(peer, code, text))
            case Fetch():
                lend(self.node, peer, message)
            case _:
                pass

    def _stored(self, peer: str, match_: int) -> None:
        """A client has so much on disk: more may be committed, and more may go to it."""
        client = self.replication.clients.get(peer)
        if client is None or match_ > self.node.log.last:
            return
        before = client.match
        if client.stored(match_):
            if before < self.opens_at <= match_ and client.round:
                self._caught_up()
            self.advance()
        self.replication.arrived(peer)
        if peer in self.node.log.roster.left:
            # Once it knows so on its disk, it is told.
            self.joining.go_on()

    def _copied(self, peer: str, index: int) -> None:
        """A client has so much beside its own log: it counts for nothing, and more may go to it."""
        client = self.replication.clients.get(peer)
        if client is not None and index <= self.node.log.last:
            client.copied_to(index)
            self.replication.arrived(peer)

    def _caught_up(self) -> None:
        """A client that is in no list yet has confirmed, or holds the reign's begin: it may rank, and count."""
        self.publish()
        if self.heartbeat_at <= self.node.now:
            self._beat_in_turn()

    def _confirmed(self, peer: str, message: Confirm) -> None:
        client = self.replication.clients.get(peer)
        if client is None or message.term != self.term or message.round > self.round:
            return
        node = self.node
        first = client.round == 0
        if message.stored > client.match:
            self._stored(peer, message.stored)
        client.heard_at = node.now
        self.measuring.confirmed(peer, message, client)
        client.round = max(client.round, message.round)
        client.sequence = max(client.sequence, message.sequence)
        client.version = max(client.version, message.version)
        self._note_disk(peer, client, message.able)
        self.commit_set.heard(peer, node.now)
        if self.commit_set.settle(self.replication.clients, node.now):
            self.advance()
        if first:
            self._caught_up()
        self._note_majority()
        if self.proving is not None:
            self._look_at_proof()
        self.reads.go_on()

    def _note_disk(self, peer: str, client: Progress, able: bool) -> None:
        """A client whose disk cannot be counted on says so, and counts on nothing itself: it leaves the set at once."""
        if able == client.able:
            return
        client.able = able
        if self.commit_set.gone(peer):
            why = f"the disk of {peer} cannot be counted on"
            self.node.emit(events.CommitSetChanged(sorted(self.commit_set.counting), why))
        self.publish()
        self.advance()

    def _note_majority(self) -> None:
        """Since when a majority, this peer included, has been heard: the oldest of the newest confirmations."""
        node = self.node
        heard = {peer: client.heard_at for peer, client in self.replication.clients.items()}
        heard[node.me.id] = node.now
        self.majority_at = max(self.majority_at, majority_match(heard, node.log.voters))

    # Links

    def link_up(self, remote: Remote, dialed: str | None) -> None:
        self.announce(remote.id)

    def link_down(self, peer: str, evidence: Evidence, detail: str) -> None:
        self.losing.link_down(peer, evidence, detail)

    def dial_failed(self, address: str, evidence: Evidence, detail: str) -> None:
        self.losing.dial_failed(address, evidence)

    # Reads

    def read_asked(self, peer: str | None, request: int, prove: bool) -> None:
        self.reads.ask(peer, request, prove=prove)

    def proved_by(self) -> list[str]:
        """Whose answer proves that this peer still serves."""
        if self.node.quorum:
            return [m.id for m in self.node.others() if m.voter]
        return self.commit_set.waited_for()

    # Being away

    def woke(self, away_ns: int) -> None:
        """I was away: nothing is acknowledged or read before this reign is proved again."""
        node = self.node
        node.without_since = node.without_since or node.now
        by = frozenset(self.proved_by()) or frozenset(m.id for m in node.others())
        if not by:
            return
        self.proving = Proving(node.now, self.round + 1, by)
        self._beat_in_turn()
        self.probing.probe()

    def _look_at_proof(self) -> None:
        proving, node = self.proving, self.node
        assert proving is not None
        voters = node.log.voters if node.quorum else None
        if proving.proved(node.me.id, self.replication.clients, voters):
            self.proving = None
            node.without_since = None
            node.emit(events.ReignProved(str(self.term), (node.now - proving.since) / MS))
            self.publish()
            self.advance()

    def alive_server(self) -> tuple[str, int] | None:
        if self.proving is not None:
            return None
        return self.node.me.id, len(self.in_touch())

    # Time

    def tick(self) -> None:
        node, now = self.node, self.node.now
        if self.proving is not None and now >= self.proving.since + node.times.round:
            self.core.not_proved()
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
            self.losing.drop_silent()
            self.measuring.look()
            self.forgetting.look()
            self.publish()
            self.preempting.look()
            self.joining.go_on()
            self._beat_in_turn()
        if now >= self.probing.at:
            self.probing.probe()
        self.commit_set.settle(self.replication.clients, now)
        self.claims.tick()
        self.salvaging.tick()
        self.advance()
        self.reads.go_on()
        self.ticked_at = now

    def deadline(self) -> int | None:
        node = self.node
        times = [self.heartbeat_at, self.probing.at]
        if self.forming_until and self.proving is None and not self.claims.open:
            times.append(self.forming_until)
        if self.proving is not None:
            times.append(self.proving.since + node.times.round)
        if node.quorum:
            times.append(self.majority_at + node.times.timeout)
        elif node.log.last > node.commit and self.commit_set.counting:
            alone_at = min(self.commit_set.counting.values()) + node.times.timeout
            if alone_at > self.ticked_at:
                times.append(alone_at)
        if self.handover is not None:
            times.append(self.handover.until)
        due = (self.commit_set.deadline(), self.claims.deadline(), self.salvaging.deadline())
        return min([*times, *(at for at in due if at is not None)])

    def disk_failed(self) -> None:
        self.core.step_down(Cause.DISK, 0)
