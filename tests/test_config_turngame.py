"""The turn game's own file: taken as it is, and refused with its own words."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tanist.config import ConfigError, Gateway, load


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    monkeypatch.chdir(tmp_path)

    def write(value: Any) -> Path:
        path = tmp_path / "c1.json"
        path.write_text(json.dumps(value), encoding="utf-8")
        return path.relative_to(tmp_path)

    return write


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, {}, {})
    return str(caught.value)


@pytest.mark.parametrize("port", ["8080", 8080])
def test_the_original_file_is_taken_as_it_is(file: Callable[..., Path], port: Any) -> None:
    config = load(file({"host": "127.0.0.1", "port": port, "reserve": ["127.0.0.1:8081"]}), {}, {}).config
    assert config.gateways == (Gateway(app="tictactoe", protocol="turngame", host="127.0.0.1", port=8080),)
    assert (config.listen, config.peers) == ("127.0.0.1:9080", ("127.0.0.1:9081",))
    assert [app.name for app in config.apps] == ["tictactoe"]
    assert config.name == "127.0.0.1-8080"
    assert config.data_directory.parts[-2:] == ("turngame", "127.0.0.1-8080")
    assert config.given("listen") and not config.given("http") and not config.discovery


def test_a_server_without_reserves_and_one_on_every_interface(file: Callable[..., Path]) -> None:
    config = load(file({"host": "0.0.0.0", "port": "8080"}), {}, {}).config
    assert (config.listen, config.peers) == ("0.0.0.0:9080", ())


def test_an_ipv6_host(file: Callable[..., Path]) -> None:
    config = load(file({"host": "::1", "port": 8080, "reserve": ["[::1]:8081"]}), {}, {}).config
    assert (config.listen, config.peers) == ("[::1]:9080", ("[::1]:9081",))
    assert config.gateways[0].address == "[::1]:8080"


def test_flags_go_over_it(file: Callable[..., Path]) -> None:
    config = load(
        file({"host": "127.0.0.1", "port": 8080}), {}, {"cluster": "mine", "name": "a", "pace": "fast"}
    ).config
    assert (config.cluster, config.name, config.listen) == ("mine", "a", "127.0.0.1:9080")


def test_everything_wrong_with_it_at_once(file: Callable[..., Path]) -> None:
    told = refusal(file({"host": "a b", "port": 8080, "reserve": ["x", 3, "a:65000"], "reserv": []}))
    assert told.count("\n") == 4
    assert 'no key "reserv"; did you mean "reserve"?' in told and "names no host" in told


@pytest.mark.parametrize("port", ["x", 0, 65000, None, "8080x", True])
def test_a_port_leaves_room_for_the_peers(file: Callable[..., Path], port: Any) -> None:
    assert refusal(file({"host": "127.0.0.1", "port": port})).startswith("c1.json:1:31: port: ")


def test_a_reserve_that_is_no_list(file: Callable[..., Path]) -> None:
    assert 'write ["127.0.0.1:8081"]' in refusal(file({"host": "h", "port": 1, "reserve": "h:2"}))


def test_the_clients_file_is_not_taken_for_the_servers(file: Callable[..., Path]) -> None:
    assert "the turn game's client" in refusal(file({"servers": ["127.0.0.1:8080"]}))


def test_our_own_file_with_these_words_is_not_taken_for_it(file: Callable[..., Path]) -> None:
    assert 'unknown key "host"; did you mean "listen"?' in refusal(file({"host": "h", "port": 1, "cluster": "c"}))
