"""Rock, paper, scissors."""

from typing import Literal

from tanist.peer.application import Application, Context, Event, Refused, command

Hand = Literal["rock", "paper", "scissors"]

BEATS: dict[Hand, Hand] = {"rock": "scissors", "scissors": "paper", "paper": "rock"}
"""What each hand wins against."""


class Decided(Event):
    """A round is over: how it ended for you."""

    template = "{outcome}"
    outcome: Literal["win", "lose", "draw"]
    yours: Hand
    theirs: Hand


class Moved(Event):
    """Your opponent has moved; how, is hidden until you have too."""

    template = "Your opponent has moved"


class Gone(Event):
    """Your opponent left."""

    template = "Your opponent left: move again to meet another"


class Rps(Application, on_heal="archive"):
    """Rock, paper, scissors: whoever moves meets the next who does, and stays with them until one leaves.

    A hand is shown when both have moved. After a split no move of the other side is made here: it was against the hand
    that was shown there.
    """

    opponents: dict[str, str]
    """Session to the session it plays against, both ways."""
    hands: dict[str, Hand]
    """Session to its hand in the round that is not over yet."""
    waiting: str
    """The session that has moved and has no opponent yet, or ""."""

    @command
    def move(self, ctx: Context, hand: Hand) -> str:
        """Show your hand when the other has moved too."""
        me = ctx.session.id
        if me in self.hands:
            raise Refused("You have moved: wait for the other", "already_moved")
        self.hands[me] = hand
        if me not in self.opponents:
            self._pair(me)
        other = self.opponents.get(me)
        if other is None:
            return "OK"
        if other not in self.hands:
            ctx.publish(Moved(), to=other)
            return "OK"
        theirs = self.hands.pop(other)
        del self.hands[me]
        ctx.publish(_decided(hand, theirs), to=me)
        ctx.publish(_decided(theirs, hand), to=other)
        return "OK"

    def closed(self, ctx: Context) -> None:
        """Somebody left: the other is told, and free for another."""
        me = ctx.session.id
        self.hands.pop(me, None)
        if self.waiting == me:
            self.waiting = ""
        other = self.opponents.pop(me, None)
        if other is not None:
            del self.opponents[other]
            self.hands.pop(other, None)
            ctx.publish(Gone(), to=other)

    def _pair(self, me: str) -> None:
        if not self.waiting:
            self.waiting = me
            return
        self.opponents[me] = self.waiting
        self.opponents[self.waiting] = me
        self.waiting = ""


def _decided(yours: Hand, theirs: Hand) -> Decided:
    if yours == theirs:
        return Decided("draw", yours, theirs)
    return Decided("win" if BEATS[yours] == theirs else "lose", yours, theirs)
