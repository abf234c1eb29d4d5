"""Where a peer listens, and what it tells others to dial."""

import pytest

from tanist.peer.listening import PORTS_TRIED_MAX, advertised, free_port_from, is_loopback, own_host
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


async def test_when_none_is_free_the_first_is_named() -> None:
    tried: list[str] = []

    async def listen(address: str) -> str:
        tried.append(address)
        raise ListenError(address, "busy")

    with pytest.raises(ListenError, match="7400"):
        await free_port_from("127.0.0.1:7400", listen)
    assert len(tried) == PORTS_TRIED_MAX


def test_every_interface_is_advertised_as_this_machine() -> None:
    assert advertised("127.0.0.1:7400") == "127.0.0.1:7400"
    host = advertised("0.0.0.0:7400").rpartition(":")[0]
    assert host == own_host("0.0.0.0")
    assert host not in ("0.0.0.0", "")


@pytest.mark.parametrize(
    ("address", "loopback"),
    [("127.0.0.1:1", True), ("127.9.9.9:1", True), ("[::1]:1", True), ("localhost:1", True), ("192.0.2.1:1", False)],
)
def test_who_can_reach_an_address(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback
