"""Where a peer listens, and what it tells others to dial."""

import pytest

from tanist.peer import listening
from tanist.peer.listening import PORTS_TRIED_MAX, OwnAddress, as_others_reach, free_port_from, is_loopback, own_host
from tanist.transport.errors import ListenError


async def test_a_default_moves_to_the_next_free_port() -> None:
    tried: list[str] = []

    async def listen(address: str) -> str:
        tried.append(address)
        if len(tried) < 3:
            raise ListenError(address, "busy")
        return address

    assert await free_port_from("127.0.0.1:7400", listen) == "127.0.0.1:7402"
    assert tried == ["127.0.0.1:7400", "127.0.0.1:7401", "127.0.0.1:7402"]


@pytest.mark.parametrize(
    ("bound", "address", "reached"),
    [
        ("127.0.0.1:7480", "10.0.0.2:7400", "127.0.0.1:7480"),
        ("0.0.0.0:7480", "10.0.0.2:7400", "10.0.0.2:7480"),
        ("[::]:7480", "laptop.lan:7400", "laptop.lan:7480"),
        ("0.0.0.0:7480", "", "0.0.0.0:7480"),
        ("laptop.lan:7480", "10.0.0.2:7400", "laptop.lan:7480"),
    ],
)
def test_what_is_bound_everywhere_is_told_at_the_host_that_others_reach(bound: str, address: str, reached: str) -> None:
    assert as_others_reach(bound, address) == reached


async def test_when_none_is_free_the_first_is_named() -> None:
    tried: list[str] = []

    async def listen(address: str) -> str:
        tried.append(address)
        raise ListenError(address, "busy")

    with pytest.raises(ListenError, match="7400"):
        await free_port_from("127.0.0.1:7400", listen)
    assert len(tried) == PORTS_TRIED_MAX


def test_every_interface_is_advertised_as_this_machine() -> None:
    assert OwnAddress("", "127.0.0.1:7400").address == "127.0.0.1:7400"
    assert OwnAddress("anna.lan:7400", "0.0.0.0:7400").address == "anna.lan:7400"
    host = OwnAddress("", "0.0.0.0:7400").address.rpartition(":")[0]
    assert host == own_host("0.0.0.0")
    assert host not in ("0.0.0.0", "")


def test_an_address_that_is_gone_is_replaced_by_the_machines_next(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of RFC 5737: no machine has these.
    hosts = iter(["192.0.2.1", "127.0.0.1", "192.0.2.2"])
    monkeypatch.setattr(listening, "own_host", lambda unspecified: next(hosts))
    own = OwnAddress("", "0.0.0.0:7400")
    assert own.address == "192.0.2.1:7400"
    # Nobody reaches it while it has none but the loopback.
    assert (own.moved(), own.address) == (False, "192.0.2.1:7400")
    assert (own.moved(), own.address) == (True, "192.0.2.2:7400")


def test_an_address_that_was_given_or_is_still_there_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    given, bound, everywhere = (
        OwnAddress("192.0.2.1:1", "0.0.0.0:1"),
        OwnAddress("", "127.0.0.1:1"),
        OwnAddress("", "0.0.0.0:1"),
    )
    monkeypatch.setattr(listening, "own_host", lambda unspecified: "192.0.2.2")
    assert not any(own.moved() for own in (given, bound, everywhere))


@pytest.mark.parametrize(
    ("address", "loopback"),
    [("127.0.0.1:1", True), ("127.9.9.9:1", True), ("[::1]:1", True), ("localhost:1", True), ("192.0.2.1:1", False)],
)
def test_who_can_reach_an_address(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback
