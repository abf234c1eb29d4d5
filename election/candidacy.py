"""CANDIDATE: the ballot of two steps. The canvass asks and changes nothing; the vote is on disk.

CANVASSING --all answered--> VOTING --won--> SERVER
    |--someone holds entries I lack--> FETCHING --on disk--> CANVASSING
    `--a better-ranked one stands--> WAITING once --> CANVASSING again, rank ignored
"""

from enum import StrEnum
from typing import TYPE_CHECKING

from tanist.election import ballots, events
from tanist.election.behaviour import Behaviour
from tanist.election.contacts import Contacts
from tanist.election.evidence import Evidence
from tanist.election.history import History, Term, fork
from tanist.election.lending import Incoming
from tanist.election.messages import (
    Canvass,
    Claim,
    Fetch,
    Lend,
    Message,
    Oppose,
    RequestVote,
    Serving,
    SnapshotChunk,
    SnapshotOffer,
    Support,
    Vote,
)
from tanist.election.ready import Remote, SnapshotReceived
from tanist.election.roles import Cause, Role
from tanist.election.safety import rules_of
from tanist.election.settings import MS, NUMBER_LEAP_MAX

if TYPE_CHECKING:
    from tanist.election.core import Core
    from tanist.election.seeking import Seeking


class Step(StrEnum):
    """Where the ballot is."""

    CANVASSING = "canvassing"
    WAITING = "waiting for a better-ranked one"
    FETCHING = "fetching what it lacks"
    VOTING = "voting"


BALLOTS_STRETCH_MAX = 32
"""How often a ballot's wait may have doubled: enough for a disk that takes seconds for a vote."""


