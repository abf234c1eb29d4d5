"""What clients ask of applications in a virtual life, and how their answers are looked at."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec
import pytest
from simulated_apps import GOOD, write_app

from tanist.election.archived import ArchivedEntry, HealBegun, heal_body
from tanist.election.entries import Command, Entry, Kind, SessionOpened
from tanist.election.history import Term
from tanist.election.sessions import UNKNOWN_SESSION
from tanist.election.settings import Safety
from tanist.election.simulation.broken import Broken
from tanist.peer.application.heals import HealRecords
from tanist.peer.application.replies import decode_reply, encode_error, encode_result
from tanist.peer.errors import Refused
from tanist.peer.simulate.guest import ApplicationGuest
from tanist.peer.simulate.kv_history import kv_history
from tanist.peer.simulate.loading import Applications
from tanist.peer.simulate.machines import ApplicationMachine
from tanist.peer.simulate.mirror import Mirror
from tanist.peer.simulate.referee import Referee

pack = msgspec.msgpack.encode


@dataclass
class Told:
    """An operation as a virtual client saw it."""

    process: str
    name: str
    body: bytes
    reply: bytes
    outcome: str
    invoked_at: int
    returned_at: int


def wrote(at: int, name: str, reply: bytes = b"", app: str = "kv", **arguments: object) -> Told:
    """A command; without a reply nobody knows whether it was done."""
    body = pack(Command("s1", 1, 1, app, name, msgspec.Raw(pack(arguments))))
    return Told("s1", "command", body, reply, "ok" if reply else "open", at, at + 5 if reply else -1)


def read(at: int, name: str, reply: bytes, **arguments: object) -> Told:
    """A linearizable query."""
    return Told("s2", "read", pack(("kv", name, pack(arguments))), reply, "ok" if reply else "failed", at, at + 5)


@pytest.fixture
def guest() -> Iterator[ApplicationGuest]:
    """The application `kv` as a guest."""
    mirror = Mirror(["kv"])
    yield ApplicationGuest(Applications(["kv"]), mirror)
    mirror.close()


def test_what_clients_of_kv_saw_becomes_a_history() -> None:
    refused = encode_error("bad_key", "no")
    history = [
        wrote(0, "set", encode_result("OK"), key="a", value="1"),
        wrote(10, "incr", encode_result(2), key="a"),
        wrote(20, "incr", key="a", by=3),
        wrote(30, "cas", encode_result(False), key="a", old=None, new="x"),
        wrote(40, "set", refused, key="", value="1"),
        read(50, "get", encode_result("5"), key="a"),
        read(60, "keys", encode_result(["a"])),
        wrote(70, "del", encode_result(True), key="a"),
        wrote(80, "write", encode_result(1), app="demo", number=1),
    ]
    assert [str(o) for o in kv_history(history)] == [
        "s1: set a '1' -> 'OK'",
        "s1: incr a 1 -> 2",
        "s1: incr a 3 -> ?",
        "s1: cas a nothing 'x' -> False",
        "s1: set  '1' failed",
        "s2: get a -> '5'",
        "s1: del a -> True",
    ]


def test_a_history_of_kv_ends_where_its_model_knows_no_more() -> None:
    history = [
        wrote(0, "set", encode_result("OK"), key="a", value="1"),
        wrote(7, "incr", encode_result(1), key="a"),
        wrote(10, "clear", encode_result(1)),
        wrote(20, "incr", encode_result(1), key="a"),
    ]
    assert [str(o) for o in kv_history(history)] == ["s1: set a '1' -> 'OK'", "s1: incr a 1 -> ?"]
    assert len(kv_history([wrote(0, "publish", encode_result("OK"), channel="c"), history[0]])) == 1


def test_every_second_life_draws_only_what_the_model_of_kv_knows() -> None:
    with contextlib.closing(Mirror(["kv"])) as mirror:
        for seed, all_of_them in ((2, False), (3, True)):
            guest, rng = ApplicationGuest(Applications(["kv"]), mirror, seed), Random(1)
            names = {msgspec.msgpack.decode(guest.command(rng, "s", 1), type=Command).name for _ in range(200)}
            assert ({"clear", "put", "expire"} <= names) is all_of_them
            assert {"set", "incr", "cas", "del"} <= names


def test_a_stale_answer_of_kv_is_found_in_quorum_mode_alone(guest: ApplicationGuest) -> None:
    history = [
        wrote(0, "set", encode_result("OK"), key="a", value="1"),
        wrote(10, "set", encode_result("OK"), key="a", value="2"),
        read(20, "get", encode_result("1"), key="a"),
    ]
    with pytest.raises(Broken, match="linearizable: violation") as found:
        guest.look_back(history, Safety.QUORUM)
    assert "s2: get a -> '1'" in found.value.detail
    guest.look_back(history, Safety.SURVIVOR)
    guest.look_back(history[:2], Safety.QUORUM)
    assert guest.checked == 5


def test_a_reply_of_the_sessions_tells_nothing_of_the_command(guest: ApplicationGuest) -> None:
    assert guest.was_done(encode_result(None))
    assert guest.was_done(encode_error("bad_key", "refused by the application"))
    assert not guest.was_done(encode_error(UNKNOWN_SESSION, "not open"))


def test_commands_and_queries_work_on_a_machine(guest: ApplicationGuest) -> None:
    rng, machine = Random(1), guest.machine("a")
    bodies = [(Kind.SESSION_OPENED, pack(SessionOpened("s1", "p")))]
    bodies += [(Kind.COMMAND, guest.command(rng, "s1", n)) for n in range(1, 20)]
    outcomes = machine.apply(1, [Entry(1, "a", kind, n, 0, body) for n, (kind, body) in enumerate(bodies)])
    assert [outcome.sequence for outcome in outcomes] == list(range(1, 20))
    for _ in range(20):
        guest.look(machine, guest.query(rng))


def test_queries_answer_refuse_or_break(tmp_path: Path) -> None:
    body = GOOD.replace("return self.texts.get(name)", "return get(self, name)")
    body += """

