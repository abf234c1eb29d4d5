"""The Application API: what a class may declare, what its definition refuses, what is read off it, how it is found."""

import abc
import json
import random
import sys
import textwrap
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Optional

import msgspec
import pytest

from tanist.election.entries import BODY_BYTES_MAX
from tanist.election.history import NO_TERM
from tanist.peer.application import (
    Application,
    Choice,
    Context,
    DefinitionError,
    Event,
    Refused,
    Superseded,
    command,
    local,
    query,
)
from tanist.peer.application.events import EventDefinitionError, event_fields, event_line
from tanist.peer.application.loading import BUILT_IN, LoadError, load_application
from tanist.peer.application.replies import (
    REPLY_BYTES_MAX,
    ResultError,
    decode_reply,
    encode_error,
    encode_refusal,
    encode_result,
    error_code,
)
from tanist.peer.application.specification import describe, find, validate
from tanist.peer.application.state import StateError
from tanist.peer.application.timers import TimerTable
from tanist.peer.errors import ApplicationFailed, BadRequest, NotFound, Overloaded, TooLarge

BY_NOBODY = Context(type("Nothing", (Application,), {})(), "nothing", TimerTable())


class Tally(msgspec.Struct):
    """Votes for one choice."""

    choice: int = 0
    votes: int = 0


class Poll(Application):
    """One question, one vote a person."""

    LIMIT = 3
    shared: ClassVar[str] = "not state"

    votes: dict[str, int]
    log: list[str] = ["begun"]
    best: Tally
    note: Optional[str]  # noqa: UP045 (users write it so)
    pair: tuple[int, str]
    raw: dict[str, str | bytes]
    share: float = 0.5

    @command
    def vote(self, ctx: Context, choice: int, weight: float = 1.0) -> Tally:
        """Vote for a choice."""
        self.votes[ctx.session.id] = choice
        return Tally(choice, len(self.votes))

    @command(internal=True)
    def finish(self, ctx: Context) -> None:
        """The end."""

    @command
    def del_(self, ctx: Context, data: bytes, tags: list[str] | None = None, kind: Literal["a", "b"] = "a") -> None:
        pass

    @query
    def results(self, ctx: Context, value: str | bytes | None = None) -> dict[str, int]:
        """Votes by session."""
        return self.votes


# Definition


def test_state_begins_by_default_or_by_type_and_is_not_shared() -> None:
    first, second = Poll(), Poll()
    first.log.append("more")
    assert (second.votes, second.log, second.best, second.note) == ({}, ["begun"], Tally(), None)
    assert (second.pair, second.raw, second.share) == ((0, ""), {}, 0.5)


def test_what_is_not_declared_cannot_be_set() -> None:
    with pytest.raises(AttributeError, match=r"Poll\.extra is not declared.*write `extra: <type>`"):
        Poll().extra = 1


def test_the_base_is_no_application() -> None:
    with pytest.raises(TypeError, match="derives from it"):
        Application()


def test_a_subclass_has_its_bases_operations_and_state() -> None:
    class Long(Poll):
        more: int

        @command
        def vote(self, ctx: Context, choice: int, weight: float = 2.0) -> Tally:
            """Vote twice."""
            self.more += 1
            return super().vote(ctx, choice, weight)

    specification = describe(Long)
    assert specification.name == "long"
    assert [o.name for o in specification.commands] == ["vote", "del"]
    assert find(Long, "vote").doc == "Vote twice."
    assert list(specification.state) == [*describe(Poll).state, "more"]


