"""The containers of the lantern, as far as they can be checked without any: files, commands, addresses, ports."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tanist.config import PeerConfig, load
from tanist.peer.cli.verbs import app, run

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "config" / "examples" / "lantern"
COMPOSE: dict[str, Any] = yaml.safe_load((EXAMPLE / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STANDS = [name for name, service in SERVICES.items() if service["command"][0] == "up"]
LANTERNS = [name for name, service in SERVICES.items() if service["command"][0] == "lantern"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DOCKERFILE = (EXAMPLE / "Dockerfile").read_text("utf-8")


def config_of(name: str) -> PeerConfig:
    """What a stand runs with."""
    flags: dict[str, Any] = {}
    for word in SERVICES[name]["command"][1:]:
        flag, _, value = word.removeprefix("--").partition("=")
        flags[flag] = [*flags.get(flag, []), value] if flag == "gateway" else value
    return load(None, SERVICES[name]["environment"], flags).config


def test_there_are_three_stands_and_two_lanterns() -> None:
    assert (STANDS, LANTERNS) == (["stand-1", "stand-2", "stand-3"], ["lantern-1", "lantern-2"])


@pytest.mark.parametrize("name", STANDS)
def test_each_stand_can_be_started(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in SERVICES[name]["environment"].items():
        monkeypatch.setenv(variable, value)
    assert run(["config", "check", *SERVICES[name]["command"][1:]]) == 0
    config = config_of(name)
    assert (config.name, config.advertise) == (name, f"{name}:7400")
    assert config.listen == "0.0.0.0:7400"
    assert [address.partition(":")[0] for address in config.peers] == STANDS
    assert {gateway.protocol for gateway in config.gateways} == {"tlv", "api", "page"}
    assert all(gateway.host == "0.0.0.0" for gateway in config.gateways), "containers reach no other's loopback"


def test_what_is_published_is_listened_to_at_the_same_port_once() -> None:
    seen = []
    for name in STANDS:
        ports = {str(g.port) for g in config_of(name).gateways if g.protocol in ("api", "page")}
        published = [port.split(":") for port in SERVICES[name]["ports"]]
        # The page calls the API at the port that its own peer knows: another one outside would not be found.
        assert all(outside == inside for outside, inside in published)
        assert {outside for outside, _ in published} == ports
        seen += [outside for outside, _ in published]
    assert len(set(seen)) == len(seen)


def test_lanterns_hang_at_the_name_that_all_stands_share() -> None:
    for lantern in LANTERNS:
        verb, address = SERVICES[lantern]["command"]
        assert verb in app
        alias, _, port = address.partition(":")
        for name in STANDS:
            assert alias in SERVICES[name]["networks"]["default"]["aliases"]
            assert int(port) in {g.port for g in config_of(name).gateways if g.protocol == "tlv"}
        assert set(SERVICES[lantern]["depends_on"]) <= set(STANDS)


def test_each_stand_keeps_its_data_in_a_volume_of_its_own() -> None:
    volumes = [volume.split(":") for name in STANDS for volume in SERVICES[name]["volumes"]]
    assert {volume for volume, _ in volumes} == set(COMPOSE["volumes"]) and len(volumes) == len(STANDS)
    assert {str(config_of(name).data) for name in STANDS} == {place for _, place in volumes} == {"/data"}


def test_the_image_is_built_from_what_is_there() -> None:
    for service in SERVICES.values():
        build = service["build"]
        context = (EXAMPLE / build["context"]).resolve()
        assert context == ROOT
        assert (context / build["dockerfile"]).is_file()
    copied = [word for line in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()]
    assert all((ROOT / name).exists() for name in copied)
    assert {"pyproject.toml", "requirements.txt", "README.md", "LICENSE"} <= set(copied), "the wheel needs these"
    assert {"election", "transport", "config", "peer"} <= set(copied)


def test_the_image_starts_tanist_in_a_python_that_it_runs_in() -> None:
    match = re.search(r"^FROM python:3\.(\d+)-slim$", DOCKERFILE, re.MULTILINE)
    assert match is not None
    assert f"Programming Language :: Python :: 3.{match[1]}" in PROJECT["classifiers"]
    assert 'ENTRYPOINT ["tanist"]' in DOCKERFILE and "tanist" in PROJECT["scripts"]
