"""A lantern that everybody switches."""

from tanist.peer.application import Application, Context, Event, Refused, command, query
from tanist.peer.lantern.commands import BY_NAME, BadValue, obey
from tanist.peer.lantern.commands import Lantern as State


class Told(Event):
    """All lanterns were told something: the type of the frame, and its value."""

    template = "{command} {value}"
    command: str
    value: str
    kind: int


class Lantern(Application):
    """A lantern: ON, OFF, or COLOR with six hex digits. Every lantern that is connected does as it is told."""

    state: State = State()

    @command
    def message(self, ctx: Context, command: str, value: str = "") -> str:
        """Tell all lanterns something: ON, OFF, or COLOR and six hex digits."""
        known = BY_NAME.get(command.upper())
        if known is None:
            raise Refused(f"There are {', '.join(BY_NAME)}", "unknown_command")
        try:
            raw = known.value(value)
        except BadValue as error:
            raise Refused(str(error), "bad_value") from None
        obey(self.state, known.kind, raw)
        ctx.publish(Told(known.name, raw.hex(), known.kind))
        return "OK"

    @query
    def lantern(self, ctx: Context) -> State:
        """Whether it is on, and its colour."""
        return self.state
