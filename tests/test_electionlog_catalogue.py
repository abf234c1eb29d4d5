"""The catalogue: names are unique and fixed, templates name only fields that exist."""

import msgspec
import pytest

from tanist.election.events import EVENTS, Event
from tanist.peer.electionlog.catalogue import CATALOGUE, LEVELS, PEER_EVENTS, at_least
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
