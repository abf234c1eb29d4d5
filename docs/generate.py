"""Write the parts of these pages that are made from the code: `python docs/generate.py`.

Each part stands between `<!-- generated: NAME -->` and `<!-- end -->`; tests/test_docs.py finds stale ones.
"""

import ast
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import msgspec
from exchanges import exchange, scripts

from tanist.config.describe import field_docstrings
from tanist.election.archived import ArchivedEntry, HealBegun, HealEnded
from tanist.election.archivedkeys import Archives, KeyRun, OpenHeal
from tanist.election.entries import Command, Entry, Kind, Proposal
from tanist.election.fallbacks import Fallback, FallbackList
from tanist.election.history import History, Reign, Term
from tanist.election.messages import MESSAGES, SnapshotMeta
from tanist.election.records import RECORDS
from tanist.election.roles import TRANSITIONS, Role
from tanist.election.roster import Member, Roster
from tanist.election.simulation.conditions import CONDITIONS
from tanist.election.simulation.forms import Line
from tanist.election.simulation.marks import ELSEWHERE
from tanist.election.simulation.scenario import read_scenario
from tanist.election.simulation.steps import ACTS
from tanist.election.simulation.swarm import FAULTS
from tanist.peer.application import hints
from tanist.peer.application.api import Application, Event
from tanist.peer.application.blob import Blob
from tanist.peer.application.events import event_name
from tanist.peer.application.loading import BUILT_IN, load_application
from tanist.peer.application.settings import fields_of, is_from_file, local_fields
from tanist.peer.application.specification import Operation, Parameter, Specification, describe
from tanist.peer.drills.ready import ORDER, ready_drill
from tanist.peer.drills.roles import GROUPS, ROLES
from tanist.peer.drills.words import ACTS as DRILL_ACTS
from tanist.peer.drills.words import FACTS as DRILL_FACTS
from tanist.transport.hello import Code, Hello, Refusal

DOCS = Path(__file__).parent
SCENARIOS = DOCS.parent / "tests" / "scenarios"
SIMULATION = DOCS.parent / "election" / "simulation"
GUESTS = DOCS.parent / "peer" / "simulate"
DEFAULT_CHARS_MAX = 100
"""Characters of a default that is shown as it is."""
APPS = "tanist.peer.apps."
"""Where the applications are that come along."""
SEARCH = ("facts.py", "exhaustive.py")
"""The exhaustive search has invariants of its own."""
_FIELD = re.compile(r"\{(\w+):\w+\}")
"""A field in the form of a line."""
PARTS = (
    Term,
    Reign,
    History,
    Fallback,
    FallbackList,
    Member,
    Roster,
    Entry,
    Command,
    Proposal,
    SnapshotMeta,
    HealBegun,
    ArchivedEntry,
    HealEnded,
    Archives,
    KeyRun,
    OpenHeal,
)
"""What stands inside messages and records."""


