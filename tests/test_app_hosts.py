"""The dynamic server: a ranking without gaps that does not flap, silent hosts, fallbacks that live."""

import uuid
from collections.abc import Iterator

import pytest
from app_room import Room, room_of
from hypothesis import given
from hypothesis import strategies as st

from tanist.election.entries import Kind
from tanist.peer.apps import hosts as module
from tanist.peer.apps.hostpoints import Load, points
from tanist.peer.apps.hosts import KEPT_S, PULSE_S, Hosts
from tanist.peer.apps.hoststate import PULSES_MISSED
from tanist.peer.errors import Refused

SILENT_S = PULSE_S * PULSES_MISSED
PERCENTS = st.one_of(st.integers(0, 100), st.floats(0, 100))


@pytest.fixture
def room() -> Iterator[Room]:
    with room_of(Hosts, "ab") as room:
        yield room


def load(cpu: float = 10.0, ram: float = 1000.0, bandwidth: float = 100.0, disk: float = 50.0) -> dict[str, float]:
    return {"cpu": cpu, "ram": ram, "total": 8000.0, "bandwidth": bandwidth, "disk": disk}


def peer(room: Room, id: str, *, serves: bool = False, cpu: float = 10.0) -> None:
    room.call("a", "load", id, f"10.0.1.{len(id)}", f"peer-{id}", load(cpu), serves)


def foreign(room: Room, name: str, ip: str = "10.0.0.1", cpu: float = 10.0) -> str:
    """A host that is known by now; its id."""
    id: str = room.call("a", "report", "No-Id", ip, name, load(cpu))["id"]
    assert room.call("a", "report", id, ip, name, load(cpu))["known"]
    return id


def ranking(room: Room) -> list[str]:
    return [device["name"] for device in room.ask("a", "table")["clients"]]


def statuses(room: Room) -> dict[str, str]:
    return {device["name"]: device["status"] for device in room.ask("a", "table")["clients"]}


def test_the_table_has_the_servers_device_and_all_machines(room: Room) -> None:
    assert room.said("b", "table")[:2] == ["Device information", "the server has not reported yet"]
    peer(room, "p", serves=True, cpu=42.25)
    foreign(room, "laptop", cpu=9)
    assert room.said("b", "table") == [
        "Device information",
        "name       peer-p, the server",
        "CPU        42.2 %",
        "RAM        1000 of 8000 MB",
        "bandwidth  100.0 MB free",
        "disk       50.0 GB free",
        "",
        "Clients",
        "rank  name    CPU %       RAM MB  bandwidth MB  disk GB  status",
        "   1  laptop    9.0  1000 / 8000         100.0     50.0  host",
        "   2  peer-p   42.2  1000 / 8000         100.0     50.0  server",
    ]


def test_the_whole_range_has_its_rank_and_ties_go_by_id(room: Room) -> None:
    for id, cpu in (("a", 100.0), ("b", 0.0), ("c", 10.5), ("e", 55.0), ("d", 55.0)):
        peer(room, id, cpu=cpu)
    assert ranking(room) == ["peer-b", "peer-c", "peer-d", "peer-e", "peer-a"]


@given(PERCENTS, PERCENTS)
def test_less_of_everything_never_has_more_points(one: float, other: float) -> None:
    low, high = sorted((float(one), float(other)))
    for better, worse in (
        (Load(low, 1, 8, 10, 10), Load(high, 1, 8, 10, 10)),
        (Load(5, low, 100, 10, 10), Load(5, high, 100, 10, 10)),
        (Load(5, 1, 8, high * 20, 10), Load(5, 1, 8, low * 20, 10)),
        (Load(5, 1, 8, 10, high * 20), Load(5, 1, 8, 10, low * 20)),
    ):
        assert sum(points(better, [])) <= sum(points(worse, []))


@given(PERCENTS, PERCENTS)
def test_from_any_points_all_others_can_be_reached(before: float, now: float) -> None:
    was = points(Load(before, before, 100, 1, 1), [])
    held = points(Load(now, now, 100, 1, 1), was)
    plain = points(Load(now, now, 100, 1, 1), [])
    assert max(abs(a - b) for a, b in zip(held, plain, strict=True)) <= 1
    assert points(Load(0, 0, 100, 1e4, 1e4), was) == [0, 0, 0, 0]
    assert points(Load(100, 100, 100, 0, 0), was) == [9, 9, 4, 4]


