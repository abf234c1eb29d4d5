"""Addresses in a configuration: where to listen, and where others can be reached.

The form itself (`host:port`, `[ipv6]:port`) is the transport's to say; here are the slips people make around it.
"""

import ipaddress
import re

from tanist.config.nodes import Node, shown
from tanist.config.values import Parser, invalid, text
from tanist.transport.address import format_address, parse_address
from tanist.transport.errors import AddressError

WILDCARDS = frozenset({"0.0.0.0", "::"})
"""Hosts that mean every interface: to be listened on, not to be reached at."""
_DOTTED = re.compile(r"[0-9.]+")
_HOST = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")


def overlap(one: str, other: str) -> bool:
    """Whether two listeners could not both have these addresses. Port 0 is any port, and never in the way."""
    (host, port), (other_host, other_port) = parse_address(one), parse_address(other)
    if port != other_port or port == 0:
        return False
    return host == other_host or bool(WILDCARDS & {host, other_host})


def listening(port_usual: int) -> Parser[str]:
    """An address to listen on; port 0 is any free one. `port_usual` is the port that hints propose."""
    return lambda node: format_address(*_address(node, port_usual))


def reachable(port_usual: int) -> Parser[str]:
    """An address that others dial: one host and one port. `port_usual` is the port that hints propose."""

    def parse(node: Node) -> str:
        host, port = _address(node, port_usual)
        if port == 0:
            raise invalid(node, f"nobody can be reached at port 0: {shown(node)}", "name the port it listens on")
        if host in WILDCARDS:
            raise invalid(node, f"nobody can be reached at {host}: it means every interface", "name one address")
        return format_address(host, port)

    return parse


def check_host(node: Node, host: str) -> None:
    """Raise `Invalid` unless `host` (without brackets) is an IP address or could be a host's name."""
    if ":" in host or _DOTTED.fullmatch(host):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise invalid(node, f'"{host}" is no IP address') from None
    elif not _HOST.fullmatch(host):
        raise invalid(node, f"{shown(node)} names no host", "use a host name or an IP address")


def _address(node: Node, port_usual: int) -> tuple[str, int]:
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        raise invalid(node, f"expected host:port, got {shown(node)}", f'write "127.0.0.1:{node.value}"')
    value = text(node)
    if "://" in value:
        raise invalid(node, f"expected host:port, got {shown(node)}", "leave out the scheme")
    if ":" not in value and _HOST.fullmatch(value):
        raise invalid(node, f"expected host:port, got {shown(node)}", f'write "{value}:{port_usual}"')
    try:
        host, port = parse_address(value)
    except AddressError as error:
        raise invalid(node, str(error)) from None
    check_host(node, host)
    return host, port
