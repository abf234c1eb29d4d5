"""Seats: each is somebody's once, also after a split."""

from collections.abc import Iterator

import pytest
from app_room import Room, room_of
from heal_fake import Side

from tanist.peer.apps.booking import Booking


@pytest.fixture
def room() -> Iterator[Room]:
    with room_of(Booking, "ab") as room:
        yield room


def test_one_of_two_has_the_seat(room: Room) -> None:
    assert room.call("a", "book", "7") == "OK"
    assert room.refused("b", "book", "7") == "taken"
    assert room.refused("a", "book", "7") == "taken"
    assert room.said("a", "seats")[5:8] == ["6 free", "7 yours", "8 free"]
    assert room.said("b", "seats")[5:8] == ["6 free", "7 booked", "8 free"]
    assert room.heard == {"a": [], "b": ["Seat 7 is booked"]}


def test_a_seat_is_given_back_by_its_holder_alone(room: Room) -> None:
    room.call("a", "book", "7")
    assert room.refused("b", "cancel", "7") == "not_yours"
    assert room.refused("b", "cancel", "8") == "not_booked"
    room.restart()
    assert room.call("a", "cancel", "7") == "OK"
    assert room.call("b", "book", "7") == "OK"


def test_a_booking_outlives_its_connection_and_its_word_gives_it_back(room: Room) -> None:
    room.call("a", "book", "7", "sesame")
    room.call("a", "book", "8")
    room.close("a")
    assert room.refused("b", "book", "7") == "taken"
    assert room.refused("b", "cancel", "7", "open") == "not_yours"
    assert room.refused("b", "cancel", "8", "") == "not_yours"
    assert room.call("b", "cancel", "7", "sesame") == "OK"
    assert "sesame" not in str(room.events)


@pytest.mark.parametrize("n", ["0", "-1", str(Booking.Settings().seats + 1), "9" * 18])
def test_seats_that_are_not_there_are_refused(room: Room, n: str) -> None:
    assert room.refused("a", "book", n) == "no_such_seat"
    assert room.refused("a", "cancel", n) == "not_booked"


def test_after_a_split_no_seat_is_anybodys_twice() -> None:
    one = Side(1, Booking, "booking")
    one.open("s", "t")
    one.send("s", 1, "book", 3)
    two = one.fork(2)
    one.send("s", 2, "book", 1)
    two.send("t", 1, "book", 1)
    two.send("t", 2, "book", 2)
    two.send("s", 2, "cancel", 3)
    two.send("t", 3, "book", 3)
    one.heal(two)
    seats = {seat["number"]: seat["state"] for seat in one.machine.query("booking", "seats", session="t")}
    assert [entry.fate for entry in one.machine.heals.reports["h"].entries] == [
        "refused",
        "replayed",
        "known",
        "refused",
    ]
    assert [seats[n] for n in (1, 2, 3, 4)] == ["booked", "yours", "booked", "free"]
