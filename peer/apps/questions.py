"""Questions of a quiz and what players hear, and a first few questions."""

from collections.abc import Sequence

import msgspec

from tanist.peer.application import Event, Refused
from tanist.peer.apps.checks import checked_text

QUESTIONS_MAX = 100
"""Questions of a quiz: half an hour of it."""
OPTIONS_MAX = 9
"""Options of a question: one digit each."""
TEXT_LENGTH_MAX = 200
"""Characters of a question, and of an option."""


class Shown(msgspec.Struct, frozen=True):
    """A question as players see it: without its answer."""

    number: int
    total: int
    text: str
    options: list[str]

    def __str__(self) -> str:
        options = [f"{n}. {option}" for n, option in enumerate(self.options, 1)]
        return "\n".join([f"Question {self.number} of {self.total}: {self.text}", *options])


class Asked(Event):
    """The next question."""

    template = "Question {number} of {total}: {text} {choice}"
    number: int
    total: int
    text: str
    choice: str


class Score(msgspec.Struct, frozen=True):
    """One line of the leaderboard."""

    name: str
    points: int

    def __str__(self) -> str:
        return f"{self.name}: {self.points}"


class Solved(Event):
    """Time is up, or all have answered: the right answer."""

    template = "The answer was {answer}"
    answer: str


class Finished(Event):
    """The quiz is over."""

    template = "The quiz is over. {leaders}"
    leaders: str


class Question(msgspec.Struct, frozen=True):
    """A question, its options, and the number of the right one, from 1."""

    text: str
    options: list[str]
    answer: int

    def shown(self, number: int, total: int) -> Shown:
        """For those who ask for it."""
        return Shown(number, total, self.text, self.options)

    def asked(self, number: int, total: int) -> Asked:
        """For those who are asked."""
        choice = ", ".join(f"{n}. {option}" for n, option in enumerate(self.options, 1))
        return Asked(number, total, self.text, choice)


FIRST_QUIZ = (
    Question("Which planet is nearest to the sun?", ["Venus", "Mercury", "Mars"], 2),
    Question("How many bits are in a byte?", ["4", "8", "16"], 2),
    Question("Which is the longest river of Europe?", ["The Volga", "The Danube", "The Rhine"], 1),
    Question("What does the H in HTTP stand for?", ["Host", "Header", "Hypertext"], 3),
    Question("How many of five votes are a majority?", ["2", "3", "4"], 2),
)
"""The questions until others are loaded."""


def checked_questions(questions: Sequence[Question]) -> list[Question]:
    """Questions as they can be asked, each text in one line. Refuses what cannot be."""
    if not 1 <= len(questions) <= QUESTIONS_MAX:
        raise Refused(f"A quiz has 1 to {QUESTIONS_MAX} questions", "bad_questions")
    checked = []
    for asked in questions:
        if not 2 <= len(asked.options) <= OPTIONS_MAX or not 1 <= asked.answer <= len(asked.options):
            raise Refused(f"A question has 2 to {OPTIONS_MAX} options, and one is right", "bad_questions")
        options = [checked_text(option, TEXT_LENGTH_MAX, "option") for option in asked.options]
        checked.append(Question(checked_text(asked.text, TEXT_LENGTH_MAX, "question"), options, asked.answer))
    return checked
