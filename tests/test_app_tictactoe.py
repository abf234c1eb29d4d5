"""Tic-tac-toe: turns, cells, ends, rooms, and the board drawn."""

from collections.abc import Iterator
from itertools import permutations

import pytest
from app_room import Room, room_of

from tanist.peer.application import Refused
from tanist.peer.apps import tictactoe as module
from tanist.peer.apps.grid import DRAW, LINES, Grid
from tanist.peer.apps.table import ABSENT_S, CLEARED_S
from tanist.peer.apps.tictactoe import TicTacToe
from tanist.peer.errors import BadRequest


@pytest.fixture
def room() -> Iterator[Room]:
    with room_of(TicTacToe, "abcd") as room:
        yield room


@pytest.fixture
def game(room: Room) -> Room:
    """Sessions a and b play, a is x."""
    room.call("a", "create", "one")
    room.call("b", "join", "one")
    for session in "ab":
        room.drain(session)
    return room


def play(room: Room, *cells: int) -> list[str]:
    """Moves in turn, by the digit of their cell from 1; the answers."""
    return [room.call("ab"[n % 2], "move", (cell - 1) // 3 + 1, (cell - 1) % 3 + 1) for n, cell in enumerate(cells)]


def test_a_game_is_won(game: Room) -> None:
    assert play(game, 1, 4, 2, 5, 3) == ["OK", "OK", "OK", "OK", "win"]
    assert game.heard["a"] == ["o moves to 2 1", "o moves to 2 2"]
    assert game.heard["b"] == ["x moves to 1 1", "x moves to 1 2", "x moves to 1 3", "lose"]
    assert game.refused("b", "move", 3, 3) == "game_over"
    assert game.said("b", "board")[-1] == "You are o: you lose"
    assert game.said("a", "board")[-1] == "You are x: you win"


def test_a_game_is_drawn(game: Room) -> None:
    assert play(game, 1, 2, 3, 5, 4, 6, 8, 7, 9)[-1] == "draw"
    assert game.heard["b"][-1] == "draw"
    assert game.said("a", "board")[-1] == "You are x: draw"


def test_the_board_is_drawn(game: Room) -> None:
    play(game, 1, 5)
    game.restart()
    assert game.said("a", "board") == [
        "   1   2   3",
        "1  x |   |  ",
        "  ---+---+---",
        "2    | o |  ",
        "  ---+---+---",
        "3    |   |  ",
        "You are x: your turn",
    ]
    assert game.said("b", "board")[-1] == "You are o: the other moves"


def test_every_line_wins_and_no_other_three_cells_do() -> None:
    for cells in permutations(range(9), 3):
        grid = Grid()
        others = [cell for cell in range(9) if cell not in cells]
        for n, cell in enumerate(cells):
            grid.place("x", cell // 3 + 1, cell % 3 + 1)
            if n < 2:
                # Two of o never win.
                grid.place("o", others[n] // 3 + 1, others[n] % 3 + 1)
        assert grid.winner == ("x" if tuple(sorted(cells)) in LINES else "")


def test_every_game_ends_after_nine_moves_at_the_latest() -> None:
    grid = Grid()
    for cell in (1, 2, 3, 5, 4, 6, 8, 7, 9):
        grid.place(grid.turn, (cell - 1) // 3 + 1, (cell - 1) % 3 + 1)
    assert (grid.winner, grid.turn) == (DRAW, "")
    with pytest.raises(Refused):
        grid.place("o", 1, 1)


def test_turn_range_and_cell_are_checked(game: Room) -> None:
    assert game.refused("b", "move", "1", "1") == "not_your_turn"
    play(game, 1)
    assert game.refused("a", "move", "2", "2") == "not_your_turn"
    assert game.refused("b", "move", "1", "1") == "cell_taken"
    for row, col in [("0", "1"), ("1", "4"), ("-1", "1"), ("9" * 18, "1")]:
        assert game.refused("b", "move", row, col) == "out_of_range"
    for row in ("one", "1.5", ""):
        with pytest.raises(BadRequest, match="row"):
            game.call("b", "move", row, "1")
    assert game.call("b", "move", "2", "2") == "OK"


def test_x_waits_for_another(room: Room) -> None:
    room.call("a", "create", "one")
    assert room.refused("a", "move", "1", "1") == "no_opponent"
    assert room.said("a", "board")[-1] == "You are x: waiting for another"
    assert room.call("b", "join") == "OK"
    assert (room.heard["a"], room.heard["b"]) == (["You are x, x begins"], ["You are o, x begins"])


def test_rooms_are_apart(game: Room) -> None:
    game.call("c", "create", "two")
    assert game.ask("d", "waiting") == ["two"]
    assert game.refused("d", "create", "two") == "room_taken"
    assert game.refused("d", "join", "one") == "room_full"
    assert game.refused("d", "join", "three") == "no_room"
    assert game.refused("d", "board") == game.refused("d", "leave") == "not_in_a_room"
    game.call("d", "join")
    game.call("c", "move", "1", "1")
    assert game.call("a", "move", "1", "1") == "OK"
    assert game.heard["b"] == game.heard["d"][1:] == ["x moves to 1 1"]
    game.open("e")
    assert game.refused("e", "join") == "no_room"


@pytest.mark.parametrize("how", ["leave", "close"])
def test_the_opponent_is_told_of_one_who_leaves_and_is_free(game: Room, how: str) -> None:
    play(game, 1)
    game.drain("a")
    if how == "leave":
        game.call("b", "leave")
    else:
        game.close("b")
    assert game.drain("a") == ["Your opponent left"]
    assert game.refused("a", "board") == "not_in_a_room"
    assert game.call("a", "create", "one") == "OK"


def test_in_a_game_one_opens_no_other(game: Room) -> None:
    assert game.refused("a", "create", "two") == "in_a_room"
    assert game.refused("a", "join") == "in_a_room"


def test_after_a_game_its_board_stays_until_both_have_gone_on(game: Room) -> None:
    play(game, 1, 4, 2, 5, 3)
    game.drain("b")
    assert game.call("a", "create", "two") == "OK"
    assert game.said("b", "board")[-1] == "You are o: you lose"
    assert game.call("b", "join", "two") == "OK"
    assert list(game.state.rooms) == ["two"]
    assert game.heard["b"] == ["You are o, x begins"]


def test_rooms_are_bounded_and_end_with_their_player(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOMS_MAX", 1)
    room.call("a", "create", "one")
    assert room.refused("b", "create", "two") == "too_many_rooms"
    assert room.refused("b", "create", "") == "bad_room"
    room.close("a")
    assert room.call("b", "create", "two") == "OK"


def test_one_who_stays_away_from_the_table_keeps_it_for_a_minute_only(room: Room) -> None:
    room.call("a", "sit", "ann")
    room.call("b", "sit", "bob")
    room.wait(ABSENT_S - 1)
    room.call("a", "put", "ann", 0, 0)
    room.wait(ABSENT_S - 1)
    assert room.refused("c", "sit", "eve") == "table_full", "the time counts from the last move"
    room.call("c", "wait")
    room.wait(2)
    assert room.call("c", "sit", "eve")["you"] == "x"
    assert room.refused("a", "put", "ann", 0, 1) == "not_at_the_table"


def test_who_waits_alone_and_asks_on_keeps_the_seat(room: Room) -> None:
    room.call("a", "sit", "ann")
    for _ in range(10):
        room.wait(ABSENT_S - 1)
        room.call("a", "wait")
    assert room.call("b", "sit", "bob")["you"] == "o"
    room.wait(ABSENT_S + 1)
    room.call("a", "sit", "ann")
    room.wait(ABSENT_S + 1)
    assert room.call("b", "sit", "bob")["you"] == "x", "who asks no more is gone"


def test_a_game_whose_end_nobody_asks_for_leaves_the_table_all_the_same(room: Room) -> None:
    for session, uid in ("a", "ann"), ("b", "bob"):
        room.call(session, "sit", uid)
    for n, cell in enumerate((0, 3, 1, 4, 2)):
        told = room.call("ab"[n % 2], "put", ("ann", "bob")[n % 2], cell // 3, cell % 3)
    assert told["winner"] == "x"
    room.wait(ABSENT_S - 1)
    assert room.refused("c", "sit", "eve") == "table_full"
    room.wait(2)
    assert room.call("c", "sit", "eve")["you"] == "x"


def test_the_next_game_begins_as_soon_as_both_know_the_end(room: Room) -> None:
    for session, uid in ("a", "ann"), ("b", "bob"):
        room.call(session, "sit", uid)
    for n, cell in enumerate((0, 3, 1, 4, 2)):
        room.call("ab"[n % 2], "put", ("ann", "bob")[n % 2], cell // 3, cell % 3)
    assert room.call("a", "sit", "ann")["winner"] == "x", "the other does not know it yet"
    room.call("b", "seen")
    assert room.call("b", "sit", "bob") == {
        "you": "x", "turn": "x", "alone": True, "full": False, "rows": [[""] * 3] * 3, "winner": "", "draw": False
    }  # fmt: skip
    room.wait(CLEARED_S + 1)
    assert room.call("a", "sit", "ann")["you"] == "o", "the timer of the game before clears nothing"
