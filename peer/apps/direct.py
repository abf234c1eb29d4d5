"""Messages from one to one."""

from tanist.peer.application import Context, Event, Refused, command, query
from tanist.peer.apps.checks import checked_text
from tanist.peer.apps.names import Named

TEXT_LENGTH_MAX = 4000
"""Characters of a message: a long paragraph."""


class Sent(Event):
    """Somebody wrote to you."""

    template = "[{nick}]: {text}"
    nick: str
    text: str


class Direct(Named):
    """Messages from one to one: register a nickname, then write to another. Nobody else hears; nothing is kept.

    After a split a message of the other side is delivered if its addressee is here now: a message adds to others.
    """

    WHAT = "nickname"
    TAKE = "Register a nickname first"

    @command
    def register(self, ctx: Context, nick: str) -> str:
        """Take a nickname; it is free again when your connection ends."""
        self.take(ctx, nick)
        return "OK"

    @command
    def send(self, ctx: Context, nick: str, text: str) -> str:
        """Write to one who is here now."""
        sent = Sent(self.caller(ctx), checked_text(text, TEXT_LENGTH_MAX))
        if nick not in self.taken:
            raise Refused("Nobody here has this nickname", "unknown_nickname")
        ctx.publish(sent, to=self.taken[nick])
        return "OK"

    @query
    def who(self, ctx: Context) -> list[str]:
        """The nicknames of those who are here."""
        return sorted(self.taken)
