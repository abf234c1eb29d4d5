"""A quiz for everybody at once."""

import msgspec

from tanist.peer.application import Choice, Context, FromFile, Refused, Superseded, command, query
from tanist.peer.apps.names import Named
from tanist.peer.apps.questions import FIRST_QUIZ, Finished, Question, Score, Shown, Solved, checked_questions

ANSWER_S = 20.0
"""Time for a question."""
PLAYERS_MAX = 1000
"""Names on the leaderboard."""
LEADERS = 3
"""Places told at the end."""


class Quiz(Named):
    """A quiz: who joins while none runs starts one; each question waits for all players, and for 20 s at most."""

    TAKE = "Join first: JOIN name"

    class Settings(msgspec.Struct, frozen=True):
        """The questions until others are loaded."""

        questions: FromFile[tuple[Question, ...]] = FIRST_QUIZ
        """Each with its `text`, `options`, and the number of the right one as `answer`, from 1."""

        def __post_init__(self) -> None:
            checked_questions(self.questions)

    loaded: list[Question]
    """The questions that were loaded, none while they are those of the settings."""
    questions: list[Question]
    """The questions of the quiz that runs, or ran last."""
    points: dict[str, int]
    """By name: who comes back under the same name goes on."""
    number: int
    """The question that is asked, from 1; 0 while no quiz runs."""
    answered: dict[str, None]
    """Names that have answered it: who leaves and comes back does not answer again."""
    timer: int

    @command
    def join(self, ctx: Context, name: str) -> str:
        """Play under this name, from the present question on."""
        if name not in self.points and len(self.points if self.number else self.taken) >= PLAYERS_MAX:
            raise Refused(f"{PLAYERS_MAX} play: no more", "full")
        timer = self.timer if self.number else ctx.after(ANSWER_S, self.time_up)
        self.take(ctx, name)
        if self.number:
            self.points.setdefault(name, 0)
            ctx.publish(self._question().asked(self.number, len(self.questions)), to=ctx.session)
        else:
            self.questions = self.loaded or checked_questions(ctx.settings.questions)
            self.points = dict.fromkeys(self.taken, 0)
            self.number, self.answered, self.timer = 1, {}, timer
            ctx.publish(self._question().asked(self.number, len(self.questions)))
        return "OK"

    @query
    def question(self, ctx: Context) -> Shown:
        """The present question."""
        return self._question().shown(self.number, len(self.questions))

    @command
    def answer(self, ctx: Context, n: int) -> str:
        """Answer the present question, once: correct or wrong."""
        name, asked = self.caller(ctx), self._question()
        if not 1 <= n <= len(asked.options):
            raise Refused(f"Answers are 1 to {len(asked.options)}", "bad_answer")
        if name in self.answered:
            raise Refused("You have answered", "already_answered")
        last = all(other in self.answered for other in self.taken if other != name)
        # Before anything changes: it refuses when there are too many timers.
        timer = self._next_timer(ctx) if last else 0
        self.answered[name] = None
        self.points[name] = self.points.get(name, 0) + (n == asked.answer)
        if last:
            ctx.cancel(self.timer)
            self._go_on(ctx, timer)
        return "correct" if n == asked.answer else "wrong"

    @query
    def scores(self, ctx: Context) -> list[Score]:
        """The leaderboard of this quiz, or of the last one."""
        ranked = sorted(self.points.items(), key=lambda item: (-item[1], item[0]))
        return [Score(name, points) for name, points in ranked]

    @command
    def load(self, ctx: Context, questions: list[Question]) -> int:
        """Take other questions for the next quiz; their number."""
        if self.number:
            raise Refused("A quiz is running", "running")
        self.loaded = checked_questions(questions)
        return len(questions)

    @command(internal=True)
    def time_up(self, ctx: Context) -> None:
        """Not all have answered in time."""
        self._go_on(ctx, self._next_timer(ctx))

    def closed(self, ctx: Context) -> None:
        """Somebody left: nobody waits for that one."""
        super().closed(ctx)
        if self.number and all(name in self.answered for name in self.taken):
            ctx.cancel(self.timer)
            self._go_on(ctx, self._next_timer(ctx))

    def healed(self, ctx: Context, lost: Superseded) -> Choice:
        """Players of the other side play here; their answers were to another question."""
        choice = super().healed(ctx, lost)
        return choice if lost.command == "join" else "archive"

    def _question(self) -> Question:
        if not self.number:
            raise Refused("No quiz is running: join to start one", "not_running")
        return self.questions[self.number - 1]

    def _next_timer(self, ctx: Context) -> int:
        """The timer of the next question; 0 if this is the last, or nobody is left to ask."""
        more = self.number < len(self.questions) and self.names
        return ctx.after(ANSWER_S, self.time_up) if more else 0

    def _go_on(self, ctx: Context, timer: int) -> None:
        """To the next question, or to the end."""
        asked = self._question()
        ctx.publish(Solved(f"{asked.answer}. {asked.options[asked.answer - 1]}"))
        self.answered, self.timer = {}, timer
        self.number = self.number + 1 if timer else 0
        if timer:
            ctx.publish(self._question().asked(self.number, len(self.questions)))
        else:
            ctx.publish(Finished(", ".join(map(str, self.scores(ctx)[:LEADERS]))))
