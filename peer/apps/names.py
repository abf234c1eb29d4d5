"""Applications whose clients say who they are."""

from typing import ClassVar

from tanist.peer.application import Application, Choice, Context, Refused, Superseded
from tanist.peer.apps.checks import checked_name

LEFT_MAX = 1000
"""Names remembered of those who left, the oldest forgotten first."""


class Named(Application):
    """Base of applications in which a session has a name, free again when the session ends.

    `WHAT` such a name is, and how to `TAKE` one, is for the texts. `SHARED` names may have several sessions.
    """

    WHAT: ClassVar[str] = "name"
    TAKE: ClassVar[str] = "Say your name first"
    SHARED: ClassVar[bool] = False

    names: dict[str, str]
    """Session to name."""
    taken: dict[str, str]
    """Name to session, the last that took it."""
    left: dict[str, str]
    """Session to name, of those who left: the other side of a split may still hear them."""

    def take(self, ctx: Context, name: str) -> None:
        """Give a name to the session that calls, instead of the one it had."""
        session = ctx.session.id
        checked_name(name, self.WHAT)
        if not self.SHARED and self.taken.get(name, session) != session:
            raise Refused(f"{self.WHAT.capitalize()} is taken", f"{self.WHAT}_taken")
        self._free(session)
        self.names[session] = name
        self.taken[name] = session

    def caller(self, ctx: Context) -> str:
        """The name of the session that calls. Refuses one that has none."""
        name = self.names.get(ctx.session.id)
        if name is None:
            raise Refused(self.TAKE, "not_registered")
        return name

    def closed(self, ctx: Context) -> None:
        """Somebody left."""
        name = self._free(ctx.session.id)
        if name is not None:
            self.left[ctx.session.id] = name
            if len(self.left) > LEFT_MAX:
                del self.left[next(iter(self.left))]

    def healed(self, ctx: Context, lost: Superseded) -> Choice:
        """What was done on the other side is done here; who had left here has the old name, if it is free."""
        session = ctx.session.id
        name = self.left.pop(session, None)
        if name is not None and session not in self.names and (self.SHARED or name not in self.taken):
            self.names[session] = name
            self.taken[name] = session
        return "replay" if lost.acknowledged else "archive"

    def _free(self, session: str) -> str | None:
        name = self.names.pop(session, None)
        if name is not None and self.taken.get(name) == session:
            del self.taken[name]
        return name