def test_a_load_that_wavers_around_a_bound_changes_no_rank(room: Room) -> None:
    peer(room, "a", cpu=30.5)
    peer(room, "b", cpu=29.5)
    before = ranking(room)
    for cpu in (29.0, 31.0, 28.5, 30.0):
        peer(room, "a", cpu=cpu)
        peer(room, "b", cpu=60 - cpu)
        assert ranking(room) == before
    peer(room, "a", cpu=27.9)
    assert ranking(room) == ["peer-a", "peer-b"], "well beyond the bound it counts"


def test_a_new_host_gets_an_id_and_is_taken_with_it(room: Room) -> None:
    first = room.call("a", "report", "No-Id", "10.0.0.1", "laptop", load())
    assert uuid.UUID(first["id"]).version == 4
    assert (first["known"], first["fallback"]) == (False, "")
    assert ranking(room) == []
    again = room.call("a", "report", first["id"], "10.0.0.1", "laptop", load())
    assert again == {"known": True, "id": first["id"], "fallback": "10.0.0.1"}
    other = room.call("a", "report", str(uuid.uuid4()), "10.0.0.2", "stranger", load())
    assert not other["known"] and other["id"] != first["id"]


def test_nobody_reports_under_a_peers_id(room: Room) -> None:
    peer(room, "p", serves=True)
    assert not room.call("a", "report", "p", "10.0.0.9", "thief", load())["known"]
    assert statuses(room) == {"peer-p": "server"}


def test_the_fallback_is_a_live_peer_before_another_host_before_the_host_itself(room: Room) -> None:
    peer(room, "p", serves=True)
    one = foreign(room, "one", "10.0.0.1", cpu=90)
    assert room.call("a", "report", one, "10.0.0.1", "one", load())["fallback"] == "10.0.0.1"
    two = foreign(room, "two", "10.0.0.2")
    assert room.call("a", "report", one, "10.0.0.1", "one", load())["fallback"] == "10.0.0.2"
    peer(room, "qq", cpu=99)
    assert room.call("a", "report", one, "10.0.0.1", "one", load())["fallback"] == "10.0.1.2"
    room.wait(SILENT_S / 2)
    room.call("a", "report", two, "10.0.0.2", "two", load())
    room.wait(SILENT_S / 2)
    assert room.call("a", "report", one, "10.0.0.1", "one", load())["fallback"] == "10.0.0.2", "the peer is silent"
    room.wait(SILENT_S)
    assert room.call("a", "report", one, "10.0.0.1", "one", load())["fallback"] == "10.0.0.1", "all others are"


def test_a_server_that_died_is_no_fallback_from_the_moment_that_another_serves(room: Room) -> None:
    def fallback() -> str:
        return str(room.call("a", "report", one, "10.0.0.1", "one", load(90))["fallback"])

    one = foreign(room, "one", "10.0.0.1", cpu=90)
    peer(room, "p", serves=True, cpu=0)
    peer(room, "qq", cpu=50)
    assert fallback() == "10.0.1.2"
    peer(room, "qq", serves=True, cpu=50)
    assert fallback() == "10.0.0.1", "p has not been heard of since"
    peer(room, "rrr", cpu=80)
    assert fallback() == "10.0.1.3"
    peer(room, "p", cpu=0)
    assert fallback() == "10.0.1.1", "it had handed over"


def test_who_misses_two_pulses_is_silent_at_its_time_and_not_before(room: Room) -> None:
    peer(room, "p", serves=True, cpu=0)
    peer(room, "q", cpu=90)
    room.drain("b")
    room.wait(SILENT_S - 0.001)
    peer(room, "q", cpu=90)
    assert statuses(room) == {"peer-p": "server", "peer-q": "client"}
    room.restart()
    room.wait(0.001)
    assert statuses(room) == {"peer-p": "silent", "peer-q": "client"}
    assert ranking(room) == ["peer-q", "peer-p"]
    peer(room, "p", serves=True, cpu=0)
    assert ranking(room) == ["peer-p", "peer-q"]
    assert room.drain("b") == ["peer-p is silent", "peer-p reports"]