BAD = {
    "a set in the state": (
        "x: set[int]",
        r"bad\.py:\d+: Bad\.x is `set\[int\]`: a set iterates in hash order.*sorted list",
    ),
    "a set deep in the state": ("x: dict[str, list[frozenset[str]]]", r"a set iterates in hash order"),
    "a set with a default": ("x: set[int] = {1}", r"a set iterates in hash order"),
    "a bare container": ("x: dict", r"an untyped value does not say what is in it"),
    "anything": ("x: list[Any]", r"an untyped value does not say what is in it"),
    "a class of its own": ("x: list[Other]", r"`Other` cannot be kept in a snapshot"),
    "state without a type": ("x = {}", r"Bad\.x is state without a type: write `x: dict\[str, int\] = …`"),
    "state without an empty value": ("x: Literal['a', 'b']", r"has no empty value: give it a default"),
    "a default of another type": ("x: dict[str, int] = {'a': 'b'}", r"which is no `dict\[str, int\]`"),
    "an unknown name": ("x: 'Nothing'", r"the types of its state cannot be read.*Nothing"),
    "state called as a hook": ("closed: int", r"closed.*(reserved|taken)"),
    "an __init__": ("def __init__(self) -> None: ...", r"has an __init__, which would not run again"),
    "a parameter without a type": (
        "@command\ndef x(self, ctx: Context, n) -> None: ...",
        r"bad\.py:\d+: x\(\): the parameter 'n' has no type",
    ),
    "no return type": ("@command\ndef x(self, ctx: Context): ...", r"x\(\) does not say what it returns: add `-> …`"),
    "no context": ("@command\ndef x(self, n: int) -> None: ...", r"first parameter after self must be the context"),
    "a context without a type": (
        "@command\ndef x(self, ctx) -> None: ...",
        r"first parameter after self must be the context",
    ),
    "no parameter at all": ("@query\ndef x() -> None: ...", r"first parameter after self must be the context"),
    "async": ("@command\nasync def x(self, ctx: Context) -> None: ...", r"x\(\) is `async def`"),
    "an async hook": ("async def opened(self, ctx: Context) -> None: ...", r"opened\(\) is `async def`"),
    "a hook of another shape": ("def closed(self) -> None: ...", r"write `def closed\(self, ctx: Context\) -> None`"),
    "a fate function of another shape": (
        "def healed(self, ctx: Context) -> str: ...",
        r"write `def healed\(self, ctx: Context, lost: Superseded\) -> Choice`",
    ),
    "a fate that is state": (
        "healed: str = 'replay'",
        r"Bad\.healed is reserved for `def healed\(self, ctx: Context, lost",
    ),
    "a decorated hook": ("@command\ndef opened(self, ctx: Context) -> None: ...", r"'opened' is reserved"),
    "a generator": ("@query\ndef x(self, ctx: Context) -> list[int]:\n    yield 1", r"is a generator: return a list"),
    "stars": ("@command\ndef x(self, ctx: Context, *n: int) -> None: ...", r"'n': write plain parameters"),
    "keyword-only": ("@command\ndef x(self, ctx: Context, *, n: int) -> None: ...", r"'n': write plain parameters"),
    "a set as parameter": (
        "@command\ndef x(self, ctx: Context, n: set[int]) -> None: ...",
        r"'n' is `set\[int\]`: a set",
    ),
    "a set as result": ("@query\ndef x(self, ctx: Context) -> set[int]: ...", r"x\(\) returns `set\[int\]`: a set"),
    "a default that does not fit": (
        "@command\ndef x(self, ctx: Context, n: int = 'a') -> None: ...",
        r"begins with 'a', which is no `int`",
    ),
    "capitals": ("@command\ndef castVote(self, ctx: Context) -> None: ...", r"'castVote' must be lower-case"),
    "a private command": ("@command\ndef _x(self, ctx: Context) -> None: ...", r"'_x' must be lower-case"),
    "two of a name": (
        "@command\ndef get(self, ctx: Context) -> None: ...\n@query\ndef get_(self, ctx: Context) -> None: ...",
        r"two operations called 'get'",
    ),
    "state called as a command": ("x: int\n@command\ndef x(self, ctx: Context) -> None: ...", r"taken by a method"),
    "a list where its type should stand": ("x: [str]", r"Bad\.x is \[.*\], which is a value: a type stands there"),
    "a number where its type should stand": ("x: 0", r"Bad\.x is 0, which is a value: a type stands there"),
    "what nobody can send": (
        "@query\ndef x(self, ctx: Context) -> Other: ...",
        r"x\(\) returns `Other`: `Other` cannot be sent: use a msgspec.Struct",
    ),
    "an iterator": (
        "@query\ndef x(self, ctx: Context) -> Iterator[str]: ...",
        r"`Iterator` cannot be sent: use .* list\[str\]|`Iterator` cannot be sent: use .*\(list\[str\]",
    ),
    "nothing for a text": (
        "@command\ndef x(self, ctx: Context, n: str = None) -> None: ...",
        r"begins with None, which is no `str`: .*; write `str \| None`",
    ),
    "two commands of a name": (
        "@command\ndef x(self, ctx: Context) -> None: ...\n@command\ndef x(self, ctx: Context, n: int) -> None: ...",
        r"bad\.py:\d+: a command or query called 'x' stands above already",
    ),
    "a word of the line protocol": ("@query\ndef help(self, ctx: Context) -> str: ...", r"the name 'help' is reserved"),
    "a name for a command": (
        "@command('x')\ndef x(self, ctx: Context) -> None: ...",
        r"@command was given 'x': write `@command` alone",
    ),
    "a property": ("@query\n@property\ndef x(self) -> int: ...", r"@query was given a property: write `@query` alone"),
    "a query that is a property": (
        "@property\n@query\ndef x(self, ctx: Context) -> int: ...",
        r"Bad\.x: commands and queries are plain methods",
    ),
    "a preparation of nothing": (
        "@prepare\ndef x(self, asking: Asking) -> int: ...",
        r"@prepare says which command it prepares: write",
    ),
    "local work that is async": (
        "@local(every=1.0)\nasync def x(self, here: Here) -> None: ...",
        r"x\(\) is `async def`, and nothing would wait for it: use `def`",
    ),
    "an effect of other things": (
        "def effect(self, index: int, event: str) -> None: ...",
        r"effect\(\): 'index' is not that: write `def effect\(self, here: Here, happened: Published\) -> None`",
    ),
    "the clock": (
        "@command\ndef x(self, ctx: Context) -> float:\n    return time.time()",
        r"bad\.py:1[0-2]: x\(\): time\.time asks this machine's clock, .*: use ctx\.time",
    ),
    "the moment": (
        "@command\ndef x(self, ctx: Context) -> str:\n    return str(datetime.datetime.now())",
        r"x\(\): datetime\.datetime\.now asks this machine's clock",
    ),
    "chance": (
        "@command\ndef x(self, ctx: Context) -> int:\n    return random.randint(1, 6)",
        r"x\(\): random\.randint draws chance of this peer's own: use ctx\.random",
    ),
    "chance by its own name": (
        "def opened(self, ctx: Context) -> None:\n    choice([1])",
        r"opened\(\): choice draws chance of this peer's own",
    ),
    "a generator of the module": (
        "@command\ndef x(self, ctx: Context) -> float:\n    return dice.random()",
        r"x\(\): dice draws chance of this peer's own",
    ),
    "a file": (
        "@command\ndef x(self, ctx: Context) -> str:\n    return open('x').read()",
        r"x\(\): open reaches out of the log: do it in `effect`, or before the command",
    ),
    "a static method": (
        "@command\n@staticmethod\ndef x(ctx: Context) -> None: ...",
        r"commands and queries are plain methods",
    ),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"], ids=["", "future"])
def test_definition_errors_say_where_and_what_to_write(case: str, future: str) -> None:
    body, message = BAD[case]
    source = (
        future
        + "import datetime, random, time\n"
        + "from collections.abc import Iterator\n"
        + "from random import choice\n"
        + "dice = random.Random(5)\n"
        + "from typing import Any, Literal\n"
        + "from tanist.peer.application import Application, Asking, Context, Here, command, local, prepare, query\n"
        + "class Other: ...\n"
        + "class Bad(Application):\n"
        + textwrap.indent(body, "    ")
    )
    with pytest.raises(DefinitionError, match=message) as caught:
        exec(compile(source, "bad.py", "exec"), {"__name__": "tests_bad"})
    assert str(caught.value).startswith("bad.py:")


def test_what_becomes_of_superseded_commands_is_said_by_the_class() -> None:
    class Plain(Application):
        pass

    class Archives(Application, on_heal="archive"):
        pass

    class Heir(Archives):
        pass

    class Decides(Heir):
        def healed(self, ctx: Context, lost: Superseded) -> Choice:
            return "done"

    assert [describe(c).on_heal for c in (Plain, Archives, Heir, Decides)] == ["replay", "archive", "archive", "own"]
    lost = Superseded("x", {}, True, 0, 1, NO_TERM, 0)
    unsure = msgspec.structs.replace(lost, acknowledged=False)
    assert (Plain().healed(BY_NOBODY, lost), Plain().healed(BY_NOBODY, unsure)) == ("replay", "archive")
    assert Archives().healed(BY_NOBODY, lost) == "archive"


def test_a_wrong_fate_says_what_to_write() -> None:
    with pytest.raises(DefinitionError, match=r'on_heal=\'later\': say "replay" or "archive", or write `def healed'):

        class Wrong(Application, on_heal="later"):
            pass

    with pytest.raises(DefinitionError, match=r"has on_heal='replay' and a method healed\(\) of its own"):

        class Both(Application, on_heal="replay"):
            def healed(self, ctx: Context, lost: Superseded) -> Choice:
                return "done"


def test_what_only_looks_like_the_outside_is_let_be() -> None:
    def open(name: str) -> str:
        return name

    class Fine(Application):
        @command
        def draw(self, ctx: Context) -> str:
            """Chance and time of the log, a generator of its own, a moment made of log time."""
            own = random.Random(ctx.time_ns)
            return f"{ctx.random.random()} {own.random()} {time.gmtime(ctx.time)} {open('x')} {datetime.min}"

        @query
        def age(self, ctx: Context) -> float:
            """A query is answered by one peer, which has a clock."""
            return time.time() - ctx.time

    assert [o.name for o in describe(Fine).operations.values()] == ["draw", "age"]


def test_an_option_that_there_is_not_is_named() -> None:
    with pytest.raises(DefinitionError, match=r"test_application\.py:\d+: class Wrong: there is no onheal"):

        class Wrong(Application, onheal="archive"):
            pass


def test_local_work_says_how_often() -> None:
    with pytest.raises(TypeError, match=r"write `@local\(every=1\.0\)`"):

        @local
        def report(here: object) -> None: ...


def test_an_abstract_base_is_no_state() -> None:
    class Base(Application, abc.ABC):
        count: int

        @abc.abstractmethod
        def helper(self) -> int: ...

    assert describe(Base).state == {"count": "int"}
    with pytest.raises(DefinitionError, match=r"test_application\.py:\d+: Wrong\.x"):

        class Wrong(Application, abc.ABC):
            x: set[int]


def test_helpers_properties_and_constants_are_left_alone() -> None:
    class Fine(Application):
        LIMITS = [1, 2]
        _hidden: int

        @property
        def double(self) -> int:
            return self._hidden * 2

        @staticmethod
        def helper(anything: Any) -> Any:
            return anything

        async def not_a_command(self) -> None: ...

    assert describe(Fine).state == {"_hidden": "int"}
    assert describe(Fine).operations == {}


# Specification


def test_a_specification_tells_all_that_gateways_need() -> None:
    specification = describe(Poll())
    assert (specification.name, specification.doc) == ("poll", "One question, one vote a person.")
    assert [o.name for o in specification.commands] == ["vote", "del"]
    assert [o.name for o in specification.queries] == ["results"]
    assert specification.operations["finish"].internal
    assert specification.state == {
        "votes": "dict[str, int]",
        "log": "list[str]",
        "best": "Tally",
        "note": "str | None",
        "pair": "tuple[int, str]",
        "raw": "dict[str, str | bytes]",
        "share": "float",
    }
    vote = specification.operations["vote"]
    assert (vote.usage, vote.returns, vote.doc, vote.kind) == (
        "vote choice [weight=1.0]",
        "Tally",
        "Vote for a choice.",
        "command",
    )
    assert [(p.name, p.type_name, p.required, p.default) for p in vote.parameters] == [
        ("choice", "int", True, None),
        ("weight", "float", False, 1.0),
    ]
    assert [p.type_name for p in find(Poll, "del").parameters] == ["bytes", "list[str] | None", "'a' | 'b'"]
    assert find(Poll, "results").doc == "Votes by session."


def test_an_application_without_docstring_has_none() -> None:
    class Silent(Application):
        pass

    assert describe(Silent).doc == ""


def decoded(name: str, arguments: Any, **options: Any) -> Any:
    return msgspec.msgpack.decode(validate(Poll, name, arguments, **options))


def test_arguments_are_encoded_by_name_without_defaults() -> None:
    assert decoded("vote", {"choice": 1}) == {"choice": 1}
    assert decoded("vote", {"choice": 1, "weight": 1.0}) == {"choice": 1}
    assert decoded("vote", {"choice": 1, "weight": 2}) == {"choice": 1, "weight": 2.0}
    assert decoded("vote", [3, 0.5]) == {"choice": 3, "weight": 0.5}
    assert decoded("results", []) == {}


def test_text_becomes_what_is_declared_only_if_asked() -> None:
    assert decoded("vote", {"choice": "3"}, text=True) == {"choice": 3}
    with pytest.raises(BadRequest, match="poll vote: choice: Expected `int`, got `str`"):
        validate(Poll, "vote", {"choice": "3"})
    assert decoded("del", ["x", '["a", "b"]'], text=True) == {"data": b"x", "tags": ["a", "b"]}
    assert decoded("del", ["x", "null", "b"], text=True)["kind"] == "b"
    assert decoded("del", ["x", "null", "B"], text=True)["kind"] == "b"
    assert decoded("results", ["5"], text=True) == {"value": "5"}


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("vote", ["three"], "poll vote: choice: expected a whole number"),
        ("vote", ["1.5"], "poll vote: choice: expected a whole number"),
        ("vote", ["1", "much"], "poll vote: weight: expected a number"),
        ("del", ["x", "null", "c"], "poll del: kind: expected a or b"),
    ],
)
def test_who_typed_something_else_is_told_what_is_wanted(name: str, arguments: list[str], message: str) -> None:
    with pytest.raises(BadRequest, match=f"^{message}$"):
        validate(Poll, name, arguments, text=True)


