"""A chat with one room."""

from tanist.peer.application import Application, Choice, Context, Event, Refused, Superseded, command, query

NICK_LENGTH_MAX = 32
"""Characters of a nickname: it stands before every line."""
TEXT_LENGTH_MAX = 4000
"""Characters of a message: a long paragraph."""
HISTORY_MAX = 1000
"""Messages kept."""
LEFT_MAX = 1000
"""Nicknames remembered of those who left, the oldest forgotten first."""


class Said(Event):
    """Somebody said something."""

    template = "[{nick}]: {text}"
    nick: str
    text: str


class Chat(Application):
    """A chat: register a nickname, then talk to everybody."""

    nicks: dict[str, str]
    """Session to nickname."""
    taken: dict[str, str]
    """Nickname to session."""
    said: list[Said]
    left: dict[str, str]
    """Session to nickname, of those who left: the other side of a split may still hear them."""

    @command
    def register(self, ctx: Context, nick: str) -> str:
        """Take a nickname; it is free again when your connection ends."""
        if not 0 < len(nick) <= NICK_LENGTH_MAX or nick != nick.strip() or any(c < " " for c in nick):
            raise Refused(f"A nickname has 1 to {NICK_LENGTH_MAX} characters, no line breaks", "bad_nickname")
        if self.taken.get(nick, ctx.session.id) != ctx.session.id:
            raise Refused("Nickname is taken", "nickname_taken")
        self._free(ctx.session.id)
        self.nicks[ctx.session.id] = nick
        self.taken[nick] = ctx.session.id
        return "OK"

    @command
    def msg(self, ctx: Context, text: str) -> str:
        """Say something to everybody else."""
        if ctx.session.id not in self.nicks:
            raise Refused("Register a nickname first", "not_registered")
        if not text.strip() or len(text) > TEXT_LENGTH_MAX:
            raise Refused(f"A message has 1 to {TEXT_LENGTH_MAX} characters", "bad_text")
        said = Said(self.nicks[ctx.session.id], text)
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

    def closed(self, ctx: Context) -> None:
        """Somebody left."""
        nick = self._free(ctx.session.id)
        if nick is not None:
            self.left[ctx.session.id] = nick
            if len(self.left) > LEFT_MAX:
                del self.left[next(iter(self.left))]

    def healed(self, ctx: Context, lost: Superseded) -> Choice:
        """What was said on the other side is said here; who had left here has the old name, if it is free."""
        session = ctx.session.id
        nick = self.left.pop(session, None)
        if nick is not None and nick not in self.taken and session not in self.nicks:
            self.nicks[session] = nick
            self.taken[nick] = session
        return "replay" if lost.acknowledged else "archive"

    def _free(self, session: str) -> str | None:
        nick = self.nicks.pop(session, None)
        if nick is not None:
            del self.taken[nick]
        return nick
