"""Who is here."""

from typing import Annotated

import msgspec

from tanist.peer.application import Application, Context, Event, Refused, command
from tanist.peer.apps.checks import checked_name

LOOK_BACK_S_MAX = 86_400.0
"""How far back one may ask: a day."""
NAMES_MAX = 1000
"""Names remembered, the one heard longest ago forgotten first. Each that is here has a timer."""


class Heard(msgspec.Struct):
    """When a name was heard last, by log time, and the timer that ends its stay, 0 if it ended."""

    time_ns: int
    timer: int


class Here(msgspec.Struct, frozen=True):
    """One who is here, and for how long nothing was heard."""

    name: str
    silent_s: float

    def __str__(self) -> str:
        return f"{self.name}, heard {self.silent_s:.1f} s ago"


class Came(Event):
    """Somebody is here who was not."""

    template = "{name} is here"
    name: str


class Left(Event):
    """Somebody fell silent."""

    template = "{name} is gone"
    name: str


class Presence(Application, on_heal="archive"):
    """Who is here: whoever sends a heartbeat now and then. By log time, so that all peers agree on who is gone.

    After a split no heartbeat of the other side is made up for: it would say of a moment in the past that it is now.
    """

    class Settings(msgspec.Struct, frozen=True):
        """How patient it is."""

        seconds: Annotated[float, msgspec.Meta(gt=0, le=LOOK_BACK_S_MAX)] = 10.0
        """Who was not heard for so long is gone."""

    heard: dict[str, Heard]
    """By name, the one heard longest ago first."""

    @command
    def heartbeat(self, ctx: Context, name: str) -> str:
        """Say that you are here."""
        checked_name(name)
        # Before anything changes: it refuses when there are too many timers.
        timer = ctx.after(ctx.settings.seconds, self.leave, name)
        before = self.heard.pop(name, None)
        if before is not None and before.timer:
            ctx.cancel(before.timer)
        else:
            ctx.publish(Came(name), but=ctx.session)
        self.heard[name] = Heard(ctx.time_ns, timer)
        if len(self.heard) > NAMES_MAX:
            ctx.cancel(self.heard.pop(next(iter(self.heard))).timer)
        return "OK"

    @command
    def status(self, ctx: Context, seconds: float | None = None) -> list[Here]:
        """Who was heard within the last seconds. A command, since only the log knows what time it is now."""
        if seconds is None:
            seconds = ctx.settings.seconds
        if not 0 < seconds <= LOOK_BACK_S_MAX:
            raise Refused(f"Seconds are more than 0, and at most {LOOK_BACK_S_MAX:.0f}", "bad_seconds")
        ages = {name: (ctx.time_ns - heard.time_ns) / 1e9 for name, heard in self.heard.items()}
        return [Here(name, age) for name, age in sorted(ages.items()) if age <= seconds]

    @command(internal=True)
    def leave(self, ctx: Context, name: str) -> None:
        """The time of a silent one is up."""
        self.heard[name].timer = 0
        ctx.publish(Left(name))
