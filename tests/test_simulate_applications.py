"""Applications under the referee: a good one passes, and each planted way to be wrong is found, and told of."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import msgspec
import pytest
from simulated_apps import BAD, GOOD, HEAD, write_app

from tanist.election.entries import Command, Entry, Kind, SessionOpened, TimerDue
from tanist.election.simulation.broken import Broken
from tanist.peer.application.loading import LoadError
from tanist.peer.simulate.arguments import CannotMake, Commands
from tanist.peer.simulate.loading import Applications
from tanist.peer.simulate.machines import ApplicationMachine
from tanist.peer.simulate.mirror import Mirror
from tanist.peer.simulate.referee import Referee

ENTRIES = 60


def log(applications: Applications, seed: int = 1) -> list[Entry]:
    """A log of random commands of two sessions, and of timers that may be due."""
    rng = Random(seed)
    commands = Commands(applications.classes)
    bodies: list[tuple[Kind, bytes]] = [(Kind.REIGN, b"")]
    for session in ("s1", "s2"):
        bodies.append((Kind.SESSION_OPENED, msgspec.msgpack.encode(SessionOpened(session, "p"))))
    sequences = {"s1": 0, "s2": 0}
    for n in range(ENTRIES):
        session = rng.choice(list(sequences))
        sequence = sequences[session] = sequences[session] + 1
        app, name, arguments = commands.draw(rng)
        command = Command(session, sequence, sequence, app, name, msgspec.Raw(arguments))
        bodies.append((Kind.COMMAND, msgspec.msgpack.encode(command)))
        if n % 7 == 0:
            bodies.append((Kind.TIMER, msgspec.msgpack.encode(TimerDue("notes", rng.randrange(1, 9)))))
    return [Entry(1, "a", kind, n * 10**9, rng.getrandbits(32), body) for n, (kind, body) in enumerate(bodies, 1)]


def play(spec: str, seed: int = 1) -> Referee:
    """The same log at three peers: one from its beginning, one that starts again, one that begins with a snapshot."""
    applications, referee = Applications([spec]), Referee()
    entries = log(applications, seed)
    first = ApplicationMachine("a", applications.make(), referee)
    middle = len(entries) // 2
    first.apply(1, entries[:middle])
    snapshot = first.snapshot()
    first.apply(middle + 1, entries[middle:])
    for name in ("b", "b"):
        ApplicationMachine(name, applications.make(), referee).apply(1, entries)
    late = ApplicationMachine("c", applications.make(), referee)
    late.restore(snapshot)
    late.apply(middle + 1, entries[middle:])
    assert late.digest() == first.digest()
    return referee


@pytest.fixture
def mirrors() -> Iterator[list[Mirror]]:
    """Mirrors to be closed in the end."""
    opened: list[Mirror] = []
    yield opened
    for mirror in opened:
        mirror.close()


@pytest.mark.parametrize("spec", ["kv", "counter", "chat"])
def test_the_applications_that_come_along_are_good(spec: str, mirrors: list[Mirror]) -> None:
    mirrors.append(Mirror([spec]))
    for seed in range(3):
        mirrors[0].look(play(spec, seed))


def test_a_good_application_passes(tmp_path: Path, mirrors: list[Mirror]) -> None:
    spec = write_app(tmp_path, GOOD)
    mirrors.append(Mirror([spec]))
    for seed in range(5):
        referee = play(spec, seed)
        assert len(referee.log()) > ENTRIES
        mirrors[0].look(referee)


FOUND = {
    "chance": (
        "deterministic",
        r"notes put name='.*', b has other state than a:\n  notes\.value: 0\.\d+ at a, 0\.\d+ at b",
    ),
    "clock": ("deterministic", r"notes\.at\..*: \d+\.\d+ at a, "),
    "chance in an answer alone": ("deterministic", r"the answer to command 1 of session s"),
    "chance in an event alone": ("deterministic", r"has other events than a:\n  a: .*number"),
    "dict of the class": ("deterministic", r"c has other state than a:\n  the answer to command \d+ of session s"),
    "global variable": ("deterministic", r"c has other state than a:\n  notes\.value: "),
    "mutable default": ("deterministic", r"c has other state than a:\n  the answer"),
    "undeclared attribute": ("application", r"Notes\.other is not declared: what is not declared is in no snapshot"),
    "undeclared attribute, by force": ("deterministic", r"c has other state than a:\n  the answer"),
    "one list in two fields": ("deterministic", r"c has other state than a:\n  notes\.other"),
    "state of other types than declared": ("application", r"after it .*cannot be|these bytes are no state"),
    "refuses after a change": ("application", r"it refused after it had changed the state"),
    "raises": ("application", r"notes put number=.*: IndexError: list index out of range\nTraceback"),
}


@pytest.mark.parametrize("name", FOUND)
def test_a_bad_application_is_found_between_virtual_peers(name: str, tmp_path: Path) -> None:
    invariant, told = FOUND[name]
    with pytest.raises(Broken, match=told) as found:
        play(write_app(tmp_path, BAD[name]))
    assert found.value.invariant == invariant


ELSEWHERE = {
    "clock of a day": r"other state than the virtual peers:\n  notes\.day: \d+ at the virtual peers, \d+ at it",
    "order of a set": r"other state than the virtual peers:\n  notes\.names",
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_one_process_agrees_on_is_found_by_another(name: str, tmp_path: Path, mirrors: list[Mirror]) -> None:
    spec = write_app(tmp_path, BAD[name])
    mirrors.append(Mirror([spec]))
    referee = play(spec)
    with pytest.raises(Broken, match=ELSEWHERE[name]):
        mirrors[0].look(referee)


@pytest.mark.parametrize("name", ["global variable", "dict of the class", "one list in two fields"])
def test_a_restore_is_tried_where_no_virtual_peer_had_one(name: str, tmp_path: Path, mirrors: list[Mirror]) -> None:
    spec = write_app(tmp_path, BAD[name])
    applications, referee = Applications([spec]), Referee()
    ApplicationMachine("a", applications.make(), referee).apply(1, log(applications))
    mirrors.append(Mirror([spec]))
    with pytest.raises(Broken, match=r"a process that began with the snapshot at \d+ has other state"):
        mirrors[0].look(referee)


def test_every_planted_application_is_tried() -> None:
    assert {*FOUND, *ELSEWHERE} == set(BAD)


def test_a_mirror_whose_process_is_gone_says_so(tmp_path: Path, mirrors: list[Mirror]) -> None:
    spec = write_app(tmp_path, GOOD)
    referee = play(spec)
    (tmp_path / "notes.py").write_text("raise SystemExit(3)", encoding="utf-8")
    mirrors.append(Mirror([spec]))
    with pytest.raises((RuntimeError, BrokenPipeError)):
        mirrors[0].look(referee)


def test_logs_that_forked_are_not_compared(tmp_path: Path) -> None:
    """Two servers may write different entries at one index: those are two histories, and no fault."""
    applications, referee = Applications([write_app(tmp_path, GOOD)]), Referee()
    entries = log(applications)
    other = [*entries[:10], *(msgspec.structs.replace(e, holder="b", seed=0) for e in entries[10:])]
    ApplicationMachine("a", applications.make(), referee).apply(1, entries)
    ApplicationMachine("b", applications.make(), referee).apply(1, other)


# Loading


def test_each_process_has_module_variables_of_its_own(tmp_path: Path) -> None:
    applications = Applications([write_app(tmp_path, BAD["global variable"])])
    one, other = applications.make()["notes"], applications.make()["notes"]
    assert type(one) is not type(other)
    assert type(one).put.__globals__["seen"] is not type(other).put.__globals__["seen"]  # type: ignore[attr-defined]


def test_two_applications_of_one_name_are_refused(tmp_path: Path) -> None:
    spec = write_app(tmp_path, GOOD)
    with pytest.raises(LoadError, match="an application 'notes' already"):
        Applications([spec, spec])


# Arguments

TYPES = """
class Place(msgspec.Struct):
    x: Annotated[int, msgspec.Meta(ge=5, le=7)]
    name: str = ""


