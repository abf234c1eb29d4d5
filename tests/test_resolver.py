"""Name resolution holds up neither the loop nor the other names."""

import asyncio
import socket
import threading
from typing import Any

import pytest

from tanist.transport.resolver import LOOKUPS_MAX, Resolver, SocketAddress


class SlowNames:
    """A name server that answers when it is let go; counts what it is asked."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked: list[str] = []

    def getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked.append(host)
        assert self.go.wait(20)
        if host.startswith("no"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> SlowNames:
    names = SlowNames()
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    return names


async def test_numbers_need_no_lookup() -> None:
    made = Resolver(asyncio.get_running_loop())
    assert await made.resolve("127.0.0.1", 7400) == [SocketAddress(socket.AF_INET, ("127.0.0.1", 7400))]
    assert await made.resolve("::1", 7400) == [SocketAddress(socket.AF_INET6, ("::1", 7400, 0, 0))]


async def test_who_asks_for_the_same_name_shares_a_lookup_and_gets_its_own_port(names: SlowNames) -> None:
    made = Resolver(asyncio.get_running_loop())
    first, second = (asyncio.ensure_future(made.resolve("host", port)) for port in (1, 2))
    await asyncio.sleep(0)
    names.go.set()
    assert await first == [
        SocketAddress(socket.AF_INET6, ("::1", 1, 0, 0)),
        SocketAddress(socket.AF_INET, ("127.0.0.1", 1)),
    ]
    assert [a.sockaddr[1] for a in await second] == [2, 2]
    assert names.asked == ["host"]


async def test_one_who_gives_up_does_not_end_the_lookup_for_others(names: SlowNames) -> None:
    made = Resolver(asyncio.get_running_loop())
    first, second = (asyncio.ensure_future(made.resolve("host", 1)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    names.go.set()
    assert len(await second) == 2
    assert first.cancelled()


async def test_names_that_hang_are_few_and_are_forgotten_once_answered(names: SlowNames) -> None:
    made = Resolver(asyncio.get_running_loop())
    hanging = [asyncio.ensure_future(made.resolve(f"no-{i}", 1)) for i in range(LOOKUPS_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(OSError, match="other names are being resolved"):
        await made.resolve("one-more", 1)
    names.go.set()
    outcomes = await asyncio.gather(*hanging, return_exceptions=True)
    assert all(isinstance(o, socket.gaierror) for o in outcomes)
    assert len(await made.resolve("one-more", 1)) == 2


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".example"])
async def test_a_name_that_cannot_be_asked_for_is_not_known(host: str) -> None:
    with pytest.raises(socket.gaierror):
        await Resolver(asyncio.get_running_loop()).resolve(host, 1)
