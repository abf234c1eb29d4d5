"""The ranking: a pure order with its reasons."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tanist.election.condition import Power
from tanist.election.ranking import Fitness, Standing, rank


def standing(peer: str, **changes: object) -> Standing:
    fields: dict[str, object] = {"in_sync": True, "serves": True, "lag": 0, "counts": False, **changes}
    return Standing(peer, peer, f"{peer}:1", **fields)  # type: ignore[arg-type]


def order(*clients: Standing) -> list[str]:
    return [f.id for f in rank(clients, 5)]


def test_ties_go_by_id() -> None:
    assert order(standing("b"), standing("a")) == ["a", "b"]


def test_who_never_serves_is_not_in_the_list() -> None:
    assert order(standing("a", serves=False), standing("b")) == ["b"]


def test_each_class_beats_all_that_come_after_it() -> None:
    better = [
        standing("z1", in_sync=False, priority=9),
        standing("z2", priority=-1, fitness=Fitness(Power.MAINS, 9, 9, 9)),
        standing("z3", fitness=Fitness(Power.BATTERY, 9, 9, 9)),
        standing("z4", fitness=Fitness(Power.MAINS, 0, 9, 9)),
        standing("z5", fitness=Fitness(Power.MAINS, 1, 0, 9)),
        standing("z6", fitness=Fitness(Power.MAINS, 1, 1, 0)),
        standing("z7", fitness=Fitness(Power.MAINS, 1, 1, 1)),
    ]
    assert [f.id for f in rank(better, 9)] == ["z7", "z6", "z5", "z4", "z3", "z2", "z1"]


def test_the_list_is_no_longer_than_told() -> None:
    assert len(rank([standing(p) for p in "abcdefgh"], 5)) == 5


def test_everyone_is_told_why() -> None:
    found = rank([standing("a", priority=1), standing("b"), standing("c"), standing("d", in_sync=False, lag=7)], 5)
    assert [f.reason for f in found] == ["better priority", "lower priority", "equal, higher id", "catching up"]
    assert rank([standing("a")], 5)[0].reason == "the only one"
    assert found[3].lag == 7


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.randoms())
def test_the_order_in_which_clients_are_known_does_not_matter(peers: list[str], rng: object) -> None:
    clients = [standing(p, priority=ord(p) % 2, in_sync=p not in "ce") for p in peers]
    shuffled = list(clients)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert rank(shuffled, 5) == rank(clients, 5)
