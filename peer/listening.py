"""Where a peer listens, and what it tells others to dial."""

import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tanist.config import PeerConfig
from tanist.transport.address import format_address, parse_address
from tanist.transport.errors import ListenError

Bound = TypeVar("Bound")
"""What listening gives: the address, or what listens there with it."""
PORTS_TRIED_MAX = 70
"""Ports tried after a default one: so many peers of one machine find a place, and 7400 stays clear of 7480."""


async def listen_at(address: str, given: bool, listen: Callable[[str], Awaitable[Bound]]) -> Bound:
    """Listen at an address; where it was not `given` but is a default, at the next free one. Gives what listens."""
    return await (listen(address) if given else free_port_from(address, listen))


async def free_port_from(address: str, listen: Callable[[str], Awaitable[Bound]]) -> Bound:
    """Listen at a default address, or at the next port that is free. Raises the first `ListenError` if none is."""
    host, port = parse_address(address)
    first: ListenError | None = None
    for step in range(PORTS_TRIED_MAX):
        try:
            return await listen(format_address(host, port + step))
        except ListenError as error:
            first = first or error
    assert first is not None
    raise first


class OwnAddress:
    """The address that others are told to dial: `given`, or the one `bound`.

    Where every interface is bound, it is this machine's own towards the outside, and another once that one is gone.
    """

    def __init__(self, given: str, bound: str) -> None:
        host, self._port = parse_address(bound)
        self._everywhere = host if not given and ipaddress.ip_address(host).is_unspecified else ""
        self.address = given or (format_address(own_host(host), self._port) if self._everywhere else bound)

    def moved(self) -> bool:
        """Look whether this machine lost that address and has another one: then that is `address` from now on."""
        if not self._everywhere or _has_address(parse_address(self.address)[0]):
            return False
        address = format_address(own_host(self._everywhere), self._port)
        if is_loopback(address):
            # Between two networks there is none: nobody could be told where to dial.
            return False
        self.address = address
        return True


class Place:
    """Where one peer is reached: by other peers at `address`, by HTTP at `http`. Both are empty until it listens."""

    def __init__(self, config: PeerConfig) -> None:
        self._config = config
        self._own: OwnAddress | None = None
        self.address = self.http = ""

    async def listen_http(self, listen: Callable[[str], Awaitable[tuple[Bound, str]]]) -> Bound:
        """Listen for HTTP: first, since what peers tell each other of themselves says where. Gives what listens."""
        listener, self.http = await listen_at(self._config.http, self._config.given("http"), listen)
        return listener

    async def listen(self, listen: Callable[[str], Awaitable[str]]) -> None:
        """Listen for other peers."""
        bound = await listen_at(self._config.listen, self._config.given("listen"), listen)
        self._own = OwnAddress(self._config.advertise, bound)
        self.address = self._own.address

    def moved(self) -> bool:
        """Look whether this machine has another address by now; then that is `address`."""
        if self._own is None or not self._own.moved():
            return False
        self.address = self._own.address
        return True

    @property
    def http_for_others(self) -> str:
        """Where others reach its HTTP."""
        return as_others_reach(self.http, self.address)


def as_others_reach(bound: str, address: str) -> str:
    """Where others reach what is `bound`: at the host of this peer's own `address` if every interface is bound."""
    host, port = parse_address(bound)
    try:
        everywhere = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        everywhere = False
    return format_address(parse_address(address)[0], port) if everywhere and address else bound


def _has_address(host: str) -> bool:
    """Whether an address is one of this machine's own."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
        return True


def own_host(unspecified: str) -> str:
    """This machine's address towards the outside; no packet is sent to find it."""
    version6 = ":" in unspecified
    with socket.socket(socket.AF_INET6 if version6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket only asks the routing table (addresses of RFC 5737 and RFC 3849).
            probe.connect(("2001:db8::1" if version6 else "192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "::1" if version6 else "127.0.0.1"


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach an address."""
    host, _ = parse_address(address)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
