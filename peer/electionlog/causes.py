"""What one peer's line says about another's: which came first, whatever their clocks showed.

Clocks differ between machines and jump within one; that a server began its reign before anybody followed it does not.
Each pair below is such a certainty: a *cause* that one peer logs, and an *effect* that another one logs later.
"""

from collections.abc import Iterator

from tanist.election.events import (
    EVENT_NAMES,
    BallotEnded,
    Event,
    HandoverBegan,
    ReignBegan,
    RoleChanged,
    ServerFollowed,
    ServerLost,
    VoteCast,
)
from tanist.election.roles import Cause, Role

WON = "won"
"""The outcome of a ballot that was won."""

Token = tuple[str, ...]
"""What names one cause: the same token in another peer's line is its effect."""


def causes(peer: str, event: Event) -> Iterator[Token]:
    """What others' lines may follow from, in a line of `peer`."""
    match event:
        case ReignBegan(term=term):
            # Nobody follows a reign, or loses it, before it began.
            yield ("reign", term)
        case VoteCast(granted=True):
            # Nobody wins a ballot before those who voted for it did so.
            yield ("vote", str(event.number), event.candidate, peer)
        case HandoverBegan(heir=heir):
            # Nobody is told to stand before the server says so.
            yield ("handover", heir)


def effects(peer: str, event: Event) -> Iterator[Token]:
    """What a line of `peer` certainly follows from."""
    match event:
        case ServerFollowed(term=term) | ServerLost(term=term):
            yield ("reign", term)
        case BallotEnded(number=number, outcome=outcome, support=support) if outcome == WON:
            yield from (("vote", str(number), peer, voter) for voter in support)
        case RoleChanged(reason=reason) if reason == Cause.TOLD_TO_STAND:
            yield ("handover", peer)
        case RoleChanged(role=Role.CLIENT, term=term):
            yield ("reign", term)


TELLING = frozenset(
    EVENT_NAMES[cls]
    for cls in (ReignBegan, VoteCast, HandoverBegan, ServerFollowed, ServerLost, BallotEnded, RoleChanged)
)
"""The events that have causes or effects: the others need not be decoded to order lines."""
