"""A virtual world in which nothing arrives by itself: its driver says which message, write or dial comes next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from tanist.election.messages import Message, Propose
from tanist.election.ready import Received
from tanist.election.simulation.world import World

# Between two of those that are let go: as short as a message takes to be worked on.
LET_GO_NS = 1_000

Happening = tuple[Callable[..., None], tuple[Any, ...]]


class ByHand(World):
    """A world as any other while `by_hand` is false. After that only timers run by themselves.

    What else was to happen waits in a lane: one for each way of each connection, which stays in order as TCP has it;
    one for each disk, in order too; and one for each dial.
    """

    by_hand = False

    def __init__(self, seed: int = 1) -> None:
        super().__init__(seed)
        self.lanes: dict[object, deque[Happening]] = {}

    def later(self, delay: int, what: Callable[..., None], *args: Any) -> None:
        if not self.by_hand or what.__name__ == "_wake":
            super().later(delay, what, *args)
            return
        self.lanes.setdefault(self._lane(what, args), deque()).append((what, args))

    def _lane(self, what: Callable[..., None], args: tuple[Any, ...]) -> object:
        # By the link itself, not its id(): another link may have that, once this one is gone.
        match what.__name__:
            case "_arrive":
                return args[0], args[1].name
            case "end":
                return args[0], args[1]
            case "_written":
                return args[0].name
            case _:
                # A dial, a snapshot, the end of a process: each on its own.
                return object()

    def waiting(self) -> int:
        """How many lanes have something in them."""
        return len(self.lanes)

    def happen(self, lane: int) -> None:
        """The first of one lane happens; lanes are counted, round and round, in the order in which they began."""
        key = list(self.lanes)[lane % len(self.lanes)]
        what, args = self.lanes[key].popleft()
        if not self.lanes[key]:
            del self.lanes[key]
        what(*args)

    def repeat(self, lane: int) -> None:
        """The first message of one lane arrives, and will again.

        Not what is proposed: that a command sent twice is applied once is for sessions to see to, and none is here.
        """
        key = list(self.lanes)[lane % len(self.lanes)]
        what, args = self.lanes[key][0]
        if what.__name__ == "_arrive" and not (isinstance(args[2], Received) and isinstance(args[2].message, Propose)):
            what(*args)

    def messages(self) -> list[Message]:
        """All messages on their way."""
        found = [args[2] for lane in self.lanes.values() for what, args in lane if what.__name__ == "_arrive"]
        return [item.message for item in found if isinstance(item, Received)]

    def let_go(self) -> None:
        """From now on everything happens by itself again, what waits too: soon, one after the other.

        Not all at one moment: the world takes many thousand happenings at one moment for peers that never rest.
        """
        self.by_hand = False
        waiting, self.lanes = self.lanes, {}
        for place, (what, args) in enumerate(happening for lane in waiting.values() for happening in lane):
            self.later(place * LET_GO_NS, what, *args)
