"""Bounded exhaustive search: nothing breaks within its bounds, and what is planted there is found at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from tanist.election import ballots
from tanist.election.entries import Entry
from tanist.election.messages import Message, RequestVote
from tanist.election.node import Node
from tanist.election.reign import Reign
from tanist.election.settings import Safety
from tanist.election.simulation.broken import Broken
from tanist.election.simulation.cell import Event
from tanist.election.simulation.exhaustive import Bounds, explore
from tanist.election.simulation.roots import founded, roots

BOTH = pytest.mark.parametrize("safety", list(Safety), ids=str)
ROOTS = list(roots(Safety.QUORUM))
QUICK = {root for root in ROOTS if root.startswith("two")} | {"three ballot"}
"""Roots that are searched on every run of the tests; the others with the slow ones."""
ONCE = Bounds(departures=1, events=20)
"""One departure anywhere: cheap enough for every root."""


@BOTH
@pytest.mark.parametrize("root", [r if r in QUICK else pytest.param(r, marks=pytest.mark.slow) for r in ROOTS])
def test_one_departure_anywhere_breaks_nothing(safety: Safety, root: str) -> None:
    found = explore(roots(safety)[root], ONCE)
    assert found.states > 10
    assert found.endings > 2


@BOTH
@pytest.mark.parametrize("root", ["settled", "writing"])
def test_two_departures_anywhere_break_nothing_between_two(safety: Safety, root: str) -> None:
    found = explore(roots(safety)[f"two {root}"], Bounds(departures=2, events=8))
    assert found.states > 100


@pytest.mark.slow
@pytest.mark.timeout(1200)
@BOTH
@pytest.mark.parametrize("root", ROOTS)
def test_more_departures_break_nothing(safety: Safety, root: str) -> None:
    departures = 3 if root.startswith("two") else 2
    explore(roots(safety)[root], Bounds(departures=departures, events=12, commands=2))


# What is planted must be found, or all of the above says nothing.


def forget_the_vote(plant: pytest.MonkeyPatch) -> None:
    against = ballots._against

    def mutant(node: Node, candidate: str, request: RequestVote, voter: ballots.Voter) -> str:
        return against(node, candidate, request, voter).replace(ballots.VOTED, "")

    plant.setattr(ballots, "_against", mutant)


def vote_for_the_stale(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(ballots, "_fresher", lambda node, theirs: False)


def speak_before_the_disk(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(Node, "send_after_disk", Node.send)


def count_votes_before_the_disk(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(Node, "is_durable", lambda self: True)


def hold_before_the_disk(plant: pytest.MonkeyPatch) -> None:
    append = Node.append

    def mutant(self: Node, entries: Iterable[Entry]) -> None:
        append(self, entries)
        self.durable = self.log.last

    plant.setattr(Node, "append", mutant)


def count_old_terms(plant: pytest.MonkeyPatch) -> None:
    enter = Reign.enter

    def mutant(self: Reign) -> None:
        enter(self)
        self.opens_at = 1

    plant.setattr(Reign, "enter", mutant)


def ask_for_no_votes(plant: pytest.MonkeyPatch) -> None:
    send = Node.send

    def mutant(self: Node, peer: str, message: Message) -> None:
        if not isinstance(message, RequestVote):
            send(self, peer, message)

    plant.setattr(Node, "send", mutant)


@pytest.mark.parametrize(
    ("plant_bug", "root", "invariant"),
    [
        (forget_the_vote, "three rivals", "one-vote|number-goes-back|vote-durable"),
        (vote_for_the_stale, "three behind", "leader-completeness"),
        (speak_before_the_disk, "three ballot", "vote-durable"),
        (count_votes_before_the_disk, "three ballot", "number-durable|vote-durable"),
        (hold_before_the_disk, "three writing", "ack-durable|commit-durable"),
        (count_old_terms, "three pending", "own-term-commit"),
        (ask_for_no_votes, "three ballot", "liveness"),
    ],
)
def test_a_planted_bug_is_found(
    plant_bug: Callable[[pytest.MonkeyPatch], None], root: str, invariant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = roots(Safety.QUORUM)[root]
    plant_bug(monkeypatch)
    with pytest.raises(Broken, match=f"^({invariant}): ") as error:
        explore(begin, ONCE)
    assert " events: " in str(error.value), "the way there is told"


# The search itself


def test_a_state_is_known_again_and_stays_as_it_is() -> None:
    root = founded("a b c", Safety.QUORUM)
    one = root.after(Event("submit", "b")).after(Event("submit", "c"))
    key = one.fingerprint()
    first = one.after(Event("deliver", "a", "b"))
    assert one.fingerprint() == key != first.fingerprint()
    assert one.after(Event("deliver", "a", "b")).fingerprint() == first.fingerprint()
    # Two deaths, in both orders.
    b_then_c = one.after(Event("crash", "b")).after(Event("crash", "c"))
    c_then_b = one.after(Event("crash", "c")).after(Event("crash", "b"))
    assert b_then_c.fingerprint() == c_then_b.fingerprint()


def test_a_crash_leaves_what_it_is_said_to_leave() -> None:
    root = founded("a b c", Safety.QUORUM).after(Event("submit", "a"))
    last = root.disks["a"].last
    assert root.after(Event("crash", "a", "", 0)).disks["a"].last == last
    assert root.after(Event("crash", "a", "", 1)).disks["a"].last == last + 1


def test_bounds_are_kept() -> None:
    root = founded("a b", Safety.SURVIVOR)
    quiet = explore(root, Bounds(departures=0, events=5))
    assert quiet == (0, 0, 1), "from a quiet state nothing happens by itself"
    assert explore(root, Bounds(departures=1, events=5, crashes=0, commands=0)).states < 10