def get(notes, name):
    if name == "a":
        raise Refused("not a")
    if name == "b":
        notes.seen += 1
    return {"c": "see"}[name]
"""
    spec = write_app(tmp_path, body)
    mirror = Mirror([spec])
    try:
        guest = ApplicationGuest(Applications([spec]), mirror)
        machine = guest.machine("a")

        def ask(name: str) -> bytes:
            return guest.look(machine, pack(("notes", "get", pack({"name": name}))))

        assert decode_reply(ask("c")) == "see"
        with pytest.raises(Refused, match="not a"):
            decode_reply(ask("a"))
        with pytest.raises(Broken, match="application: the query notes get: KeyError: 'd'"):
            ask("d")
        with pytest.raises(Broken, match=r"a query changed the state|KeyError: 'b'"):
            ask("b")
    finally:
        mirror.close()


def test_timers_that_are_due_are_proposed(tmp_path: Path) -> None:
    spec = write_app(tmp_path, GOOD)
    mirror = Mirror([spec])
    try:
        guest = ApplicationGuest(Applications([spec]), mirror)
        machine = guest.machine("a")
        drop = pack(Command("s1", 1, 1, "notes", "drop", msgspec.Raw(pack({"name": "x", "in_s": 2.0}))))
        opened = Entry(1, "a", Kind.SESSION_OPENED, 10**9, 0, pack(SessionOpened("s1", "p")))
        machine.apply(1, [opened, Entry(1, "a", Kind.COMMAND, 10**9, 0, drop)])
        assert guest.due(machine, 2 * 10**9) == []
        (proposal,) = guest.due(machine, 3 * 10**9)
        machine.apply(3, [Entry(1, "a", proposal.kind, 3 * 10**9, 0, proposal.body)])
        assert guest.due(machine, 9 * 10**9) == []
    finally:
        mirror.close()


def healed(guest: ApplicationGuest) -> ApplicationMachine:
    """A machine that applied a heal of one archived command."""
    machine = guest.machine("a")
    opened = Entry(1, "id-a", Kind.SESSION_OPENED, 0, 0, pack(SessionOpened("s1", "id-a")))
    command = Entry(2, "id-b", Kind.COMMAND, 0, 0, wrote(0, "put", key="a", value="1").body)
    begun = heal_body(HealBegun("3@id-a:2", 1, Term(2, "id-b"), ("id-b",), 2))
    archived = heal_body(ArchivedEntry("3@id-a:2", 2, command, True))
    kept = [(Kind.HEAL, begun), (Kind.ARCHIVED, archived)]
    machine.apply(1, [opened, *(Entry(3, "id-a", kind, 0, 0, body) for kind, body in kept)])
    return machine


def test_an_archived_entry_must_be_in_the_report_of_its_heal(
    guest: ApplicationGuest, monkeypatch: pytest.MonkeyPatch
) -> None:
    (report,) = healed(guest).machine.heals.reports.values()
    assert report.archived == 1
    # In another life: of this one it is known which state comes of that log.
    guest.referee = Referee()
    monkeypatch.setattr(HealRecords, "add", lambda *_: None)
    with pytest.raises(Broken, match=r"keeps 2 of 2@id-b, of which reports say \[\]"):
        healed(guest)