def test_bytes_take_text_as_utf8_and_bytes_as_they_are() -> None:
    assert decoded("del", {"data": "ü"}) == {"data": "ü".encode()}
    assert decoded("del", {"data": b"\xff\x00"}) == {"data": b"\xff\x00"}
    assert decoded("results", {"value": b"\xff"}) == {"value": b"\xff"}
    assert decoded("results", {"value": "ü"}) == {"value": "ü"}


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("vote", {}, "poll vote: the argument 'choice' .int. is missing"),
        ("vote", {"choice": 1, "chioce": 2}, "poll vote: no argument 'chioce'; it takes: choice, weight"),
        ("vote", {"choice": 1.5}, "poll vote: choice: Expected `int`"),
        ("vote", {"choice": True}, "poll vote: choice: Expected `int`"),
        ("vote", {"choice": None}, "poll vote: choice: Expected `int`, got `null`"),
        ("vote", {"choice": 2**70}, r"poll vote: whole numbers are from -2\*\*63 to 2\*\*64 - 1"),
        ("vote", [1, 2, 3], "3 arguments; usage: vote choice"),
        ("vote", "12", "a map or a list"),
        ("del", {"data": "x", "tags": [1]}, r"poll del: tags\[0\]: Expected `str`"),
        ("del", {"data": "\ud800"}, "poll del: data: "),
        ("del", {"data": b"", "kind": "c"}, "poll del: kind: Invalid enum value 'c'"),
        ("results", {"value": 5}, r"poll results: value: Expected `str \| bytes \| None`, got `int`"),
        ("results", {"value": "\ud800"}, "poll results"),
        ("results", {1: 2}, "no argument '1'; it takes: value"),
    ],
)
def test_bad_arguments_are_named(name: str, arguments: Any, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        validate(Poll, name, arguments)


def test_bad_json_in_text_is_named() -> None:
    with pytest.raises(BadRequest, match=r"poll del: tags: expected list\[str\] | None as JSON"):
        validate(Poll, "del", {"data": "x", "tags": "[1"}, text=True)


def test_unknown_and_internal_operations_are_not_found() -> None:
    with pytest.raises(NotFound, match="poll has no 'nothing'; it has: vote, del, results"):
        validate(Poll, "nothing", {})
    with pytest.raises(NotFound):
        validate(Poll, "finish", {})
    assert validate(Poll, "finish", {}, internal=True) == b"\x80"


def test_arguments_have_a_limit() -> None:
    with pytest.raises(TooLarge, match="bytes of arguments"):
        validate(Poll, "del", {"data": b"x" * BODY_BYTES_MAX})


def test_constraints_of_annotated_types_hold() -> None:
    class Narrow(Application):
        @command
        def pick(self, ctx: Context, n: Annotated[int, msgspec.Meta(ge=1, le=3)]) -> None: ...

    assert find(Narrow, "pick").parameters[0].type_name == "int"
    with pytest.raises(BadRequest, match="n: Expected `int` <= 3"):
        validate(Narrow, "pick", [4])


# State


def test_state_comes_back_as_it_was_with_the_order_of_dicts() -> None:
    poll, codec = Poll(), describe(Poll).codec
    poll.votes.update({"z": 1, "a": 2})
    poll.pair, poll.raw, poll.best = (7, "x"), {"t": "text", "b": b"text"}, Tally(1, 2)
    restored = Poll()
    codec.adopt(restored, codec.decode(codec.encode(poll)))
    assert codec.encode(restored) == codec.encode(poll)
    assert list(restored.votes) == ["z", "a"]
    assert (restored.pair, restored.raw, restored.best) == ((7, "x"), {"t": "text", "b": b"text"}, Tally(1, 2))


def test_state_that_was_added_since_begins_anew() -> None:
    codec = describe(Poll).codec
    restored = Poll()
    codec.adopt(restored, codec.decode(msgspec.msgpack.encode({"votes": {"a": 1}, "gone": 5})))
    assert (restored.votes, restored.log) == ({"a": 1}, ["begun"])


def test_state_that_cannot_be_encoded_names_the_field() -> None:
    poll = Poll()
    poll.log.append(object())  # type: ignore[arg-type]
    with pytest.raises(StateError, match="the state of poll cannot be encoded: log: "):
        describe(Poll).codec.encode(poll)
    with pytest.raises(StateError, match="no state of poll"):
        describe(Poll).codec.decode(b"\xc1")
    with pytest.raises(StateError, match=r"no state of poll.*votes"):
        describe(Poll).codec.decode(msgspec.msgpack.encode({"votes": [1]}))


# Events


class Said(Event):
    template = "[{nick}]: {text}"
    nick: str
    text: str
    seen: list[str] = []


def test_an_events_line_is_one_line_and_its_fields_are_apart() -> None:
    said = Said("ada", "a\nb\u2028c", ["x"])
    fields = event_fields(said)
    said.seen.append("y")
    assert fields == {"nick": "ada", "text": "a\nb\u2028c", "seen": ["x"]}
    assert event_line(said, fields) == "[ada]: a b c"
    assert json.dumps(fields)


def test_a_template_cannot_be_filled_by_what_is_said() -> None:
    said = Said("{text}", "{nick.__class__}")
    assert event_line(said, event_fields(said)) == "[{text}]: {nick.__class__}"


def test_an_event_without_template_is_its_name_and_fields() -> None:
    class LotOpened(Event):
        name: str
        start: int

    event = LotOpened("vase", 5)
    assert event_line(event, event_fields(event)) == "lot_opened name=vase start=5"


def test_wrong_events_are_refused() -> None:
    with pytest.raises(EventDefinitionError, match=r"names \{nick\}"):

        class Wrong(Event):
            template = "{nick}"
            name: str

    with pytest.raises(EventDefinitionError, match=r"its template '\{name': expected"):

        class Open(Event):
            template = "{name"
            name: str

    class Odd(Event):
        what: TimerTable

    with pytest.raises(EventDefinitionError, match=r"cannot be sent: use a msgspec\.Struct"):
        event_fields(Odd(TimerTable()))

    class Unordered(Event):
        names: set[str]

    with pytest.raises(EventDefinitionError, match="hash order"):
        event_fields(Unordered({"a"}))


# Replies


@pytest.mark.parametrize("value", [None, "OK", 5, 1.5, b"\xff", [1, "a"], {"a": None}])
def test_results_come_back_as_plain_values(value: Any) -> None:
    assert decode_reply(encode_result(value)) == value


def test_errors_come_back_as_what_they_were() -> None:
    with pytest.raises(Overloaded, match="too much"):
        decode_reply(encode_error("overloaded", "too much"))
    with pytest.raises(ApplicationFailed):
        decode_reply(encode_error("application_failed", "x"))
    with pytest.raises(Refused, match="taken") as caught:
        decode_reply(encode_refusal(Refused("taken", "nickname_taken")))
    assert caught.value.code == "nickname_taken"
    with pytest.raises(Refused) as caught:
        decode_reply(encode_error("unknown_session", "x"))
    assert caught.value.code == "unknown_session"


@pytest.mark.parametrize("code", ["no_server", "unknown_session", "", "ü", 5])
def test_an_application_cannot_pretend_that_a_command_was_not_tried(code: Any) -> None:
    with pytest.raises(Refused) as caught:
        decode_reply(encode_refusal(Refused("no", code)))
    assert caught.value.code == "refused"


def test_any_refusal_can_be_encoded() -> None:
    with pytest.raises(Refused, match=r"\?"):
        decode_reply(encode_refusal(Refused("\ud800")))
    with pytest.raises(Refused, match="Refused"):
        decode_reply(encode_refusal(Refused(object())))  # type: ignore[arg-type]


def test_a_reply_has_a_limit_and_garbage_is_no_reply() -> None:
    with pytest.raises(ResultError, match=r"its result has .* at most .*: give it in parts"):
        encode_result("x" * REPLY_BYTES_MAX)
    with pytest.raises(ResultError, match=r"its result cannot be sent: .* type object is unsupported"):
        encode_result(object())
    with pytest.raises(ValueError, match="not a reply"):
        decode_reply(b"\x93\x07")
    with pytest.raises(ValueError, match="not a reply"):
        error_code(b"\x93\x07")


# Loading


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_applications_load_by_name(name: str) -> None:
    loaded, application = load_application(name)
    assert loaded == name
    assert isinstance(application, Application)
    assert describe(application).commands
    assert all(o.doc for o in describe(application).operations.values())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def write(path: Path, body: str) -> Path:
    path.write_text("from tanist.peer.application import Application, Context, command\n" + textwrap.dedent(body))
    return path


def test_a_users_file_loads_with_the_files_beside_it(folder: Path) -> None:
    (folder / "notes_helper_xyz.py").write_text("Text = str\n")
    path = write(
        folder / "notes.py",
        """
        from notes_helper_xyz import Text
        class Notes(Application):
            notes: list[Text]

            @command
            def clear(self, ctx: Context) -> None: ...
        """,
    )
    name, application = load_application(f"{path}:Notes")
    assert (name, describe(application).state) == ("notes", {"notes": "list[str]"})


def test_a_users_module_loads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder))
    (folder / "package_xyz").mkdir()
    (folder / "package_xyz" / "__init__.py").touch()
    write(
        folder / "package_xyz" / "notes.py",
        "class Notes(Application):\n    @command\n    def clear(self, ctx: Context) -> None: ...\n",
    )
    assert load_application("package_xyz.notes:Notes")[0] == "notes"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nothing", "no such built-in application .*chat, counter.*; write one of your own as notes.py:Notes"),
        ("notes.py", "write one of your own as notes.py:Notes"),
        ("absent.py:Notes", r"there is no file .*absent\.py"),
        ("absent_xyz:Notes", r"there is no module 'absent_xyz'; for a file write its path, absent_xyz\.py"),
        ("json:Notes", "json has no class 'Notes'; there are no applications in it"),
        ("json:JSONDecoder", "JSONDecoder is no subclass of tanist.peer.application.Application"),
        ("tanist.peer.apps.kv:Other", "has no class 'Other'; applications in it: Kv"),
    ],
)
def test_load_errors_say_what_to_do(spec: str, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        load_application(spec)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("class Notes(Application):\n    x: set[int]\n", r"notes\.py:2: Notes\.x is `set\[int\]`"),
        ("class Notes(Application)\n", r"notes\.py:2: expected ':'"),
        ("import absent_xyz\n", r"notes\.py:2: ModuleNotFoundError: No module named 'absent_xyz'"),
        ("\n1 / 0\n", r"notes\.py:3: ZeroDivisionError"),
        ("raise SystemExit(3)\n", r"notes\.py:2: SystemExit: 3"),
        ("x = '\0'\n", r"notes\.py: source code"),
        ("class Notes(Application):\n    x: int\n", r"Notes offers nothing: mark what changes its state with @command"),
        (
            "from dataclasses import dataclass\n@dataclass\nclass Notes(Application):\n    x: int\n",
            r"Notes cannot be made without arguments .*an application has no @dataclass",
        ),
    ],
)
def test_errors_in_a_users_file_have_file_and_line(folder: Path, body: str, message: str) -> None:
    path = write(folder / "notes.py", body)
    with pytest.raises(LoadError, match=message):
        load_application(f"{path}:Notes")
