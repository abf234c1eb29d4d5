"""Applications for the tests of `tanist simulate`: a good one, and one for each way to be wrong."""

from pathlib import Path

HEAD = """
import random
import time
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from tanist.peer.application import Application, Context, Event, Refused, command, query


# Within functions, since a command that plainly asks for them is refused when it is loaded.
def chance():
    return random.random()


def clock():
    return time.time()

"""

GOOD = '''
class Noted(Event):
    template = "{text}"
    text: str


class Notes(Application):
    """Texts by name, with a few of everything that an application may use."""

    texts: dict[str, str]
    changed: list[int] = [0]
    seen: int
    last: float

    @command
    def put(self, ctx: Context, name: str, text: str, more: list[str] = []) -> int:
        if not name:
            raise Refused("a note has a name")
        self.texts[name] = text + "".join(more)
        self.changed.append(ctx.random.randrange(10))
        del self.changed[:-5]
        self.last = ctx.time
        ctx.publish(Noted(f"{name} {ctx.random.random()}"))
        return len(self.texts)

    @command
    def drop(self, ctx: Context, name: str, in_s: float = 0.0) -> int:
        return ctx.after(abs(in_s), self.gone, name)

    @command(internal=True)
    def gone(self, ctx: Context, name: str) -> None:
        self.texts.pop(name, None)

    @query
    def get(self, ctx: Context, name: str) -> str | None:
        return self.texts.get(name)

    def opened(self, ctx: Context) -> None:
        self.seen += 1
'''

BAD = {
    "chance": """
class Notes(Application):
    value: float

    @command
    def put(self, ctx: Context, name: str) -> None:
        self.value = chance()
""",
    "clock": """
class Notes(Application):
    at: dict[str, float]

    @command
    def put(self, ctx: Context, name: str) -> None:
        self.at[name] = clock()
""",
    "clock of a day": """
class Notes(Application):
    day: int

    @command
    def put(self, ctx: Context, name: str) -> None:
        self.day = int(clock() // 86400)
""",
    "chance in an answer alone": """
class Notes(Application):
    count: int

    @command
    def put(self, ctx: Context, name: str) -> float:
        self.count += 1
        return chance()
""",
    "chance in an event alone": """
class Noted(Event):
    number: float


class Notes(Application):
    count: int

    @command
    def put(self, ctx: Context, name: str) -> None:
        self.count += 1
        ctx.publish(Noted(chance()))
""",
    "dict of the class": """
class Notes(Application):
    CACHE = {}
    value: int

    @command
    def put(self, ctx: Context, name: str) -> int:
        self.CACHE.setdefault(name, self.value)
        self.value += 1
        return self.CACHE[name]
""",
    "global variable": """
seen = set()


class Notes(Application):
    value: int

    @command
    def put(self, ctx: Context, name: str) -> bool:
        if name in seen:
            return False
        seen.add(name)
        self.value += 1
        return True
""",
    "mutable default": """
def count(name, seen=[]):
    seen.append(name)
    return len(seen)


class Notes(Application):
    value: int

    @command
    def put(self, ctx: Context, name: str) -> int:
        return count(name)
""",
    "order of a set": """
class Notes(Application):
    names: list[str]

    @command
    def put(self, ctx: Context, name: str) -> None:
        self.names = list({*self.names, name, name + "1", name + "2"})
""",
    "undeclared attribute": """
class Notes(Application):
    value: int

    @command
    def put(self, ctx: Context, name: str) -> None:
        self.other = name
""",
    "undeclared attribute, by force": """
class Notes(Application):
    value: int

    @command
    def put(self, ctx: Context, name: str) -> int:
        self.__dict__["calls"] = self.__dict__.get("calls", 0) + 1
        return self.__dict__["calls"]
""",
    "one list in two fields": """
class Notes(Application):
    one: list[str]
    other: list[str]

    @command
    def put(self, ctx: Context, name: str) -> None:
        if not self.one:
            self.other = self.one
        self.one.append(name)
        self.one[:-3] = []
""",
    "state of other types than declared": """
class Notes(Application):
    values: dict[str, int]

    @command
    def put(self, ctx: Context, name: str) -> None:
        self.values[name] = name
""",
    "refuses after a change": """
class Notes(Application):
    value: int

    @command
    def put(self, ctx: Context, name: str) -> None:
        self.value += 1
        if self.value % 3 == 0:
            raise Refused("every third")
""",
    "raises": """
class Notes(Application):
    names: list[str]

    @command
    def put(self, ctx: Context, number: int) -> str:
        return self.names[number]
""",
}


def write_app(directory: Path, body: str, name: str = "notes") -> str:
    """The application in a file; gives it as `--app` takes it."""
    path = directory / f"{name}.py"
    path.write_text(HEAD + body, encoding="utf-8")
    return f"{path}:Notes"
