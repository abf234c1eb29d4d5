"""Where a peer listens, and what it tells others to dial."""

import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar

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


def advertised(bound: str) -> str:
    """The address others can dial: the one bound, or this machine's own where every interface is bound."""
    host, port = parse_address(bound)
    return bound if not ipaddress.ip_address(host).is_unspecified else format_address(own_host(host), port)


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
