"""A chat with one room."""

from tanist.peer.application import Context, Event, command, query
from tanist.peer.apps.checks import checked_text
from tanist.peer.apps.names import Named

TEXT_LENGTH_MAX = 4000
"""Characters of a message: a long paragraph."""
HISTORY_MAX = 1000
"""Messages kept."""


class Said(Event):
    """Somebody said something."""

    template = "[{nick}]: {text}"
    nick: str
    text: str

    def __str__(self) -> str:
        return f"[{self.nick}]: {self.text}"


class Chat(Named):
    """A chat: register a nickname, then talk to everybody."""

    WHAT = "nickname"
    TAKE = "Register a nickname first"

    said: list[Said]

    @command
    def register(self, ctx: Context, nick: str) -> str:
        """Take a nickname; it is free again when your connection ends."""
        self.take(ctx, nick)
        return "OK"

    @command
    def msg(self, ctx: Context, text: str) -> str:
        """Say something to everybody else."""
        said = Said(self.caller(ctx), checked_text(text, TEXT_LENGTH_MAX))
        self.said.append(said)
        del self.said[:-HISTORY_MAX]
        ctx.publish(said, but=ctx.session)
        return "OK"

    @query
    def who(self, ctx: Context) -> list[str]:
        """The nicknames of those who are here."""
        return sorted(self.taken)

    @query
    def history(self, ctx: Context, n: int = 20) -> list[Said]:
        """The last messages, the newest last."""
        return self.said[-n:] if n > 0 else []
