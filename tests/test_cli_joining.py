"""What a peer says when it is up: the command it names must be one that works."""

from pathlib import Path

import msgspec
import pytest

from tanist.config import PeerConfig, load
from tanist.peer.cli import joining
from tanist.peer.cli.joining import introduction, join_command
from tanist.peer.status import Status, TermView

STATUS = Status(
    cluster="home",
    id="p1",
    name="anna",
    address="127.0.0.1:7400",
    http="127.0.0.1:7480",
    role="seeking",
    safety="survivor",
    term=TermView(0, ""),
    server=None,
    fallbacks=[],
    members=[],
    commit=0,
    applied=0,
    durability="",
    reach=1,
    since="",
    version="0.1.0",
    apps=[],
)


def told(http: str = "127.0.0.1:7480", address: str = "127.0.0.1:7400", **flags: object) -> str:
    config = load(None, {}, flags).config
    return introduction(config, msgspec.structs.replace(STATUS, address=address), http)


def test_on_loopback_it_names_the_command_for_this_machine_and_what_others_need() -> None:
    lines = told().splitlines()
    assert "tanist up --peer 127.0.0.1:7400" in lines[4]
    assert "start this one with --listen 0.0.0.0:7400" in lines[5]


def test_who_listens_to_all_and_has_no_network_is_not_told_to_do_so() -> None:
    lines = told(listen="0.0.0.0:7400").splitlines()
    assert "start this one with --advertise ADDRESS:7400" in lines[5]


def test_on_the_network_it_names_an_address_that_others_can_dial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "own_address", lambda: "192.168.1.5")
    text = told(address="0.0.0.0:7400", http="0.0.0.0:7480")
    assert "tanist up --listen 0.0.0.0:7400 --peer 192.168.1.5:7400" in text
    assert "http://127.0.0.1:7480/" in text
    assert "--peer [fd00::5]:7400" in told(address="[::]:7400", advertise="[fd00::5]:7400").replace("'", "")


def test_the_command_makes_a_peer_of_the_same_cluster(tmp_path: Path) -> None:
    config = load(
        None,
        {},
        {
            "app": ["kv", f"{tmp_path}/my notes.py:Notes"],
            "cluster": "home",
            "safety": "quorum",
            "expect": 3,
            "pace": "lan",
        },
    ).config
    assert join_command(config, "10.0.0.5:7400") == (
        "tanist up --app kv --app 'my notes.py:Notes' --cluster home --safety quorum --expect 3 --pace lan "
        "--peer 10.0.0.5:7400"
    )
    assert join_command(PeerConfig(), "10.0.0.5:7400") == "tanist up --peer 10.0.0.5:7400"
