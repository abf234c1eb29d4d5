"""The two safety modes as two implementations of one small interface. Nothing else assumes that there are two."""

from collections.abc import Collection, Mapping
from typing import Protocol

from tanist.election.commit import has_majority, majority_match
from tanist.election.history import History, raft_order, survivor_order
from tanist.election.settings import Safety


class SafetyRules(Protocol):
    """Who wins, what commits, what follows when two histories meet."""

    live_server_vetoes: bool
    """Whether one peer with a live server ends a canvass; otherwise it is one missing vote."""
    heals: bool
    """Whether two histories that met are compared and one gives way; otherwise the higher number wins."""

    def freshness(self, history: History) -> tuple[int, ...]:
        """The order of histories in a ballot: nobody votes for a lower one than its own."""

    def won(self, support: Collection[str], outstanding: Collection[str], voters: Collection[str]) -> bool | None:
        """Whether a ballot is won (True), lost (False) or open, by who supports and who may still answer."""

    def committed(self, matches: Mapping[str, int], waited_for: Collection[str], voters: Collection[str]) -> int:
        """The highest index that may be acknowledged. `matches` is what each has on disk, the server too."""


class Survivor:
    """The last one standing keeps serving; an acknowledgement waits for the commit set."""

    live_server_vetoes = True
    heals = True

    def freshness(self, history: History) -> tuple[int, ...]:
        """More commands, then the higher term, then the longer."""
        return survivor_order(history)

    def won(self, support: Collection[str], outstanding: Collection[str], voters: Collection[str]) -> bool | None:
        """Won with the support of all who answer: those who do not are left out at the deadline."""
        return None if outstanding else True

    def committed(self, matches: Mapping[str, int], waited_for: Collection[str], voters: Collection[str]) -> int:
        """What the server itself and everyone waited for have."""
        return min(matches.get(peer, 0) for peer in waited_for)


class Quorum:
    """Raft: nothing is acknowledged without a majority."""

    live_server_vetoes = False
    heals = False

    def freshness(self, history: History) -> tuple[int, ...]:
        """The last term's number, then the length (Raft 5.4.1)."""
        return raft_order(history)

    def won(self, support: Collection[str], outstanding: Collection[str], voters: Collection[str]) -> bool | None:
        """Won with a majority, lost when no majority can come together any more."""
        if has_majority(support, voters):
            return True
        return None if has_majority({*support, *outstanding}, voters) else False

    def committed(self, matches: Mapping[str, int], waited_for: Collection[str], voters: Collection[str]) -> int:
        """What a majority has."""
        return majority_match(matches, voters)


_RULES: dict[Safety, SafetyRules] = {Safety.SURVIVOR: Survivor(), Safety.QUORUM: Quorum()}


def rules_of(safety: Safety) -> SafetyRules:
    """The rules of a safety mode."""
    return _RULES[safety]
