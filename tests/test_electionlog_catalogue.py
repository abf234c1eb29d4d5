"""The catalogue: names are unique and fixed, templates name only fields that exist, and nothing else is emitted."""

import importlib
import pkgutil
from collections.abc import Iterator

import msgspec
import pytest

from tanist import config, election, peer, transport
from tanist.election.events import EVENTS, Event
from tanist.election.settings import Safety
from tanist.election.simulation import swarm
from tanist.election.simulation.life import Life
from tanist.election.simulation.outcome import Options
from tanist.peer.electionlog.catalogue import CATALOGUE, LEVELS, PEER_EVENTS, at_least
from tanist.peer.electionlog.line import as_json, make_line, parse
from tanist.peer.electionlog.peer_events import PeerEvent
from tanist.peer.electionlog.reference import template_fields

ALL = [pytest.param(name, cls, id=name) for name, cls in CATALOGUE.items()]


def test_no_event_of_the_peer_takes_a_name_of_the_core() -> None:
    assert not EVENTS.keys() & PEER_EVENTS.keys()
    assert len(CATALOGUE) == len(EVENTS) + len(PEER_EVENTS)


def test_the_peers_events_are_all_there_and_their_base_is_not() -> None:
    assert {"peer_started", "clients_waited", "dial_failed", "application_fault"} <= PEER_EVENTS.keys()
    assert "peer_event" not in CATALOGUE


@pytest.mark.parametrize(("name", "cls"), ALL)
def test_an_event_knows_its_name(name: str, cls: type[Event]) -> None:
    assert cls.kind() == name


@pytest.mark.parametrize(("name", "cls"), ALL)
def test_a_template_names_only_fields_the_event_has(name: str, cls: type[Event]) -> None:
    assert cls.line, f"{name} has no template for people"
    assert template_fields(cls) <= {field.name for field in msgspec.structs.fields(cls)}


@pytest.mark.parametrize(("name", "cls"), ALL)
def test_a_level_is_one_of_the_levels_and_a_meaning_is_written(name: str, cls: type[Event]) -> None:
    assert cls.level in LEVELS
    assert cls.__doc__ and cls.__doc__ != Event.__doc__, f"{name} has no docstring"


def test_levels_are_ordered_and_an_unknown_one_counts_as_info() -> None:
    assert at_least("error", "warning") and not at_least("debug", "info")
    assert at_least("from a newer version", "info") and not at_least("from a newer version", "warning")


def kinds_of(cls: type[Event]) -> Iterator[type[Event]]:
    """All classes of events that there are below one."""
    for below in cls.__subclasses__():
        yield below
        yield from kinds_of(below)


def test_every_event_that_any_module_defines_is_in_the_catalogue() -> None:
    for package in (election, transport, config, peer):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    defined = {cls for cls in kinds_of(Event) if cls.__module__.startswith("tanist.")} - {PeerEvent}
    assert defined == set(CATALOGUE.values())


@pytest.mark.parametrize("safety", list(Safety), ids=str)
def test_every_event_of_a_simulated_life_reads_back_as_the_catalogue_has_it(safety: Safety) -> None:
    life = Life(swarm.draw(1, Options(safety=safety), codec=False))
    life.run()
    seen = [event for peer in life.world.peers.values() for _, event in peer.events]
    assert len({type(event) for event in seen}) > 10
    for event in seen:
        line = make_line(event, cluster="c", peer="p", name="n", incarnation="1-1", seq=1, wall_ms=0, mono_ms=0.0)
        assert parse(as_json(line).encode()).body == event