class Candidacy(Behaviour):
    """One ballot. `handover` when the live server told this peer to stand: then nobody is canvassed."""

    role = Role.CANDIDATE

    def __init__(self, core: "Core", evidence: str, search: "Seeking | None", *, handover: bool = False) -> None:
        super().__init__(core)
        self.evidence = evidence
        self.search = search
        self.handover = handover
        self.rules = rules_of(core.node.settings.safety)
        self.number = core.node.number + 1
        self.step = Step.CANVASSING
        self.begun = core.node.now
        self.until = 0
        self.again = False
        self.voters: dict[str, str] = {}
        self.support: set[str] = set()
        self.left_out: dict[str, str] = {}
        self.asked: set[str] = set()
        self.fetch_from = ""
        self.fetched_to = 0
        self.incoming = Incoming(core.node)
        """A snapshot, where the entries that I lack are compacted."""
        self.took_snapshot = False
        self.able: dict[str, bool] = {}
        """Who said in the canvass that it is fresher, and whether it could stand."""
        self.no_help: set[str] = set()
        """Fresher peers that lent nothing (compacted, gone): asked again, they would not either."""
        self.opposers: dict[str, str] = {}
        """Who hears a live server as well that I do not hear, and which."""
        self.sides: tuple[int, int] = (0, 0)
        """How many support me, I too, and how many hear both: told when everyone is asked once more."""
        self.asked_sides = False
        self.bridges: set[str] = set()
        """Fresher peers that follow a live server, and would leave it once I hold what they have."""

    # Beginning a step

    def enter(self) -> None:
        self.voters = self._electorate()
        if self.handover:
            self._vote()
        else:
            self._canvass()

    def _electorate(self) -> dict[str, str]:
        """Who votes, by id, with the address: the roster's voters; before there is a roster, whoever was met."""
        node = self.node
        found = {m.id: node.address_of(m.id) or m.address for m in node.log.roster.members if m.voter}
        if not node.quorum and self.search is not None:
            for peer, contact in self.search.contacts.by_id.items():
                if contact.answered and (contact.fresh or not found) and peer in node.links:
                    found.setdefault(peer, node.links[peer].address)
        found.pop(node.me.id, None)
        return found

    def _wait_ns(self) -> int:
        """How long a step of this ballot may take; longer after ballots that failed, so that slow disks get there."""
        fails = self.search.fails if self.search else 0
        return self.node.times.ballot * min(1 << min(fails, 8), BALLOTS_STRETCH_MAX)

    def _begin(self, step: Step) -> None:
        self.step = step
        self.until = self.node.now + self._wait_ns()
        self.support = set()
        self.left_out = {}
        self.opposers = {}
        self.asked = set()

    def _canvass(self) -> None:
        node = self.node
        self._begin(Step.CANVASSING)
        node.emit(events.CanvassStarted(self.number, sorted(self.voters), self.again))
        self._ask_all()
        self._count()

    def _vote(self) -> None:
        node = self.node
        # In survivor mode those left out of the canvass stay out; a majority may also come from late ones.
        out = dict(self.left_out) if self.step is Step.CANVASSING and not node.quorum and not self.handover else {}
        self._begin(Step.VOTING)
        self.left_out = out
        node.adopt_number(self.number, node.me.id)
        self._ask_all()
        self._count()

    def _ask_all(self) -> None:
        node = self.node
        for peer, address in self.voters.items():
            if peer in self.left_out:
                continue
            if peer in node.links:
                self._ask(peer)
            else:
                node.dial(address, self._wait_ns())

    def _ask(self, peer: str) -> None:
        if peer in self.asked or peer not in self.voters or peer in self.left_out:
            return
        node = self.node
        history = node.log.history()
        if self.step is Step.CANVASSING:
            age = node.fallbacks.age()
            node.send(peer, Canvass(self.number, history, age, self.evidence, self.again, *self.sides))
        elif self.step is Step.VOTING:
            node.send(peer, RequestVote(self.number, history, self.handover, *self.sides))
        else:
            return
        self.asked.add(peer)

    # Answers

    def link_up(self, remote: Remote, dialed: str | None) -> None:
        if remote.id in self.voters:
            self._ask(remote.id)

    def link_down(self, peer: str, evidence: Evidence, detail: str) -> None:
        self._leave_out(peer, f"{evidence} {detail}".strip())
        if self.step is Step.FETCHING and peer == self.fetch_from:
            self._fetch_failed()

    def dial_failed(self, address: str, evidence: Evidence, detail: str) -> None:
        for peer, known in self.voters.items():
            if known == address and peer not in self.node.links:
                self._leave_out(peer, f"{evidence} {detail}".strip())

    def received(self, peer: str, message: Message) -> None:
        match message:
            case Support(number) if number == self.number and self.step is Step.CANVASSING:
                self._supported(peer)
            case Oppose(number=number) if number == self.number and self.step is Step.CANVASSING:
                self._opposed(peer, message)
            case Vote(number=number, granted=True) if number == self.number and self.step is Step.VOTING:
                self._supported(peer)
            case Vote(number=number) if number == self.number and self.step is Step.VOTING:
                self._vote_refused(peer, message)
            case Lend() if self.step is Step.FETCHING and peer == self.fetch_from:
                self._lent(message)
            case SnapshotOffer(meta=meta) if self.step is Step.FETCHING and peer == self.fetch_from:
                self._fetches_on()
                self.incoming.offered(peer, meta)
            case SnapshotChunk() if self.step is Step.FETCHING and peer == self.fetch_from:
                self._fetches_on()
                self.incoming.chunk(peer, message)
            case Serving(term=term) | Claim(term=term):
                self.core.follow(peer, term)
            case _:
                pass

    def _supported(self, peer: str) -> None:
        if self.step is Step.CANVASSING:
            self.node.emit(events.CanvassAnswered(self.number, peer, "support"))
        self.support.add(peer)
        self._count()

    def _opposed(self, peer: str, message: Oppose) -> None:
        node = self.node
        node.emit(events.CanvassAnswered(self.number, peer, message.reason))
        match message.reason:
            case ballots.SERVER_ALIVE if self.rules.live_server_vetoes:
                if message.server in ("", peer):
                    self._give_way("a live server", "")
                else:
                    self.opposers[peer] = message.server
                    self._count()
            case ballots.FRESHER | ballots.LENDS as reason:
                self.able[peer] = reason == ballots.FRESHER
                self._lacking(peer, message.history, follows=bool(message.server))
            case ballots.BETTER_RANK:
                self.step = Step.WAITING
                self.until = node.now + node.times.ballot
                self.again = True
            case ballots.STALE_NUMBER:
                self._raise_number(message.own_number)
            case reason:
                self._leave_out(peer, reason)

    def _raise_number(self, theirs: int) -> None:
        """Canvass again above the number that stood against mine, unless nobody could mean it."""
        if theirs > self.node.number + NUMBER_LEAP_MAX:
            self.node.emit(events.Implausible("a voter", f"number {theirs}"))
            self._give_way("an implausible number", "")
            return
        self.number = max(self.number, theirs + 1)
        self._canvass()

    def _vote_refused(self, peer: str, message: Vote) -> None:
        match message.reason:
            case ballots.FRESHER:
                self._lacking(peer, message.history)
            case ballots.SERVER_ALIVE if self.rules.live_server_vetoes:
                self._give_way("a live server", "")
            case ballots.STALE_NUMBER | ballots.VOTED if not self.node.quorum:
                self._give_way(f"{peer} voted in a number as high", "")
            case reason:
                self._leave_out(peer, reason)

    # Entries that I lack

    def _lacking(self, peer: str, theirs: History, *, follows: bool = False) -> None:
        """A fresher peer: take over what it has, if I go before it or it does not stand; else it stands itself.

        `follows`: it follows a live server, and would leave it for me.
        """
        node = self.node
        at = fork(node.log.history(), theirs)
        stands = self._could_stand(peer)
        mine_first = ballots.ranks_before(node, peer) or not stands or follows
        # What a snapshot holds, and in quorum mode what is committed, cannot be cut to make room.
        kept = max(node.snapshot.index if node.snapshot else 0, node.commit if node.quorum else 0)
        # In survivor mode nobody lends across a fork: what I have is not cut, and what the other has is archived when
        # it follows whoever wins.
        fits = at.at >= kept and (node.quorum or not node.log.keys_after(at.at))
        if mine_first and fits and peer not in self.no_help:
            if follows:
                # Its live server may write faster than I can copy: once in a ballot is enough.
                self.no_help.add(peer)
                self.bridges.add(peer)
            self._fetch(peer, at.at)
        elif self.node.quorum or not stands:
            self._leave_out(peer, ballots.FRESHER)
        elif follows:
            self.opposers[peer] = ""
            self._count()
        else:
            self._give_way("a fresher history", peer)

    def _could_stand(self, peer: str) -> bool:
        """Whether a fresher peer could serve: as it says itself, since my roster may be an old one."""
        member = self.node.log.roster.get(peer)
        return self.able.get(peer, member is None or (member.serve and member.voter))

    def _fetch(self, peer: str, after: int) -> None:
        node = self.node
        self.step = Step.FETCHING
        self.fetch_from, self.fetched_to = peer, after
        self._fetches_on()
        term = node.log.term_at(after)
        node.send(peer, Fetch(after, term if term is not None else Term(0, "")))

    def _fetches_on(self) -> None:
        """The other is there: it has time for its next answer."""
        self.until = self.node.now + 2 * self._wait_ns() + self.node.times.retry

    def _lent(self, message: Lend) -> None:
        node = self.node
        fits = message.previous == self.fetched_to and node.log.term_at(message.previous) == message.previous_term
        if fits and not message.entries and self.took_snapshot:
            self._fetched()
            return
        if not fits or not message.entries:
            self._fetch_failed()
            return
        first = message.previous + 1
        fresh = node.log.parts_from(first, message.entries)
        if fresh is None:
            self.fetched_to = message.previous + len(message.entries)
        else:
            start, entries = fresh
            if start <= node.log.last:
                # Quorum mode: the older term's suffix cannot have been committed. Survivor mode: it is bookkeeping.
                node.cut(start - 1, "replaced by a fresher peer's entries")
            node.append(entries)
            self.fetched_to = node.log.last
        if message.more:
            self._fetches_on()
            node.send(self.fetch_from, Fetch(self.fetched_to, node.log.term_at(self.fetched_to) or Term(0, "")))
            return
        node.emit(events.EntriesLent(self.fetch_from, first, self.fetched_to))
        self._fetched()

    def _fetched(self) -> None:
        """All that the other has is here: canvass again, once it is on disk."""
        node = self.node
        self.fetch_from = ""
        # The number asked for may be older than the last entry taken over.
        self.number = max(self.number, node.log.last_term.number + 1)
        if node.is_durable():
            self._canvass()

    def snapshot_received(self, message: SnapshotReceived) -> None:
        """The snapshot is whole, or is no good: the entries that follow it are fetched as any others."""
        node, meta = self.node, message.meta
        if not self.incoming.ended(message) or self.step is not Step.FETCHING or not self.fetch_from:
            return
        if message.error or meta.index <= self.fetched_to:
            self._fetch_failed()
            return
        node.take_snapshot_over(meta, self.fetched_to)
        self.took_snapshot = True
        self._fetch(self.fetch_from, meta.index)

    def persisted(self) -> None:
        if not self.node.is_durable():
            return
        if self.step is Step.FETCHING and not self.fetch_from:
            self._canvass()
        elif self.step is Step.VOTING:
            self._count()

    def _fetch_failed(self) -> None:
        peer, self.fetch_from = self.fetch_from, ""
        self.no_help.add(peer)
        if self.node.quorum or peer in self.bridges or not self._could_stand(peer):
            self._canvass()
        else:
            self._give_way("a fresher history", peer)

    # Counting

    def _leave_out(self, peer: str, evidence: str) -> None:
        if peer not in self.voters or peer in self.support:
            return
        self.left_out[peer] = evidence
        self._count()

    def _count(self) -> None:
        """See whether this step of the ballot is decided."""
        if self.core.behaviour is not self or self.step not in (Step.CANVASSING, Step.VOTING):
            return
        node = self.node
        me = node.me.id
        if self.step is Step.VOTING and not node.is_durable():
            # My own vote is not on disk: restarted, I could serve in this number a second time.
            return
        support = {me, *self.support}
        late = node.now >= self.until
        decided = self.support | self.left_out.keys() | self.opposers.keys()
        outstanding = [] if late else [p for p in self.voters if p not in decided]
        if late:
            for peer in self.voters:
                if peer not in decided:
                    self.left_out.setdefault(peer, "no answer in time")
        if self.opposers and not outstanding and not self._without_bridges():
            return
        electorate = node.log.voters if node.quorum else {me, *self.voters}
        outcome = self.rules.won(support, outstanding, electorate)
        if outcome is None:
            return
        if not outcome:
            self._end("no majority")
            self._give_way("no majority", "", told=True)
        elif self.step is Step.CANVASSING:
            self._vote()
        else:
            self._end("won")
            self.core.reign(frozenset(self.support))

    def _without_bridges(self) -> bool:
        """Peers hear a live server as well that I do not hear. Returns whether the ballot goes on without them.

        They are told once how many there are on my side, and may change sides; if they do not, they have a
        detection window to lose that server too, or I to find it. Then the rest is served.
        """
        contacts = self.search.contacts if self.search else Contacts()
        unheard = frozenset(self.opposers.values()) - {""}
        if not unheard <= contacts.unheard:
            # Another server than before: there is time to find that one too.
            contacts.unheard, contacts.opposed_since = unheard, self.node.now
        sides = 1 + len(self.support), len(self.opposers)
        if sides != self.sides and not self.asked_sides:
            self.sides, self.asked_sides = sides, True
            self._canvass()
            return False
        if self.node.now < contacts.opposed_since + self.node.times.window:
            self._give_way("a live server", "")
            return False
        for peer, server in self.opposers.items():
            self.left_out[peer] = f"follows {server or 'a live server'}, which does not answer me"
        self.opposers = {}
        return True

    def _end(self, outcome: str) -> None:
        node = self.node
        took = (node.now - self.begun) / MS
        voters = sorted(node.log.voters) if node.quorum else []
        node.emit(events.BallotEnded(self.number, outcome, sorted(self.support), dict(self.left_out), took, voters))

    def _give_way(self, reason: str, to: str, *, told: bool = False) -> None:
        if not told:
            self._end(f"gave way: {reason}")
        self.core.lost_ballot(reason, to, self.search)

    # Time

    def tick(self) -> None:
        if self.node.now < self.until:
            return
        match self.step:
            case Step.VOTING if not self.node.is_durable():
                # My own vote is on its way to the disk: nobody can win before it is there.
                self.until = self.node.now + self._wait_ns()
            case Step.CANVASSING | Step.VOTING:
                self._count()
            case Step.WAITING:
                self._canvass()
            case Step.FETCHING:
                self._fetch_failed()

    def deadline(self) -> int | None:
        return self.until

    def woke(self, away_ns: int) -> None:
        """I was away: the answers may be old."""
        self.core.search_again(Evidence.WOKE, Cause.AWAY)

    def disk_failed(self) -> None:
        self.core.search_again("disk", Cause.DISK)
