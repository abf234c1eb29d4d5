"""Two reigns that met settle which history goes on: by two claims that answer each other, and by nothing else.

    a server meets another --> it says that it heard it --> the other says the same: they hear one another
    --> takes nothing and acknowledges nothing --> claim, sent from the disk
    a claim that answers mine --> verdict, the same at both ends --> one goes on in a new number, one gives way
    heal.timeout, a lost link, a peer that serves no longer --> the claim lapsed: it binds nobody, all goes on as before

A claim is decided only by one that answers it, and is given up with the first that does, so that both ends, if both
decide, decided by the same two. If only one does, nothing is lost: whoever gave way follows a server that may not know
it yet, and what would be lost by that is archived first whatever the claims said (see `beside`).
"""

from typing import TYPE_CHECKING

from tanist.election import events
from tanist.election.history import Term
from tanist.election.messages import Claim
from tanist.election.node import Node
from tanist.election.precedence import Side, compare
from tanist.election.roster import MEMBERS_MAX

if TYPE_CHECKING:
    from tanist.election.reign import Reign

WAIT_HEALS_MAX = 4
"""Heal time-outs that a wait may double to: a rival that never answers stops acknowledgements a fifth of the time."""
WAIT_FORGOTTEN = 16
"""Heal time-outs after the last attempt until the waits begin small again."""


