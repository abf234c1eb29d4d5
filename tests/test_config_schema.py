"""The configuration itself: what follows from it, and what the core is told."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tanist.config.schema import PeerConfig, default_data, host_name
from tanist.config.sections import Heal, Preempt, Snapshot, Sync
from tanist.config.values import NAME_CHARS_MAX
from tanist.election.settings import PACES, ElectionSettings, Safety, Serve


def test_the_core_is_told_everything_it_takes() -> None:
    config = PeerConfig(
        safety=Safety.QUORUM,
        pace=PACES["fast"],
        serve=Serve.NEVER,
        priority=7,
        expect=3,
        sync=Sync(successors=2, strict=True),
        fallbacks=4,
        snapshot=Snapshot(every=10, keep=1),
        heal=Heal(keep=3),
        preempt=Preempt.IDLE,
        preempt_after_s=5,
        forget_after_s=7,
        discovery=True,
    )
    told = config.election()
    # Every field differs from its default, so that one left out would show.
    default = ElectionSettings()
    for field in msgspec.structs.fields(ElectionSettings):
        assert getattr(told, field.name) != getattr(default, field.name), field.name
    assert (told.sync_successors, told.sync_strict, told.snapshot_every, told.snapshot_keep) == (2, True, 10, 1)


def test_the_defaults_are_the_cores_own() -> None:
    told = PeerConfig().election()
    assert told == ElectionSettings(discovery=True)


def test_data_follows_from_cluster_and_name_also_when_the_name_moves() -> None:
    config = PeerConfig(cluster="c", name="host")
    moved = msgspec.structs.replace(config, name="host-2")
    assert config.data_directory == default_data("c", "host")
    assert moved.data_directory == default_data("c", "host-2")
    assert msgspec.structs.replace(config, data="/x").data_directory == Path("/x")


def test_a_config_made_directly_counts_what_differs_as_given() -> None:
    config = PeerConfig(listen="127.0.0.1:7500")
    assert config.given("listen") and not config.given("http") and not config.given("pace")


@pytest.mark.parametrize(
    ("machine", "expected"),
    [("box.example.org", "box"), ("Ana's MacBook", "Ana-s-MacBook"), ("ñ", "peer"), ("", "peer"), ("x" * 99, "x" * 60)],
)
def test_the_hosts_name_becomes_a_valid_one(monkeypatch: pytest.MonkeyPatch, machine: str, expected: Any) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: machine)
    assert host_name() == expected
    assert len(f"{host_name()}-99") <= NAME_CHARS_MAX
