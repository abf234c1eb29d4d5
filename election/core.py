"""The core: inputs in, one `Ready` out. Owns the role; only the methods below change it.

    ready = core.step(now, input)

No clock, no socket, no file: `now` is nanoseconds of a clock that counts sleep, and the same inputs in the
same order give the same outputs.
"""

from random import Random

from tanist.election import ballots, events, handingover
from tanist.election.ballots import Voter
from tanist.election.behaviour import Behaviour
from tanist.election.candidacy import Candidacy
from tanist.election.claims import HealWaits
from tanist.election.entries import Entry
from tanist.election.evidence import ENDS_RETRIES, Evidence
from tanist.election.following import FollowingServer
from tanist.election.history import NO_TERM, Term
from tanist.election.identity import COPY, heard, linked, met_clone, outdated, turned_away, watch_founding
from tanist.election.lending import lend, read_snapshot
from tanist.election.messages import (
    Append,
    Canvass,
    Claim,
    Fetch,
    Found,
    FoundAnswer,
    Goodbye,
    Message,
    NotYet,
    Outdated,
    Refuse,
    RequestVote,
    Seek,
    Serving,
    SnapshotFetch,
    Support,
)
from tanist.election.node import Node, Self
from tanist.election.ready import (
    AbandonAsked,
    AddressChanged,
    ConditionRead,
    DialFailed,
    DiskFailed,
    GoodbyeAsked,
    HandOverAsked,
    Input,
    LeaveAsked,
    LinkDown,
    LinkUp,
    LossAccepted,
    Persisted,
    ReadAsked,
    Ready,
    Received,
    SnapshotReceived,
    SnapshotTaken,
    Submit,
    Tick,
)
from tanist.election.records import Stored
from tanist.election.reign import Reign
from tanist.election.repairing import accept_loss, look_repaired
from tanist.election.roles import TRANSITIONS, Cause, Role
from tanist.election.roster import Roster
from tanist.election.seeking import Seeking
from tanist.election.settings import MS, ElectionSettings, plausible
from tanist.election.stalling import disk_deadline, watch_disk


class LocalMisuse(RuntimeError):
    """The core was called in a way that its contract forbids: a bug in tanist, not in a peer."""


class Core:
    """One peer's election. `wall_ns` of a step is only used to stamp log time, and decides nothing."""

    def __init__(self, me: Self, settings: ElectionSettings, stored: Stored, rng: Random) -> None:
        self.node = Node(me, settings, stored, rng)
        self.behaviour: Behaviour = Seeking(self, "start")
        self.wall_ns = 0
        self.reached: dict[str, str] = {}
        """Given addresses that led to a peer once, and to which."""
        self.heal_waits = HealWaits(self.node)
        self._asked: int | None = None
        self._last_log_time = self.node.log.last_time_ns
        self._started = False
        self._said_goodbye = False

    # What can be asked at any time

    @property
    def role(self) -> Role:
        """What this peer is."""
        return self.behaviour.role

    @property
    def server(self) -> str | None:
        """The id of the server: followed, or this peer."""
        if isinstance(self.behaviour, Reign):
            return self.node.me.id
        if isinstance(self.behaviour, FollowingServer) and self.behaviour.welcome:
            return self.behaviour.server
        return None

    @property
    def term(self) -> Term:
        """The term of the reign that this peer is in, or `NO_TERM`."""
        behaviour = self.behaviour
        return behaviour.term if isinstance(behaviour, Reign | FollowingServer) else NO_TERM

    @property
    def ready_to_read(self) -> bool:
        """Whether this peer's state is that of a reign it is in, or was: not the emptiness of a start."""
        return self.node.commit > 0

    def counts_now(self) -> bool:
        """Survivor mode: whether acknowledgements wait for this peer's disk (also just before it lost its server)."""
        return self.counts_at(self.node.now)

    def counts_at(self, now: int) -> bool:
        """Whether they still do at a time to come. Of a later reign, once its list was heard of, this peer holds
        nothing for certain."""
        until, term = self._counted
        return now < until and self.node.fallbacks.term == term

    _counted: tuple[int, Term] = (0, NO_TERM)
    """Until when acknowledgements of which reign, over for this peer, still wait for its disk."""

    # The step

    def start(self, now: int, wall_ns: int) -> Ready:
        """The first step of all."""
        if self._started:
            raise LocalMisuse("start() is called once")
        self._started = True
        self._begin(now, wall_ns)
        self.node.started = now
        if self.node.damage is not None:
            self.node.emit(events.DamageFound(self.node.damage.detail))
        self.behaviour.enter()
        return self._end()

    def step(self, now: int, inputs: Input, wall_ns: int = 0) -> Ready:
        """Take in one input and say what to do. `now` never goes back."""
        if not self._started:
            raise LocalMisuse("start() comes before step()")
        self._begin(now, wall_ns)
        node = self.node
        if self._said_goodbye:
            # Whoever was told that this peer is gone must not hear of it again: it would count on it.
            if isinstance(inputs, Persisted):
                node.persisted(inputs.persist_id)
            return self._end()
        if self._asked is not None and now - self._asked > node.times.timeout // 2:
            must_prove = isinstance(self.behaviour, Reign) and bool(node.others())
            node.emit(events.Woke((now - self._asked) / MS, str(self.role), must_prove, node.commit))
            node.awake_since = now
            self.behaviour.woke(now - self._asked)
        match inputs:
            case Received(peer, message):
                if peer in node.links and heard(node, peer, message):
                    self._received(peer, message)
            case Persisted(persist_id):
                node.persisted(persist_id)
                self.behaviour.persisted()
            case Submit(proposals):
                self.behaviour.submit(proposals)
            case Tick():
                pass
            case _:
                self._rare(inputs)
        handing = self.behaviour.handover if isinstance(self.behaviour, Reign) else None
        if handing is not None:
            handing.go_on()
        watch_founding(node)
        watch_disk(self)
        if node.damage is not None:
            look_repaired(self)
        due = self.behaviour.deadline()
        if due is not None and due <= now:
            self.behaviour.tick()
        return self._end()

    def _begin(self, now: int, wall_ns: int) -> None:
        node = self.node
        node.now = max(now, node.now)
        node.out = Ready()
        self.wall_ns = wall_ns

    def _end(self) -> Ready:
        node = self.node
        node.seal()
        out = node.out
        times = [] if self._said_goodbye else [self.behaviour.deadline(), disk_deadline(self)]
        self._asked = out.deadline = min((t for t in times if t is not None), default=None)
        return out

    def _rare(self, inputs: Input) -> None:
        node = self.node
        match inputs:
            case LinkUp(remote, dialed):
                linked(self, remote, dialed)
                self.behaviour.link_up(remote, dialed)
            case LinkDown(peer, evidence, detail):
                if peer in node.links:
                    node.lost_link(peer)
                    self.behaviour.link_down(peer, evidence, detail)
            case DialFailed(address, evidence, detail):
                node.dial_outcome(address)
                turned_away(self, address, evidence, detail)
                self.behaviour.dial_failed(address, evidence, detail)
            case DiskFailed(detail):
                node.disk_failed = detail
                node.emit(events.DiskGaveOut(detail))
                self.behaviour.disk_failed()
            case SnapshotTaken(meta):
                following = self.behaviour if isinstance(self.behaviour, FollowingServer) else None
                # A copy that goes on from within this log must not have it compacted under it.
                if following is None or following.beside is None:
                    node.compact(meta)
            case SnapshotReceived():
                if isinstance(self.behaviour, FollowingServer | Candidacy):
                    self.behaviour.snapshot_received(inputs)
            case ReadAsked(request, prove):
                self.behaviour.read_asked(None, request, prove)
            case ConditionRead(power, load):
                node.power, node.load = power, load
            case AddressChanged(address):
                node.moved(address)
                if isinstance(self.behaviour, Reign):
                    self.behaviour.joining.myself()
            case HandOverAsked(to):
                self.hand_over(to)
            case LeaveAsked(peer):
                self._leave(peer)
            case AbandonAsked():
                if isinstance(self.behaviour, Seeking) and self.behaviour.founding is not None:
                    self.behaviour.founding.abandon()
            case LossAccepted():
                accept_loss(self)
            case GoodbyeAsked(reason):
                for peer in node.links:
                    node.send(peer, Goodbye(reason))
                self._said_goodbye = True
            case _:
                raise LocalMisuse(f"no such input: {inputs!r}")

    def _received(self, peer: str, message: Message) -> None:
        node = self.node
        match message:
            case Append():
                self.behaviour.received(peer, message)
            case Outdated(start):
                outdated(self, peer, start)
            case Refuse(code, text) if code == COPY:
                met_clone(self, text, proved=True)
            case Canvass():
                if plausible(Term(message.number, ""), node.number):
                    answer = ballots.answer_canvass(node, peer, message, self._voter())
                    node.send(peer, answer)
                    self._note_candidate(peer, answer)
                else:
                    node.emit(events.Implausible(peer, f"number {message.number}"))
            case RequestVote():
                self._asked_for_vote(peer, message)
            case Fetch():
                lend(node, peer, message)
            case SnapshotFetch() if not isinstance(self.behaviour, Reign):
                read_snapshot(node, peer, message)
            case Found(number, members) if node.log.roster.members:
                self._asked_to_found(peer, number, members)
            case Serving(term=term) | Claim(term=term) if not plausible(term, node.number):
                node.emit(events.Implausible(peer, f"number {term.number}"))
            case Seek() if isinstance(self.behaviour, Candidacy):
                self._answer_seek(peer)
            case _:
                self.behaviour.received(peer, message)

    def _voter(self) -> Voter:
        return Voter(self.behaviour.alive_server(), isinstance(self.behaviour, Candidacy))

    def _note_candidate(self, peer: str, answer: Message) -> None:
        """Whoever supports another gives way to it, and waits for what comes of it."""
        if isinstance(answer, Support):
            if isinstance(self.behaviour, Candidacy):
                self.lost_ballot("another stands that may", peer, self.behaviour.search)
            elif isinstance(self.behaviour, Seeking):
                self.behaviour.wait_for(peer)

    def _asked_for_vote(self, peer: str, message: RequestVote) -> None:
        node = self.node
        if not plausible(Term(message.number, ""), node.number):
            node.emit(events.Implausible(peer, f"number {message.number}"))
            return
        before = node.number, node.voted_for
        ballots.answer_vote(node, peer, message, self._voter())
        if (node.number, node.voted_for) == before or node.voted_for != peer:
            return
        behaviour = self.behaviour
        if isinstance(behaviour, Reign):
            if behaviour.handover is not None:
                behaviour.handover.ended("done")
            self.step_down(Cause.HANDED_OVER, 0, hold_for=peer)
        elif isinstance(behaviour, FollowingServer):
            if message.opposed and behaviour.server != peer and behaviour.alive_server() is not None:
                node.sided_at = node.now
                node.emit(events.SideChanged(behaviour.server, peer, message.support))
            self._end_following()
            self._become(Seeking(self, Evidence.GOODBYE, behaviour.term, hold_for=peer), Cause.HIGHER_NUMBER)
        elif isinstance(behaviour, Candidacy):
            self.lost_ballot("voted for another", peer, behaviour.search)
        elif isinstance(behaviour, Seeking):
            behaviour.wait_for(peer)
        # Whoever has this vote may serve by now, and acknowledge what this peer does not hold.
        self._counted = (0, NO_TERM)

    def _answer_seek(self, peer: str) -> None:
        node = self.node
        wait_ms, linked = node.times.ballot / MS, node.linked_addresses()
        node.send(peer, NotYet(wait_ms, node.log.history(), node.fallbacks, node.fresh, linked, node.able))

    def _asked_to_found(self, peer: str, number: int, members: Roster) -> None:
        """Someone founds yet what is founded here: point it to the server, or say again that I accepted."""
        node, behaviour = self.node, self.behaviour
        if isinstance(behaviour, Reign | FollowingServer):
            behaviour.received(peer, Seek(node.log.history(), node.fallbacks, NO_TERM, "", 0, False))
        elif node.founding is not None and node.founding.names(number, members):
            node.send_after_disk(peer, FoundAnswer(number, members, True))

    # Roles

    def _become(self, behaviour: Behaviour, cause: Cause) -> None:
        was = self.role
        if TRANSITIONS.get((was, cause)) is not behaviour.role:
            raise LocalMisuse(f"no transition from {was} by {cause!r} to {behaviour.role}")
        self.behaviour = behaviour
        self.node.emit(events.RoleChanged(was, behaviour.role, str(self.term), cause))
        behaviour.enter()

    def follow(self, server: str, term: Term) -> None:
        """Follow a server that was found."""
        if isinstance(self.behaviour, FollowingServer):
            self._end_following()
        self._become(FollowingServer(self, server, term), Cause.FOUND_SERVER)

    def lose_server(self, evidence: Evidence, detail: str) -> None:
        """The server is suspected: the retries begin."""
        behaviour = self.behaviour
        assert isinstance(behaviour, FollowingServer)
        node = self.node
        ago = (node.now - behaviour.heard_at) / MS
        lost = (behaviour.server, str(behaviour.term), evidence, detail, ago)
        node.emit(events.ServerLost(*lost, node.commit, node.fallbacks.told()))
        if evidence not in ENDS_RETRIES:
            node.stability.lost(behaviour.server, node.now)
        self._end_following()
        self._become(Seeking(self, evidence, behaviour.term), Cause.LOST_SERVER)

    def handed_over(self, heir: str) -> None:
        """The server names its heir: go there."""
        behaviour = self.behaviour
        assert isinstance(behaviour, FollowingServer)
        self._end_following()
        self._become(Seeking(self, Evidence.GOODBYE, behaviour.term, hold_for=heir), Cause.HANDED_OVER)

    def told_to_stand(self) -> None:
        """The live server tells this peer to stand at once: nobody need be canvassed."""
        behaviour = self.behaviour
        assert isinstance(behaviour, FollowingServer)
        self._end_following()
        search = Seeking(self, Evidence.GOODBYE, behaviour.term, hold_for=self.node.me.id)
        self.behaviour = search
        self.node.emit(events.RoleChanged(Role.CLIENT, Role.SEEKING, "none", Cause.HANDED_OVER))
        self._become(Candidacy(self, "handover", search, handover=True), Cause.TOLD_TO_STAND)

    def _end_following(self) -> None:
        behaviour = self.behaviour
        assert isinstance(behaviour, FollowingServer)
        self._counted = (0, NO_TERM)
        if behaviour.counts_now() and behaviour.counted_from is not None:
            self._counted = behaviour.counted_from + self.node.times.sync, behaviour.term
        behaviour.fail_reads()

    def stand(self, evidence: str) -> None:
        """Nobody is before this peer: it stands."""
        search = self.behaviour
        assert isinstance(search, Seeking)
        self._become(Candidacy(self, evidence, search), Cause.NOBODY_AHEAD)

    def lost_ballot(self, reason: str, to: str, search: Seeking | None) -> None:
        """The ballot was not won: go back to seeking, and wait for the better one or a while."""
        node = self.node
        fails = search.fails if search else 0
        # The wait grows with the rank and with each failure, and has jitter, so that two do not meet for ever.
        place = node.fallbacks.place(node.me.id)
        rank = place if place is not None else len(node.fallbacks.entries)
        wait = int(node.times.ballot * (1 + rank + min(fails, 6)) * (1 + node.rng.random()))
        self._become(Seeking(self, reason, hold_for=to, wait_ns=wait, goes_on=search), Cause.LOST_BALLOT)

    def search_again(self, evidence: Evidence | str, cause: Cause) -> None:
        """The ballot is void: begin the search anew."""
        self._become(Seeking(self, evidence, wait_ns=self.node.times.ballot), cause)

    def reign(self, supporters: frozenset[str]) -> None:
        """The ballot is won."""
        self._become(Reign(self, supporters), Cause.WON)

    def renew(self, above: int) -> None:
        """Survivor mode: go on in a number above one that was met, as soon as that number is on disk."""
        behaviour, node = self.behaviour, self.node
        assert isinstance(behaviour, Reign)
        if behaviour.renewal is None or above >= node.number:
            node.adopt_number(max(above, node.number) + 1, node.me.id)
            behaviour.renewal = node.persist_id

    def renewed(self) -> None:
        """The number to go on in is on disk: nothing of it was said before, so no restart says it again."""
        behaviour, node = self.behaviour, self.node
        assert isinstance(behaviour, Reign)
        node.emit(events.ReignEnded(str(behaviour.term), Cause.RENEWED, node.commit))
        behaviour.reads.fail()
        if behaviour.handover is not None:
            behaviour.handover.ended("abandoned: the reign goes on in a higher number")
        held = node.commit, behaviour.holders()
        self._become(Reign(self, frozenset(behaviour.replication.clients), held), Cause.RENEWED)

    def step_down(
        self, cause: Cause, number: int, *, follow: tuple[str, Term] | None = None, hold_for: str = ""
    ) -> None:
        """The reign ends. `number`: a higher one that was met; `follow`: the server to go to."""
        node = self.node
        self._end_reign(cause)
        if number > node.number:
            node.adopt_number(number)
        wait = 0 if hold_for else node.times.ballot
        self._become(Seeking(self, str(cause), hold_for=hold_for, wait_ns=wait), cause)
        if follow is not None:
            self.follow(*follow)
        elif cause is not Cause.HANDED_OVER:
            for peer in node.links:
                node.send(peer, Seek(node.log.history(), node.fallbacks, NO_TERM, str(cause), 0, False))

    def _end_reign(self, cause: Cause) -> None:
        behaviour, node = self.behaviour, self.node
        assert isinstance(behaviour, Reign)
        node.emit(events.ReignEnded(str(behaviour.term), cause, node.commit))
        node.without_since = node.now
        self._counted = (0, NO_TERM)
        if not node.quorum and cause is Cause.NOT_PROVED:
            # What a server has was the measure of every acknowledgement of its own reign.
            self._counted = node.now + node.times.sync, behaviour.term
        behaviour.reads.fail()

    def not_proved(self) -> None:
        """The reign was not proved after being away: survivor mode has a ballot at once, among those who answer."""
        node = self.node
        if node.quorum or not node.able:
            self.step_down(Cause.NOT_PROVED, 0)
            return
        self._end_reign(Cause.NOT_PROVED)
        search = Seeking(self, str(Cause.NOT_PROVED))
        self.behaviour = search
        node.emit(events.RoleChanged(Role.SERVER, Role.SEEKING, "none", Cause.NOT_PROVED))
        self._become(Candidacy(self, str(Evidence.WOKE), search), Cause.NOBODY_AHEAD)

    # Handing over, leaving

    def hand_over(self, to: str | None, reason: str = "asked to") -> None:
        """Hand the reign over to a peer (id or name), or to the heir."""
        if isinstance(self.behaviour, Reign):
            handingover.begin(self.behaviour, to, reason)
        else:
            self.node.emit(events.HandoverEnded("this peer does not serve", 0))

    def _leave(self, peer: str) -> None:
        if isinstance(self.behaviour, Reign):
            self.behaviour.joining.leave(peer)
        elif peer == self.node.me.id:
            # Without a server now: the next one is told.
            self.node.leaving = True
        if isinstance(self.behaviour, FollowingServer):
            self.behaviour.leave(peer)

    def log_time(self) -> int:
        """Log time for a new entry: never back, and never before the last entry's."""
        self._last_log_time = max(self.wall_ns, self._last_log_time, self.node.log.last_time_ns)
        return self._last_log_time


__all__ = ["Core", "Entry", "LocalMisuse"]