class HealWaits:
    """When a heal with a peer may be tried again: doubling waits with jitter, which outlive a reign.

    They grow whatever came of the attempts, since a link that splits again right after a heal would stop
    acknowledgements as often as one over which no heal succeeds.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self._tried: dict[str, tuple[int, int]] = {}
        self._not_before: dict[str, int] = {}
        self._waits: dict[str, int] = {}

    def not_before(self, peer: str) -> int:
        """From when on this peer may be proposed a heal."""
        return self._not_before.get(peer, 0)

    def tried(self, peer: str) -> None:
        """A heal with this peer began."""
        node, times = self.node, self.node.times
        count, at = self._tried.pop(peer, (0, 0))
        if node.now - at > WAIT_FORGOTTEN * times.heal:
            count = 0
        if len(self._tried) >= MEMBERS_MAX:
            del self._tried[next(iter(self._tried))]
        self._tried[peer] = (count + 1, node.now)
        wait = min(times.retry << min(count, 16), WAIT_HEALS_MAX * times.heal)
        self._waits = {p: self._waits[p] for p in self._tried if p in self._waits}
        self._waits[peer] = int(wait * (1 + node.rng.random() / 2))
        self.ended(peer)

    def ended(self, peer: str) -> None:
        """It came to nothing: the wait counts from now."""
        self._not_before = {p: at for p, at in self._not_before.items() if p in self._waits}
        self._not_before[peer] = self.node.now + self._waits.get(peer, 0)


class Claims:
    """The claims of one reign, one at a time."""

    def __init__(self, reign: "Reign") -> None:
        self.reign = reign
        self.node = reign.node
        self.peer = ""
        """With whom the open claim is, "" when there is none."""
        self.until = 0
        self._mine: Claim | None = None
        self._answered = ""
        self._rivals: dict[str, Term] = {}
        """Other servers that are linked, as far as known, and the reigns they spoke of last."""
        self._asked_at: dict[str, int] = {}
        """When each was told of this reign last."""

    @property
    def open(self) -> bool:
        """Whether a claim is open: then nothing is taken and nothing acknowledged."""
        return self._mine is not None

    # What comes

    def met(self, peer: str, term: Term, heard: Term) -> None:
        """Another server spoke: of its reign, and of that of this peer which it heard of.

        Only to one that hears this reign a claim is worth what it costs: a rival behind a link that carries one way, or
        one that is stopped, would have this server acknowledge nothing until the claim lapses.
        """
        self._rivals[peer] = term
        if heard != self.reign.term:
            self._tell(peer)
        elif self._free() and self.node.now >= self.reign.core.heal_waits.not_before(peer):
            self._begin(peer)
            self._say("")

    def received(self, peer: str, claim: Claim) -> None:
        """A claim of another server."""
        node = self.node
        self._rivals[peer] = claim.term
        self._lapse_in_time()
        if self.reign.renewal is not None:
            # This reign is about to become another, which will speak for itself.
            return
        if self.open and self.peer != peer:
            # One heal at a time: the lower pair of ids goes first, so that three cannot wait for each other in a ring.
            if _pair(node.me.id, peer) > _pair(node.me.id, self.peer):
                return
            self.lapse("withdrawn for a heal that goes first")
        if not self.open:
            self._begin(peer)
        assert self._mine is not None
        if claim.claim != self._answered:
            self._say(claim.claim)
        if claim.answers == self._mine.claim:
            self._decide(peer, claim)

    def serves_no_longer(self, peer: str) -> None:
        """A peer is gone, or follows or seeks a server now."""
        self._forget(peer)
        if self.open and self.peer == peer:
            self.lapse(f"{peer} serves no longer, or is gone")

    # What goes

    def _free(self) -> bool:
        """Whether a claim may be opened: none is, and this reign is not about to become another."""
        return not self.open and self.reign.renewal is None

    def _tell(self, peer: str) -> None:
        """Tell a rival of this reign, and that it was heard."""
        self._asked_at[peer] = self.node.now
        self.reign.announce(peer, self._rivals[peer])

    def _due(self, peer: str) -> int:
        """When a rival is to be told again."""
        again = self._asked_at.get(peer, 0) + self.node.times.retry
        return max(again, self.reign.core.heal_waits.not_before(peer))

    def _propose(self) -> None:
        """Ask every rival whose wait is over whether it hears this reign."""
        if not self._free():
            return
        for peer in self._rivals:
            if peer in self.node.links and self.node.now >= self._due(peer):
                self._tell(peer)

    def _forget(self, peer: str) -> None:
        self._rivals.pop(peer, None)
        self._asked_at.pop(peer, None)

    def _begin(self, peer: str) -> None:
        node, reign = self.node, self.reign
        reign.core.heal_waits.tried(peer)
        self.peer, self.until, self._answered = peer, node.now + node.times.heal, ""
        # The time makes it another statement than any before, in whatever reign.
        name = f"{reign.term}:{node.now}:{peer}"
        self._mine = Claim(name, "", reign.term, node.log.history(), reign.holders())
        node.emit(events.ClaimMade(peer, str(reign.term), node.log.last, self._mine.holders))

    def _say(self, answers: str) -> None:
        """Send the open claim, as soon as the log that it speaks of is on disk."""
        mine = self._mine
        assert mine is not None
        self._answered = answers
        self.node.send_after_disk(self.peer, Claim(mine.claim, answers, mine.term, mine.history, mine.holders))

    # How it ends

    def _decide(self, peer: str, theirs: Claim) -> None:
        mine = self._mine
        assert mine is not None
        self._mine, self.peer = None, ""
        self._forget(peer)
        verdict = compare(Side(mine.history, mine.holders), Side(theirs.history, theirs.holders))
        self.reign.meeting.settle(peer, theirs.term, verdict)

    def lapse(self, why: str) -> None:
        """The open claim binds nobody any more: go on as before."""
        peer, self.peer, self._mine = self.peer, "", None
        self.node.emit(events.ClaimLapsed(peer, why))
        self.reign.core.heal_waits.ended(peer)
        self.reign.advance()

    def _lapse_in_time(self) -> None:
        if self.open and self.node.now >= self.until:
            self.lapse("not answered in time")

    def tick(self) -> None:
        """Time has passed: a claim lapses, or a heal is tried again."""
        self._lapse_in_time()
        self._propose()

    def deadline(self) -> int | None:
        """When the open claim lapses, or the next heal may be proposed."""
        if self.open:
            return self.until
        if self.reign.renewal is not None:
            return None
        return min((self._due(peer) for peer in self._rivals if peer in self.node.links), default=None)


def _pair(a: str, b: str) -> tuple[str, str]:
    return min(a, b), max(a, b)
