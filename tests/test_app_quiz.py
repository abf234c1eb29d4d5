"""The quiz: the same question for all, late joiners, time, and the leaderboard."""

from collections.abc import Iterator
from typing import Any

import pytest
from app_room import Room, room_of

from tanist.peer.apps import quiz as module
from tanist.peer.apps.questions import FIRST_QUIZ, QUESTIONS_MAX
from tanist.peer.apps.quiz import ANSWER_S, Quiz

TWO = '[{"text": "1 + 1?", "options": ["2", "3"], "answer": 1}, {"text": "2 + 2?", "options": ["5", "4"], "answer": 2}]'


@pytest.fixture
def room() -> Iterator[Room]:
    with room_of(Quiz) as room:
        assert room.call("a", "load", TWO) == 2
        yield room


def test_all_hear_the_question_and_the_last_answer_brings_the_next(room: Room) -> None:
    room.call("a", "join", "ada")
    assert room.drain("c") == ["Question 1 of 2: 1 + 1? 1. 2, 2. 3"]
    room.call("b", "join", "bob")
    assert room.drain("b")[-1] == "Question 1 of 2: 1 + 1? 1. 2, 2. 3"
    assert room.call("a", "answer", "1") == "correct"
    assert room.drain("c") == []
    assert room.call("b", "answer", "2") == "wrong"
    assert room.drain("c") == ["The answer was 1. 2", "Question 2 of 2: 2 + 2? 1. 5, 2. 4"]
    room.call("a", "answer", "2")
    room.call("b", "answer", "2")
    assert room.drain("c") == ["The answer was 2. 4", "The quiz is over. ada: 2, bob: 1"]
    assert room.said("c", "scores") == ["ada: 2", "bob: 1"]
    assert len(room.machine.timers) == 0


def test_time_is_up_for_who_does_not_answer_also_over_a_restart(room: Room) -> None:
    room.call("a", "join", "ada")
    room.wait(ANSWER_S - 0.001)
    room.restart()
    assert room.said("a", "question") == ["Question 1 of 2: 1 + 1?", "1. 2", "2. 3"]
    room.wait(0.001)
    assert room.said("a", "question")[0] == "Question 2 of 2: 2 + 2?"
    room.wait(ANSWER_S)
    assert room.heard["a"][-1] == "The quiz is over. ada: 0"
    assert room.refused("a", "question") == room.refused("a", "answer", "1") == "not_running"


def test_an_answer_is_given_once_and_must_be_there(room: Room) -> None:
    room.call("a", "join", "ada")
    room.call("b", "join", "bob")
    assert room.refused("c", "answer", "1") == "not_registered"
    for n in ("0", "3", "-1"):
        assert room.refused("a", "answer", n) == "bad_answer"
    room.call("a", "answer", "2")
    assert room.refused("a", "answer", "1") == "already_answered"
    assert room.said("a", "scores") == ["ada: 0", "bob: 0"]


def test_a_late_joiner_plays_from_the_present_question_on(room: Room) -> None:
    room.call("a", "join", "ada")
    room.call("a", "answer", "1")
    room.call("b", "join", "bob")
    assert room.heard["b"][-1] == "Question 2 of 2: 2 + 2? 1. 5, 2. 4"
    assert room.call("b", "answer", "2") == "correct"
    assert room.said("c", "scores") == ["ada: 1", "bob: 1"]


def test_nobody_waits_for_one_who_left_and_who_comes_back_has_the_points(room: Room) -> None:
    room.call("a", "join", "ada")
    room.call("b", "join", "bob")
    room.call("a", "answer", "1")
    room.close("b")
    assert room.said("a", "question")[0] == "Question 2 of 2: 2 + 2?"
    room.call("c", "join", "bob")
    room.close("a")
    room.open("d")
    room.call("d", "join", "ada")
    assert room.said("d", "scores") == ["ada: 1", "bob: 0"]


def test_who_leaves_and_comes_back_does_not_answer_again(room: Room) -> None:
    room.call("a", "join", "ada")
    room.call("b", "join", "bob")
    assert room.call("a", "answer", "1") == "correct"
    room.close("a")
    room.open("d")
    room.call("d", "join", "ada")
    assert room.refused("d", "answer", "1") == "already_answered"
    assert room.said("d", "scores") == ["ada: 1", "bob: 0"]
    room.call("b", "answer", "2")
    assert room.said("d", "question")[0] == "Question 2 of 2: 2 + 2?"


def test_a_quiz_that_everybody_left_is_over(room: Room) -> None:
    room.call("a", "join", "ada")
    room.close("a")
    assert room.heard["b"][-2:] == ["The answer was 1. 2", "The quiz is over. ada: 0"]
    assert len(room.machine.timers) == 0


def test_the_next_to_join_starts_another_quiz(room: Room) -> None:
    room.call("a", "join", "ada")
    for n in ("1", "2"):
        room.call("a", "answer", n)
    room.call("b", "join", "bob")
    assert room.said("a", "question")[0] == "Question 1 of 2: 1 + 1?"
    assert room.said("a", "scores") == ["ada: 0", "bob: 0"]


def test_the_right_answer_is_not_shown_before_it_is_told(room: Room) -> None:
    room.call("a", "join", "ada")
    shown = room.ask("a", "question")
    assert set(shown) == {"number", "total", "text", "options"}
    assert all("answer" not in event.fields for event in room.events)


QUESTION: dict[str, Any] = {"text": "?", "options": ["a", "b"], "answer": 1}


@pytest.mark.parametrize(
    ("questions", "code"),
    [
        ([], "bad_questions"),
        ([QUESTION] * (QUESTIONS_MAX + 1), "bad_questions"),
        ([QUESTION | {"options": ["a"]}], "bad_questions"),
        ([QUESTION | {"answer": 0}], "bad_questions"),
        ([QUESTION | {"answer": 3}], "bad_questions"),
        ([QUESTION | {"text": ""}], "bad_question"),
        ([QUESTION | {"options": ["a", "x" * 201]}], "bad_option"),
    ],
)
def test_impossible_questions_are_refused(room: Room, questions: Any, code: str) -> None:
    assert room.refused("a", "load", questions) == code


def test_questions_do_not_change_under_players(room: Room) -> None:
    room.call("a", "join", "ada")
    assert room.refused("b", "load", TWO) == "running"


def test_players_are_bounded(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PLAYERS_MAX", 1)
    room.call("a", "join", "ada")
    assert room.refused("b", "join", "bob") == "full"
    assert room.refused("b", "join", "ada") == "name_taken"


def test_the_first_quiz_can_be_asked() -> None:
    with room_of(Quiz, "a") as room:
        room.call("a", "join", "ada")
        for asked in FIRST_QUIZ:
            assert room.call("a", "answer", asked.answer) == "correct"
        assert room.said("a", "scores") == [f"ada: {len(FIRST_QUIZ)}"]