def roles() -> str:
    """The diagram of the roles, from the one table of their transitions."""
    causes: dict[tuple[Role, Role], list[str]] = {}
    for (role, cause), following in TRANSITIONS.items():
        causes.setdefault((role, following), []).append(str(cause))
    arrows = [f"    {a.name} --> {b.name}: {'<br>'.join(why)}" for (a, b), why in causes.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> SEEKING: start", *arrows, "```"])


def messages() -> str:
    """Every message by its frame type."""
    return _table("frame type", "message", MESSAGES)


def records() -> str:
    """Every record of the journal by its type."""
    return _table("record type", "record", RECORDS)


def parts() -> str:
    """The structs inside messages and records."""
    rows = [f"| `{cls.__name__}` | {_fields(cls)} | {_summary(cls)} |" for cls in PARTS]
    return "\n".join(["| struct | fields, in order | |", "| --- | --- | --- |", *rows])


def hello() -> str:
    """What a hello and a refusal carry."""
    rows = [f"| `{cls.__name__}` | {_fields(cls)} | {_summary(cls)} |" for cls in (Hello, Refusal)]
    return "\n".join(["| value | fields, in order | |", "| --- | --- | --- |", *rows])


def refusals() -> str:
    """The codes of a refusal."""
    return ", ".join(f"`{code}`" for code in Code)


def kinds() -> str:
    """The kinds of entries."""
    return ", ".join(f"{kind.value} {kind.name.lower()}" for kind in Kind)


def steps() -> str:
    """What a scenario can do."""
    return _lines(ACTS)


def conditions() -> str:
    """What a scenario can expect."""
    return _lines(CONDITIONS)


def drill_steps() -> str:
    """What a drill can do."""
    return _lines(DRILL_ACTS)


def drill_conditions() -> str:
    """What a drill can expect."""
    return _lines(DRILL_FACTS)


def drill_roles() -> str:
    """The words for peers in drills."""
    rows = [f"| `{word}` | {meaning} |" for word, meaning in {**ROLES, **GROUPS}.items()]
    return "\n".join(["| word | who that is |", "| --- | --- |", *rows])


def drills() -> str:
    """Every ready-made drill."""
    rows = [f"| `{drill.name}` | {drill.title} | {drill.about} |" for drill in map(ready_drill, ORDER)]
    return "\n".join(["| drill | what happens | what to know |", "| --- | --- | --- |", *rows])


def scenarios() -> str:
    """Every scenario file: where it comes from, and what must hold."""
    rows = []
    for path in sorted(SCENARIOS.glob("*.scenario")):
        scenario = read_scenario(path.read_text(encoding="utf-8"))
        rows.append(f"| `{path.stem}` | {', '.join(scenario.sources)} | {scenario.about} | {scenario.holds} |")
    return "\n".join(["| scenario | from | what happens | what must hold |", "| --- | --- | --- | --- |", *rows])


def elsewhere() -> str:
    """Rows that no scenario has, and where they are looked at."""
    rows = []
    for line in (SCENARIOS / "elsewhere.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            row, _, where = line.partition(": ")
            rows.append(f"| {row} | {where if where.startswith('not yet') else f'`{where}`'} |")
    return "\n".join(["| row | looked at by |", "| --- | --- |", *rows])


def faults() -> str:
    """What may befall a life."""
    return "\n".join(["| kind | what happens |", "| --- | --- |", *(f"| `{n}` | {t} |" for n, t in FAULTS.items())])


def marks() -> str:
    """Marks that no life can be held to."""
    rows = [f"| {mark} | {why} | `{where}` |" for mark, (why, where) in ELSEWHERE.items()]
    return "\n".join(["| mark | why | tested by |", "| --- | --- | --- |", *rows])


def invariants() -> str:
    """Every invariant by its name, with what its first breach tells; a name may stand for several checks."""
    found: dict[str, tuple[str, str]] = {}
    constants: dict[str, str] = {}
    for path in [*sorted(GUESTS.glob("*.py"), reverse=True), *sorted(SIMULATION.glob("*.py"))]:
        if path.name in SEARCH:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Assign(targets=[ast.Name(id=constant)], value=ast.Constant(value=str(value))):
                    constants[constant] = value
                case ast.Raise(exc=ast.Call(func=ast.Name(id="Broken"), args=[name, detail])):
                    told = _text(detail)
                    told = "shown in full" if told.strip("… :") == "" else told
                    found.setdefault(constants.get(ast.unparse(name), _text(name)), (told, path.stem))
    rows = [f"| `{name}` | {told} | {where} |" for name, (told, where) in sorted(found.items())]
    return "\n".join(["| name | what is told | in |", "| --- | --- | --- |", *rows])


def _text(node: ast.expr) -> str:
    """The text of a string in the code, with an ellipsis for what is filled in."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=values):
            return "".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in values).replace("|", "/")
    return "…"


def _lines(classes: Sequence[type[Line]]) -> str:
    rows = []
    for cls in classes:
        told = [_FIELD.sub(lambda found: found[1].upper(), form).replace("|", "/") for form in cls.forms]
        forms = "<br>".join(f"`{form}`" for form in told)
        virtual = "" if getattr(cls, "real", True) else " (virtual)"
        rows.append(f"| {forms} | {_summary(cls)}{virtual} |")
    return "\n".join(["| line | what it means |", "| --- | --- |", *rows])


def applications() -> str:
    """The applications that come along: their words, events, and what becomes of their commands after a split."""
    parts, played = [], scripts()
    for spec in BUILT_IN:
        name, application = load_application(spec)
        specification = describe(application)
        words = [_words(operation) for operation in [*specification.commands, *specification.queries]]
        parts += [
            f"## {name}",
            specification.doc,
            "\n".join(["| words | HTTP | gives | |", "| --- | --- | --- | --- |", *words]),
        ]
        if specification.settings is not None:
            rows = _settings(specification.settings)
            parts.append("\n".join(["| setting | takes | default | |", "| --- | --- | --- | --- |", *rows]))
        if events := _events(type(application)):
            parts.append("\n".join(["| event | its line | |", "| --- | --- | --- |", *events]))
        if name in played:
            parts.append(exchange(application, played[name]))
        if "After a split" not in specification.doc:
            parts.append(f"After a split: {_after_a_split(application, specification)}")
    return "\n\n".join(["", *parts, ""])


def _words(operation: Operation) -> str:
    line = " ".join([operation.name.upper(), *map(_argument, operation.parameters)])
    method = "POST" if operation.is_command else "GET"
    if operation.blob is not None:
        method = "PUT, with the bytes as its body"
    return _row(f"`{line}`", method, f"`{_shape(operation.result)}`", operation.doc)


def _argument(parameter: Parameter) -> str:
    word = "|".join(hints.choices(parameter.hint)) or ("size" if parameter.is_blob else parameter.name)
    if parameter.required:
        return word
    return f"[{word}={parameter.default}]" if parameter.default else f"[{word}]"


def _shape(hint: object) -> str:
    """A type of a result as JSON has it: a Struct by the names of its fields."""
    if hint is Blob or Blob in get_args(hint):
        return "bytes"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return f"{{{', '.join(hint.__struct_fields__)}}}"
    if get_origin(hint) is list:
        return f"[{_shape(get_args(hint)[0])}]"
    return hints.text(hint)


def _settings(cls: type[msgspec.Struct]) -> list[str]:
    """The settings of an application: what each takes, its default and what it means."""
    docs, local, rows = field_docstrings(cls), local_fields(cls), []
    for field in msgspec.structs.fields(cls):
        hint = fields_of(cls)[field.name]
        takes = "a path" if field.name in local else f"`{hints.text(hint)}`"
        takes += ", or a file that holds it" if is_from_file(hint) else ""
        default = msgspec.json.encode(field.default).decode()
        shown = f"`{default}`" if len(default) <= DEFAULT_CHARS_MAX else f"{len(field.default)} of them"
        rows.append(_row(f"`{field.name}`", takes, shown, docs.get(field.name, "")))
    return rows


def _events(cls: type[Application]) -> list[str]:
    """The events that an application publishes: those of its module, and of the modules that this takes things from."""
    home = inspect.getmodule(cls)
    modules = {value.__module__: inspect.getmodule(value) for value in vars(home).values() if inspect.isclass(value)}
    events: dict[str, type[Event]] = {}
    for name, module in modules.items():
        if name.startswith(APPS):
            own = [value for value in vars(module).values() if inspect.isclass(value) and value.__module__ == name]
            events.update({event_name(value): value for value in own if issubclass(value, Event)})
    return [_row(f"`{name}`", f"`{event.template}`", _summary(event)) for name, event in events.items()]


def _row(*cells: str) -> str:
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"


def _after_a_split(application: Application, specification: Specification) -> str:
    match specification.on_heal:
        case "own":
            return " ".join((inspect.getdoc(type(application).healed) or "").split())
        case "archive":
            return "what the side that gave way had done is archived, and its callers are told."
    return "what the side that gave way had acknowledged is done again."


GENERATED: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "explanation/failover.md": {"roles": roles},
    "reference/wire.md": {
        "hello": hello,
        "refusals": refusals,
        "messages": messages,
        "parts": parts,
        "kinds": kinds,
    },
    "reference/journal.md": {"records": records},
    "reference/applications.md": {"applications": applications},
    "reference/simulation.md": {"faults": faults, "invariants": invariants, "marks": marks},
    "reference/drills.md": {
        "drill roles": drill_roles,
        "drill steps": drill_steps,
        "drill conditions": drill_conditions,
        "ready-made drills": drills,
    },
    "reference/scenarios.md": {
        "steps": steps,
        "conditions": conditions,
        "scenarios": scenarios,
        "elsewhere": elsewhere,
    },
}
"""Page, name of the part, and what makes it."""


def renewed(page: str, text: str) -> str:
    """The text of a page with its generated parts as the code has them now. Raises ValueError for a lost marker."""
    for name, make in GENERATED[page].items():
        part = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if len(part.findall(text)) != 1:
            raise ValueError(f"{page} must have the part {name!r} between its markers, once")
        made = make()
        text = part.sub(lambda found, made=made: f"{found[1]}{made}\n{found[2]}", text)  # type: ignore[misc]
    return text


def _table(number: str, name: str, classes: Mapping[int, type[msgspec.Struct]]) -> str:
    rows = [f"| {code} | `{cls.__name__}` | {_fields(cls)} | {_summary(cls)} |" for code, cls in classes.items()]
    return "\n".join([f"| {number} | {name} | fields, in order | |", "| --- | --- | --- | --- |", *rows])


def _fields(cls: type) -> str:
    names = cls._fields if hasattr(cls, "_fields") else [field.name for field in msgspec.structs.fields(cls)]
    hints = get_type_hints(cls)
    return ", ".join(f"`{name}` {_type_text(hints[name])}" for name in names)


def _type_text(hint: object) -> str:
    if hint is ...:
        return "..."
    arguments = get_args(hint)
    if not arguments:
        return getattr(hint, "__name__", str(hint))
    origin = get_origin(hint)
    inner = [_type_text(argument) for argument in arguments]
    if origin is tuple and inner[-1] == "...":
        return f"list of {inner[0]}"
    return f"{getattr(origin, '__name__', origin)}[{', '.join(inner)}]"


def _summary(cls: type) -> str:
    text = " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())
    return text.replace("|", "\\|")


if __name__ == "__main__":
    for name in GENERATED:
        path = DOCS / name
        path.write_text(renewed(name, path.read_text(encoding="utf-8")), encoding="utf-8")
