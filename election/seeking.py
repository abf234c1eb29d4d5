"""SEEKING: the three retries, then the fallback list, then standing oneself.

One search has one aim and three ways to begin: after a loss (retries to the lost server), at a start with
a past (waiting for the members that may know more), and at a first start (asking the addresses it was told
of). All end in walking the list: the first in list order that answers stands; whoever has nobody before
it stands itself.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from tanist.election import events
from tanist.election.behaviour import Behaviour
from tanist.election.contacts import Contacts
from tanist.election.evidence import ENDS_RETRIES, Evidence
from tanist.election.founding import Founding
from tanist.election.history import NO_TERM, Term
from tanist.election.messages import Claim, Following, Found, FoundAnswer, Message, NotYet, Seek, Serving
from tanist.election.order import before_me, met_history, waited_for, who_may_know
from tanist.election.ready import Remote
from tanist.election.retries import Retries
from tanist.election.roles import Role
from tanist.election.roster import MEMBERS_MAX
from tanist.election.settings import MS

if TYPE_CHECKING:
    from tanist.election.core import Core


class Way(StrEnum):
    """How a search begins, and where it is."""

    RETRYING = "retrying"
    RESTARTING = "restarting"
    FIRST_START = "first start"
    WALKING = "walking"


class Seeking(Behaviour):
    """A search for a server. `evidence` is why there is none; `hold_for` a peer that is known to stand."""

    role = Role.SEEKING

    def __init__(
        self,
        core: "Core",
        evidence: Evidence | str,
        lost: Term = NO_TERM,
        *,
        hold_for: str = "",
        wait_ns: int = 0,
        goes_on: "Seeking | None" = None,
    ) -> None:
        super().__init__(core)
        self.evidence: str = goes_on.evidence if goes_on else str(evidence)
        self.lost: Term = goes_on.lost if goes_on else lost
        self.hold_for = hold_for
        self.wait_ns = wait_ns
        self.contacts: Contacts = goes_on.contacts if goes_on else Contacts()
        self.since: int = goes_on.since if goes_on else core.node.now
        self.fails: int = goes_on.fails + 1 if goes_on else 0
        self.retries: Retries | None = None
        self.ended_by = ""
        self.way = Way.WALKING
        self.asked_again_at = 0
        self.holding: tuple[str, int] | None = None
        """Whom this peer waits for, and until when."""
        self.stand_at: int | None = None
        self.waiting_until: int | None = None
        self.founding: Founding | None = None
        self.reached: set[str] = set()
        """Addresses that were dialed and answered, as they were written by whoever gave them."""
        self._chosen = ""
        self.nobody = False
        """Whether a whole round found nobody: whoever was lost just now may be starting again."""
        self.told_damage: bool = goes_on.told_damage if goes_on else False
        """Whether it was said that nobody is there to repair this peer from."""

    # How it begins

    def enter(self) -> None:
        node, times = self.node, self.node.times
        if node.without_since is None:
            node.without_since = node.now
        self.asked_again_at = node.now + times.retry
        if node.quorum and not node.log.roster.members and node.damage is None:
            # However this search begins: without a roster there is a cluster to be founded, or joined.
            self.founding = Founding(self.core)
        if self.hold_for:
            self._hold(self.hold_for, times.hold, "it stands")
        elif self.wait_ns:
            self._again_after(self.wait_ns)
        elif self.evidence == "start":
            self._begin_start()
        elif self.lost.number and Evidence(self.evidence) not in ENDS_RETRIES and node.last_address:
            self.way = Way.RETRYING
            self.retries = Retries(node.now, times.retry, times.attempts)
        if self.core.behaviour is not self:
            return
        self._ask_everyone()
        if self.way is Way.WALKING:
            self._consider()

    def _begin_start(self) -> None:
        node, times = self.node, self.node.times
        # The first search is made before the first step tells the time.
        self.since = self.since or node.now
        if self.founding is not None:
            self.way = Way.FIRST_START
        elif node.fresh:
            self.way = Way.FIRST_START
            self.retries = Retries(node.now, times.retry, times.attempts)
            if not node.me.given and not node.settings.discovery:
                self.retries.done = True
        else:
            self.way = Way.RESTARTING
            wait = times.retry if node.quorum else times.start_wait
            self.waiting_until = node.now + wait
            names = [m.name for m in node.others()]
            if names:
                node.emit(events.Waiting(names, "started again: others may know more", wait / MS))
        if self.way is not Way.FIRST_START or node.links:
            return
        self._look_at_first_start()

    # Asking

    def _targets(self) -> dict[str, str]:
        lost = self.retries is not None and bool(self.lost.number)
        return who_may_know(self.node, but=self.node.last_address if lost else "")

    def _ask_everyone(self) -> None:
        node = self.node
        for peer, remote in list(node.links.items()):
            if self.contacts.of(peer).silent(node.now, node.times.retry):
                # Its connection may be dead with nobody told, or lag behind what was lost: a new one knows.
                node.dial(remote.address, node.times.retry)
            self._ask(peer)
        linked = {remote.address for remote in node.links.values()}
        for address, peer in self._targets().items():
            if address not in linked and peer not in node.links:
                node.dial(address, node.times.retry)

    def _ask(self, peer: str) -> None:
        node = self.node
        ends_in = self.retries.remaining(node.now) if self.retries else 0
        contact = self.contacts.of(peer)
        contact.asked_at = node.now
        if contact.unanswered_since is None:
            contact.unanswered_since = node.now
        history, linked = node.log.history(), node.linked_addresses()
        seek = Seek(history, node.fallbacks, self.lost, self.evidence, ends_in / MS, node.fresh, linked, node.able)
        node.send(peer, seek)

    # What is heard

    def link_up(self, remote: Remote, dialed: str | None) -> None:
        if dialed is not None:
            self.reached.add(dialed)
        self.contacts.of(remote.id).unanswered_since = None
        self.nobody = False
        self._ask(remote.id)
        if self.founding is not None:
            self.founding.met(remote.id)
            self._consider()

    def link_down(self, peer: str, evidence: Evidence, detail: str) -> None:
        self.contacts.lost(peer, f"{evidence} {detail}".strip(), False)
        if self.holding and self.holding[0] == peer:
            self._strike(peer, f"{evidence} {detail}".strip())
        self._consider()

    def dial_failed(self, address: str, evidence: Evidence, detail: str) -> None:
        node = self.node
        told = f"{evidence} {detail}".strip()
        if self._is_retry_target(address):
            self._retry_answered(evidence, detail)
        meant = {peer for known, peer in self._targets().items() if known == address and peer}
        if address == node.last_address and node.last_server:
            meant.add(node.last_server)
        for peer in sorted(meant - node.links.keys()):
            self.contacts.lost(peer, told, evidence is Evidence.REFUSED)
            if self.holding and self.holding[0] == peer:
                self._strike(peer, told)
        self._consider()

    def received(self, peer: str, message: Message) -> None:
        self.contacts.of(peer).unanswered_since = None
        match message:
            case Serving(term=term) | Claim(term=term):
                self._met_server(peer, term)
            case Following(term, server, address):
                self._met_follower(peer, term, server, address)
            case Seek(ends_in_ms=left_ms) | NotYet(wait_ms=left_ms):
                self._met_seeker(peer, message, left_ms)
            case Found() | FoundAnswer() if self.founding is not None and not self.founding.opened:
                self.founding.received(peer, message)
                self._consider()
            case _:
                pass

    def _met_server(self, peer: str, term: Term) -> None:
        """A server: follow it, unless this peer has just voted for another in a number as high."""
        node = self.node
        voted_for_another = term.number == node.number and node.voted_for not in ("", peer)
        if self.hold_for and self.holding is not None and (term.number < node.number or voted_for_another):
            return
        if self.retries is not None and self.retries.open and peer == self.node.last_server:
            self._log_retry("answered", "")
        self.core.follow(peer, term)

    def _met_follower(self, peer: str, term: Term, server: str, address: str) -> None:
        """Someone who follows a server: go there, unless it is the very reign that was lost."""
        contact = self.contacts.of(peer)
        contact.answered, contact.follows = True, server
        if server != self.node.me.id and (term != self.lost or self.way is not Way.RETRYING):
            self.node.addresses[server] = address
            self.node.reach_for(server, self.node.times.retry)
        self._consider()

    def _met_seeker(self, peer: str, message: Seek | NotYet, ends_in_ms: float) -> None:
        node = self.node
        contact = self.contacts.of(peer)
        contact.answered, contact.follows, contact.failed = True, "", ""
        contact.history, contact.fresh, contact.able = message.history, message.fresh, message.able
        contact.counting_until = node.now + int(min(ends_in_ms, 1e9) * MS) if ends_in_ms > 0 else None
        if isinstance(message, Seek):
            # Answered in kind, and never with another question: two seekers would ask each other for ever.
            left = self.retries.remaining(node.now) / MS if self.retries else 0.0
            linked = node.linked_addresses()
            node.send(peer, NotYet(left, node.log.history(), node.fallbacks, node.fresh, linked, node.able))
        self._reach_linked(message.linked)
        node.learn_list(message.fallbacks)
        if peer == node.last_server and self.way is Way.RETRYING:
            # It answers and does not serve: a restart never continues a reign.
            self._retry_answered(Evidence.REJECTED, "it seeks a server itself")
        self._consider()

    def _reach_linked(self, linked: dict[str, str]) -> None:
        """Peers that another one is linked to: go there too, wherever they listen now."""
        node = self.node
        for peer, address in list(linked.items())[:MEMBERS_MAX]:
            if peer != node.me.id and peer not in node.links:
                node.addresses[peer] = address
                node.reach_for(peer, node.times.retry)

    # The retries

    def _is_retry_target(self, address: str) -> bool:
        if self.retries is None or not self.retries.open:
            return False
        if self.way is Way.RETRYING:
            return address == self.node.last_address
        return self.way is Way.FIRST_START and address in self.node.me.given

    def _retry_answered(self, evidence: Evidence, detail: str) -> None:
        """The retry that is open (or the whole round, if the evidence ends it) is over."""
        if self.retries is None:
            return
        if self.retries.open:
            if self.way is Way.FIRST_START and any(a in self.node.dialing for a in self.node.me.given):
                return
            self._log_retry(evidence, detail)
            self.retries.ended()
        if self.way is Way.RETRYING and evidence in ENDS_RETRIES:
            self.retries.done = True
            self.ended_by = f"{evidence} {detail}".strip()
        self._retries_may_end()

    def _log_retry(self, outcome: str, detail: str) -> None:
        assert self.retries is not None
        address = self.node.last_address or ", ".join(self.node.me.given)
        self.node.emit(events.RetryEnded(self.retries.started, self.retries.attempts, address, str(outcome), detail))

    def _retries_may_end(self) -> None:
        if self.retries is None or not self.retries.done or self.way is Way.WALKING:
            return
        node = self.node
        names = [e.name for e in node.fallbacks.entries]
        node.emit(events.RetriesExhausted(self.retries.started, (node.now - self.since) / MS, names, self.ended_by))
        if self.way is Way.RETRYING:
            self.nobody = not node.links
            self._start_walking()

    def _retry(self) -> None:
        node, retries = self.node, self.retries
        assert retries is not None
        attempt = retries.start(node.now)
        for address in self._retried():
            after = (node.now - self.since) / MS
            node.emit(events.RetryStarted(attempt, retries.attempts, address, after))
            peer = node.last_server
            if self.way is Way.RETRYING and peer in node.links:
                self._ask(peer)
            elif address not in {remote.address for remote in node.links.values()}:
                node.dialing.pop(address, None)
                node.dial(address, node.times.retry)

    def _retried(self) -> list[str]:
        """The addresses that a retry dials."""
        return [self.node.last_address] if self.way is Way.RETRYING else list(self.node.me.given)

    # Time

    def tick(self) -> None:
        node, now = self.node, self.node.now
        retries = self.retries
        if retries is not None and retries.overdue(now, any(a in node.dialing for a in self._retried())):
            self._log_retry(Evidence.SILENT, "no answer in time")
            retries.ended()
            self._retries_may_end()
            if self.core.behaviour is not self:
                return
        if retries is not None and retries.due(now) and self.way in (Way.RETRYING, Way.FIRST_START):
            self._retry()
        if now >= self.asked_again_at:
            self.asked_again_at = now + node.times.retry
            self._ask_everyone()
        if self.founding is not None:
            self.founding.tick()
        if self.holding and now >= self.holding[1]:
            self._strike(self.holding[0], "did not stand in time")
        self._consider()
        # What was waited for is over, whatever came of it.
        if self.stand_at is not None and now >= self.stand_at:
            self.stand_at = None
        if self.waiting_until is not None and now >= self.waiting_until:
            self.waiting_until = None

    def deadline(self) -> int | None:
        times = [self.asked_again_at, self.stand_at, self.waiting_until]
        if self.retries is not None:
            times.append(self.retries.deadline())
        if self.holding is not None:
            times.append(self.holding[1])
        known = [t for t in times if t is not None]
        return min(known) if known else None

    def woke(self, away_ns: int) -> None:
        """I was away: what I counted says nothing about the others. The retries begin again."""
        node, times = self.node, self.node.times
        if self.retries is not None and not self.retries.done:
            self.since = node.now
            self.retries = Retries(node.now, times.retry, times.attempts)
        elif self.way is Way.RESTARTING:
            self.waiting_until = node.now + (times.retry if node.quorum else times.start_wait)
            self._ask_everyone()
        elif self.way is Way.WALKING:
            self.contacts = Contacts()
            self.holding = None
            self.stand_at = node.now + times.retry
            self._ask_everyone()

    def disk_answered(self) -> None:
        """This peer may stand again, and need not wait for another round of the list."""
        if self.way is Way.WALKING and self.holding is None:
            self._again_after(self.node.times.ballot)

    # Walking the list

    def _consider(self) -> None:
        """Something changed: see whether the search can go a step further."""
        if self.core.behaviour is not self:
            return
        now = self.node.now
        if self.way is Way.FIRST_START:
            self._look_at_first_start()
        elif self.way is Way.RESTARTING:
            waiting = [m for m in self.node.others() if not self.contacts.answered(m.id)]
            if not waiting or (self.waiting_until is not None and now >= self.waiting_until):
                self.waiting_until = None
                self._start_walking()
        elif self.way is Way.WALKING:
            if self.stand_at is not None and now < self.stand_at:
                return
            if self.waiting_until is not None and now < self.waiting_until and self._missing():
                return
            if self.holding is None or self.holding[0] not in self.node.links:
                self._walk()

    def _start_walking(self) -> None:
        self._end_counting()
        self._walk()

    def _end_counting(self) -> None:
        """The way to begin is over, retries and all: from here on the list is walked."""
        self.way = Way.WALKING
        self.retries = None

    def _walk(self) -> None:
        """The first in list order that answers stands; if nobody is before me, I do."""
        node = self.node
        if self.holding is not None and self.holding[1] > node.now and self.holding[0] in node.links:
            return
        if self.holding is not None and self.holding[1] > node.now and self.hold_for == self.holding[0]:
            return
        self.holding = None
        before = before_me(self.node, self.contacts)
        for place, peer in enumerate(before):
            if peer in self.contacts.struck:
                continue
            contact = self.contacts.of(peer)
            left = 0 if contact.asked_at is None else contact.asked_at + node.times.retry - node.now
            if contact.answered and not contact.follows and contact.able:
                wait = max(node.times.round, (contact.counting_until or 0) - node.now)
                self._hold(peer, wait, "the first of the list that answers", before[:place])
                return
            if left > 0 and not contact.failed and contact.able:
                self._hold(peer, left, "asked, no answer yet", before[:place])
                return
            self.contacts.struck.add(peer)
            self._tell_choice(events.FallbackStruck(peer, contact.why_not()))
        self._stand_or_wait(before)

    def _hold(self, peer: str, wait_ns: int, reason: str, before: Sequence[str] = ()) -> None:
        wait = min(wait_ns, self.node.times.hold)
        self.holding = (peer, self.node.now + wait)
        self._tell_choice(events.FallbackChosen(peer, reason, list(before)))
        self.node.reach_for(peer, self.node.times.retry)

    def _strike(self, peer: str, reason: str) -> None:
        self.holding = None
        self.hold_for = ""
        self.contacts.struck.add(peer)
        self._tell_choice(events.FallbackStruck(peer, reason))

    def _tell_choice(self, event: events.FallbackChosen | events.FallbackStruck) -> None:
        """Say it once, not at every look at the list."""
        said = f"{event.kind()} {event.peer}"
        if said != self._chosen:
            self._chosen = said
            self.node.emit(event)

    # Standing

    def _stand_or_wait(self, before: list[str]) -> None:
        node = self.node
        if not node.able:
            self._cannot_stand()
            return
        if met_history(node, self.contacts):
            # It stands once it has waited for what it may lack; this peer has nothing to serve but an empty state.
            self._again_after(node.times.round)
            return
        missing = self._missing()
        waited = node.now - self.since >= node.times.start_wait
        if missing and self.waiting_until is None and not waited:
            self.waiting_until = self.since + node.times.start_wait
            reason = "they may hold acknowledged entries that I lack"
            node.emit(events.Waiting(missing, reason, node.times.start_wait / MS))
            return
        node.emit(events.FallbackChosen(node.me.id, "nobody is before me", before))
        self.core.stand(self.evidence)

    def _missing(self) -> list[str]:
        """For whom to wait before standing: in quorum mode, and while this peer counts, for nobody."""
        node = self.node
        if node.quorum or self.core.counts_now() or node.log.last == 0:
            return []
        return waited_for(node, self.contacts, self.evidence)

    def _cannot_stand(self) -> None:
        node = self.node
        self._again_after(node.times.round)
        if node.damage is not None and not self.told_damage:
            self.told_damage = True
            node.emit(events.RepairAwaited(sorted(m.name for m in node.others())))
            return
        answering = any(c.answered for c in self.contacts.by_id.values())
        nobody = not answering and not node.links and self.evidence != "start"
        if nobody and self.nobody and not node.may_serve:
            node.halt("no_server", "nobody is left to serve, and this peer was told never to (serve: never)")
        self.nobody = nobody

    def _again_after(self, wait_ns: int) -> None:
        """A round of the list brought nothing: begin another after a while."""
        self.contacts.struck.clear()
        self.stand_at = self.node.now + wait_ns

    def wait_for(self, peer: str) -> None:
        """Someone stands whom this peer supports: give it one retry round."""
        self._end_counting()
        self.stand_at = self.waiting_until = None
        self.hold_for = peer
        self._hold(peer, self.node.times.hold, "it stands")

    # The first start

    def _look_at_first_start(self) -> None:
        node = self.node
        if self.founding is not None:
            if self.founding.opened:
                self._start_walking()
            return
        retries = self.retries
        assert retries is not None
        answered = {p: c for p, c in self.contacts.by_id.items() if c.answered}
        known = self.reached | {node.links[p].address for p in answered if p in node.links}
        everyone = bool(answered) and all(a in known or a == node.me.address for a in node.me.given)
        if not everyone and not retries.done:
            return
        self._start_walking()
