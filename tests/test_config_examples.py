"""The examples: each loads, and is what its comment says."""

from importlib import resources

import pytest

from tanist.config import PeerConfig, examples, load
from tanist.election.settings import PACES, Safety


def files() -> list[str]:
    return sorted(f.name for f in resources.files(examples).iterdir() if f.name.endswith((".yaml", ".json")))


def example(name: str) -> PeerConfig:
    with resources.as_file(resources.files(examples) / name) as path:
        return load(path, {}, {}).config


def test_every_example_is_looked_at_here() -> None:
    assert files() == ["c1.json", "c2.json", "fast-tests.yaml", "quorum.yaml", "three-laptops.yaml"]


@pytest.mark.parametrize("name", files())
def test_every_example_loads(name: str) -> None:
    assert example(name).election()


def test_three_laptops_survive() -> None:
    config = example("three-laptops.yaml")
    assert (config.safety, len(config.peers), config.pace) == (Safety.SURVIVOR, 3, PACES["lan"])


def test_quorum_is_founded_by_those_it_names() -> None:
    config = example("quorum.yaml")
    assert (config.safety, config.expect, len(config.peers)) == (Safety.QUORUM, 3, 2)


def test_fast_tests_take_any_port() -> None:
    config = example("fast-tests.yaml")
    assert config.listen.endswith(":0") and config.http.endswith(":0") and config.pace == PACES["fast"]


def test_the_turn_games_servers_are_each_others_reserve() -> None:
    first, second = example("c1.json"), example("c2.json")
    assert (first.peers, second.peers) == ((second.listen,), (first.listen,))
    assert first.cluster == second.cluster and first.name != second.name
