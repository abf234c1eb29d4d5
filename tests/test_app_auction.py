"""The auction: only higher bids, everybody hears, and the deadline holds."""

from collections.abc import Iterator

import pytest
from app_room import Room, room_of

from tanist.peer.apps import auction as module
from tanist.peer.apps.auction import AMOUNT_MAX, Auction
from tanist.peer.errors import BadRequest


@pytest.fixture
def room() -> Iterator[Room]:
    with room_of(Auction) as room:
        room.call("a", "join", "ada")
        room.call("b", "join", "bob")
        yield room


def test_the_highest_bid_wins_and_everybody_hears(room: Room) -> None:
    assert room.call("c", "open", "vase", "10", "30") == "OK"
    assert room.call("a", "bid", "10") == "OK"
    assert room.call("b", "bid", "12") == "OK"
    assert room.said("a", "lot") == ["vase: 12 by bob, until 00:17:10 UTC"]
    room.wait(30)
    assert room.heard["a"] == room.heard["b"] == room.heard["c"]
    assert room.heard["a"] == [
        "vase is for sale, from 10, for 30 s",
        "ada bids 10 for vase",
        "bob bids 12 for vase",
        "vase goes to bob for 12",
    ]
    assert room.said("c", "sold") == ["vase: bob for 12"]
    assert room.refused("a", "bid", "13") == room.refused("a", "lot") == "no_lot"


@pytest.mark.parametrize("amount", ["9", "0", "-1", str(AMOUNT_MAX + 1)])
def test_low_first_bids_are_refused(room: Room, amount: str) -> None:
    room.call("c", "open", "vase", "10", "30")
    assert room.refused("a", "bid", amount) == "bad_amount"


def test_a_lot_that_starts_at_nothing_takes_any_bid_but_none(room: Room) -> None:
    room.call("c", "open", "vase", "0", "30")
    assert room.refused("a", "bid", "0") == "bad_amount"
    assert room.call("a", "bid", "1") == "OK"
    assert room.refused("b", "bid", "1") == "bad_amount"


def test_low_equal_and_strange_bids_are_refused(room: Room) -> None:
    room.call("c", "open", "vase", "10", "30")
    room.call("a", "bid", "20")
    assert room.refused("b", "bid", "19") == "bad_amount"
    assert room.refused("b", "bid", "20") == "bad_amount"
    assert room.refused("c", "bid", "21") == "not_registered"
    for amount in ("much", "", "21.5", "nan"):
        with pytest.raises(BadRequest, match="amount"):
            room.call("b", "bid", amount)
    assert room.said("a", "lot")[0].startswith("vase: 20 by ada")


def test_the_deadline_holds_over_a_restart(room: Room) -> None:
    room.call("c", "open", "vase", "10", "30")
    room.wait(29.999)
    room.restart()
    assert room.call("a", "bid", "10") == "OK"
    # The moment has come, and the timer's entry has not.
    room.time_ns += 1_000_000
    assert room.refused("b", "bid", "11") == "too_late"
    room.wait(0)
    assert room.said("b", "sold") == ["vase: ada for 10"]


def test_without_a_bid_nothing_is_sold(room: Room) -> None:
    room.call("c", "open", "vase", "10", "0.5")
    assert room.said("a", "lot") == ["vase: from 10, until 00:16:40 UTC"]
    room.wait(0.5)
    assert room.heard["a"][-1] == "vase is not sold"
    assert room.said("b", "sold", "1") == ["vase: not sold"]
    assert room.said("b", "sold", "0") == []


def test_one_auctioneer_and_one_lot_at_a_time(room: Room) -> None:
    room.call("c", "open", "vase", "10", "30")
    assert room.refused("a", "open", "lamp", "1", "30") == "not_auctioneer"
    assert room.refused("c", "open", "lamp", "1", "30") == "lot_open"
    room.close("c")
    room.wait(30)
    assert room.call("a", "open", "lamp", "1", "30") == "OK"


def test_a_bid_stands_when_its_bidder_has_left(room: Room) -> None:
    room.call("c", "open", "vase", "10", "30")
    room.call("a", "bid", "10")
    room.close("a")
    room.wait(30)
    assert room.said("b", "sold") == ["vase: ada for 10"]


@pytest.mark.parametrize(
    ("name", "start", "seconds", "code"),
    [
        ("", "1", "1", "bad_lot"),
        ("vase", "-1", "1", "bad_amount"),
        ("vase", str(AMOUNT_MAX + 1), "1", "bad_amount"),
        ("vase", "1", "0", "bad_seconds"),
        ("vase", "1", "nan", "bad_seconds"),
        ("vase", "1", "1e9", "bad_seconds"),
    ],
)
def test_impossible_lots_are_refused(room: Room, name: str, start: str, seconds: str, code: str) -> None:
    assert room.refused("c", "open", name, start, seconds) == code
    assert room.state.auctioneer == ""


def test_sales_are_bounded(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SOLD_MAX", 2)
    for name in ("one", "two", "three"):
        room.call("c", "open", name, "1", "1")
        room.wait(1)
    assert room.said("a", "sold") == ["two: not sold", "three: not sold"]
