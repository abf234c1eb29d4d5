"""A poll: one question, one vote a client."""

from collections.abc import Sequence

import msgspec

from tanist.peer.application import Application, Choice, Context, Event, Refused, Superseded, command, query
from tanist.peer.apps.checks import checked_text

TEXT_LENGTH_MAX = 200
"""Characters of the question, and of an option: each is a line."""
OPTIONS_MAX = 20
"""Options of a question: more are not read."""
VOTERS_MAX = 10_000
"""Votes on one question: each is kept, so that nobody votes twice."""


class Question(msgspec.Struct, frozen=True):
    """What is asked, and what can be chosen."""

    question: str
    options: list[str]

    def __str__(self) -> str:
        return "\n".join([self.question, *(f"{n}. {option}" for n, option in enumerate(self.options, 1))])


class Tally(msgspec.Struct, frozen=True):
    """How many voted for what."""

    question: str
    options: list[str]
    votes: list[int]

    def __str__(self) -> str:
        rows = [f"{n}. {o}: {v}" for n, (o, v) in enumerate(zip(self.options, self.votes, strict=True), 1)]
        return "\n".join([self.question, *rows])


def checked_question(question: str, options: Sequence[str]) -> Question:
    """A question as it can be asked, each text in one line. Refuses what cannot be."""
    offered = [checked_text(option, TEXT_LENGTH_MAX, "option") for option in options]
    if not 2 <= len(offered) <= OPTIONS_MAX or len(dict.fromkeys(offered)) < len(offered):
        raise Refused(f"A poll has 2 to {OPTIONS_MAX} different options", "bad_options")
    return Question(checked_text(question, TEXT_LENGTH_MAX, "question"), offered)


class Asked(Event):
    """There is a new question."""

    template = "New poll: {question}"
    question: str
    options: list[str]


class Voted(Event):
    """Somebody voted: how many have."""

    template = "{total} voted"
    total: int


class Poll(Application):
    """A poll: one question, one vote a client. While its asker is here, nobody else asks another."""

    class Settings(msgspec.Struct, frozen=True):
        """What is asked until somebody asks something else."""

        question: str = "Which way do you go to work?"
        """What is asked."""
        options: tuple[str, ...] = ("On foot", "By bicycle", "By bus or train", "By car")
        """What can be chosen."""

        def __post_init__(self) -> None:
            checked_question(self.question, self.options)

    present: Question | None
    """What was asked since; None while it is what the settings say."""
    votes: dict[str, int]
    """Session to option, from 0."""
    voted_on: Question | None
    """The question of these votes: settings may change, and it with them."""
    asker: str
    """Who asked, while here."""
    asked: int
    """The log's index of the question."""
    asked_there: int = -1
    """The fork of a split whose other side had another question."""

    @command
    def ask(self, ctx: Context, question: str, options: str) -> str:
        """Ask something else; the options stand between commas."""
        if self.asker not in ("", ctx.session.id):
            raise Refused("Who asked the question is still here: only that one asks another", "not_yours")
        self.present, self.votes = checked_question(question, options.split(",")), {}
        self.asker, self.asked = ctx.session.id, ctx.index
        ctx.publish(Asked(self.present.question, self.present.options), but=ctx.session)
        return "OK"

    @query
    def poll(self, ctx: Context) -> Question:
        """The question and its options."""
        return self.present or checked_question(ctx.settings.question, ctx.settings.options)

    @command
    def vote(self, ctx: Context, n: int) -> str:
        """Vote for option n, once."""
        asked, votes = self.poll(ctx), self._votes(ctx)
        options = len(asked.options)
        if not 1 <= n <= options:
            raise Refused(f"Options are 1 to {options}", "bad_option")
        if ctx.session.id in votes:
            raise Refused("You have voted", "already_voted")
        if len(votes) >= VOTERS_MAX:
            raise Refused(f"A poll takes {VOTERS_MAX} votes", "full")
        self.votes, self.voted_on = votes, asked
        self.votes[ctx.session.id] = n - 1
        ctx.publish(Voted(len(self.votes)), but=ctx.session)
        return "OK"

    @query
    def results(self, ctx: Context) -> Tally:
        """How many voted for what."""
        asked = self.poll(ctx)
        tally = [0] * len(asked.options)
        for choice in self._votes(ctx).values():
            tally[choice] += 1
        return Tally(asked.question, asked.options, tally)

    def _votes(self, ctx: Context) -> dict[str, int]:
        """The votes on what is asked now."""
        return self.votes if self.voted_on in (None, self.poll(ctx)) else {}

    def closed(self, ctx: Context) -> None:
        """Somebody left: a vote stays, and anybody may ask the next question."""
        if self.asker == ctx.session.id:
            self.asker = ""

    def healed(self, ctx: Context, lost: Superseded) -> Choice:
        """Votes of both sides count if they were on this question; the other side's own question is not asked again."""
        if lost.command == "ask":
            self.asked_there = lost.fork
            return "archive"
        return "replay" if lost.acknowledged and self.asked <= lost.fork != self.asked_there else "archive"
