"""The counter, called as the machine calls it."""

import pytest

from tanist.peer.application import Context, Refused
from tanist.peer.application.timers import TimerTable
from tanist.peer.apps.counter import TOTAL_MAX, Counter


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def ctx(counter: Counter) -> Context:
    return Context(counter, "counter", TimerTable())


def test_it_adds(counter: Counter, ctx: Context) -> None:
    assert counter.value(ctx) == 0
    assert [counter.add(ctx), counter.add(ctx, 5), counter.add(ctx, -7)] == [1, 6, -1]
    assert counter.value(ctx) == -1


@pytest.mark.parametrize("sign", [1, -1])
def test_it_refuses_what_a_snapshot_could_not_hold(counter: Counter, ctx: Context, sign: int) -> None:
    counter.add(ctx, sign * TOTAL_MAX)
    with pytest.raises(Refused) as caught:
        counter.add(ctx, sign)
    assert caught.value.code == "out_of_range"
    assert counter.value(ctx) == sign * TOTAL_MAX