class Notes(Application):
    value: int

    @command
    def put(
        self, ctx: Context, a: int, b: float, c: bool, d: bytes, e: str | bytes | None, f: list[int],
        g: dict[str, bool], h: Literal["x", "y"], i: Place, j: tuple[int, str], k: int | None, l: Any,
        m: Annotated[str, msgspec.Meta(min_length=3, max_length=4)], n: Annotated[int, msgspec.Meta(gt=100)] = 101,
    ) -> None:
        self.value += 1
"""


def drawn(spec: str, count: int) -> Sequence[dict[str, object]]:
    applications, rng = Applications([spec]), Random(1)
    commands = Commands(applications.classes)
    return [msgspec.msgpack.decode(commands.draw(rng)[2]) for _ in range(count)]


def test_arguments_of_every_type_are_made_up(tmp_path: Path) -> None:
    found = drawn(write_app(tmp_path, TYPES), 300)
    assert {a["h"] for a in found} == {"x", "y"}
    assert {a["c"] for a in found} == {True, False}
    assert {a["i"]["x"] for a in found} <= {5, 6, 7}  # type: ignore[index]
    assert all(3 <= len(a["m"]) <= 4 for a in found)  # type: ignore[arg-type]
    assert 0 < sum("n" in a for a in found) < 300
    assert len({str(a["a"]) for a in found}) >= 4


def test_commands_meet_on_the_same_keys() -> None:
    """Of keys that are never the same nothing can be learned."""
    keys = [a["key"] for a in drawn("kv", 200) if "key" in a]
    assert len(set(keys)) < 10


def test_arguments_that_never_fit_are_told(tmp_path: Path) -> None:
    body = TYPES.replace("max_length=4", "max_length=4, pattern='^never$'")
    with pytest.raises(CannotMake, match=r"no arguments could be made up for notes put .*matching regex"):
        drawn(write_app(tmp_path, body), 1)


def test_an_application_without_commands_is_refused(tmp_path: Path) -> None:
    body = "class Notes(Application):\n    @query\n    def get(self, ctx: Context) -> int:\n        return 1\n"
    with pytest.raises(CannotMake, match="no command"):
        drawn(write_app(tmp_path, body), 1)


def test_the_head_has_what_the_applications_import() -> None:
    compile(HEAD, "head", "exec")