def test_a_failover_is_one_missed_pulse_however_long_it_takes(room: Room) -> None:
    peer(room, "p", serves=True)
    peer(room, "q")
    room.time_ns += int(60e9)  # Nobody serves: no timer fires, and nobody reports.
    for due in room.machine.due_timers(room.time_ns):
        room._apply(Kind.TIMER, due)
    assert statuses(room) == {"peer-p": "server", "peer-q": "client"}
    room.wait(PULSE_S - 0.001)
    peer(room, "q", serves=True)
    room.wait(0.001)
    assert statuses(room) == {"peer-p": "silent", "peer-q": "server"}


def test_only_one_serves(room: Room) -> None:
    peer(room, "p", serves=True)
    peer(room, "q", serves=True)
    assert statuses(room) == {"peer-p": "client", "peer-q": "server"}
    assert room.ask("a", "table")["server"]["name"] == "peer-q"


def test_only_a_live_peer_that_is_clearly_better_had_better_serve(room: Room) -> None:
    def better(id: str) -> str:
        return str(room.machine.query("hosts", "better", [id], internal=True))

    peer(room, "p", serves=True, cpu=45)
    peer(room, "q", cpu=25)
    foreign(room, "laptop", cpu=0)
    assert better("p") == better("q") == "", "a little better is not worth it, and a foreign host cannot serve"
    peer(room, "q", cpu=5)
    assert better("p") == "q"
    assert better("q") == "", "the best never gives way to itself"
    room.wait(SILENT_S / 2)
    peer(room, "p", serves=True, cpu=45)
    room.wait(SILENT_S / 2)
    assert better("p") == "", "a silent one serves nobody"


@pytest.mark.parametrize(
    "figures",
    [
        load(cpu=-0.1),
        load(cpu=100.1),
        load(cpu=float("nan")),
        load(ram=-1),
        load(ram=8000.5),
        load(bandwidth=-1),
        load(disk=float("inf")),
        load() | {"total": 0.0, "ram": 0.0},
    ],
)
def test_bad_figures_are_refused_and_change_nothing(room: Room, figures: dict[str, float]) -> None:
    id = foreign(room, "laptop", cpu=50)
    assert room.refused("a", "report", id, "10.0.0.1", "laptop", figures) == "bad_figure"
    assert room.refused("a", "report", "No-Id", "10.0.0.1", "laptop", figures) == "bad_figure"
    (row,) = room.ask("a", "table")["clients"]
    assert row["load"]["cpu"] == 50


def test_bad_addresses_and_names_are_refused(room: Room) -> None:
    assert room.refused("a", "report", "No-Id", "10.0.0.300", "laptop", load()) == "bad_ip"
    assert room.refused("a", "report", "No-Id", "10.0.0.3", "two\nlines", load()) == "bad_name"


def test_hosts_are_bounded_and_a_silent_one_gives_way(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HOSTS_MAX", 2)
    one = foreign(room, "one")
    foreign(room, "two")
    with pytest.raises(Refused, match="2 machines report"):
        foreign(room, "three")
    room.wait(SILENT_S / 2)
    room.call("a", "report", one, "10.0.0.1", "one", load())
    room.wait(SILENT_S / 2)
    foreign(room, "three")
    assert sorted(ranking(room)) == ["one", "three"]


def test_one_that_never_came_back_with_its_id_gives_way_first(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HOSTS_MAX", 2)
    foreign(room, "laptop")
    room.call("a", "report", "No-Id", "10.0.0.2", "passer-by", load())
    room.wait(SILENT_S)
    room.call("a", "report", "No-Id", "10.0.0.3", "another", load())
    assert statuses(room) == {"laptop": "silent"}


def test_who_stays_silent_for_a_day_is_forgotten(room: Room) -> None:
    laptop = foreign(room, "laptop")
    room.wait(SILENT_S + KEPT_S - 0.001)
    assert statuses(room) == {"laptop": "silent"}
    room.wait(0.001)
    assert statuses(room) == {}
    assert not room.call("a", "report", laptop, "10.0.0.1", "laptop", load())["known"]
    assert room.machine.next_timer_ns() is not None


def test_machines_have_names_as_long_as_hosts_have(room: Room) -> None:
    name = "a" * 253
    foreign(room, name)
    assert ranking(room) == [name]
    assert room.refused("a", "report", "No-Id", "", name + "a", load()) == "bad_name"
