"""Addresses of peers as people write them: "host:port", with brackets around IPv6."""

import ipaddress

from tanist.transport.errors import AddressError

HOST_CHARS_MAX = 255
"""Characters of a host: DNS allows 253, and an IPv6 address with its scope is far shorter."""
PORT_MAX = 65535
"""The highest port: it has 16 bits."""


def parse_address(text: str) -> tuple[str, int]:
    """Split "host:port" or "[ipv6]:port" into host (without brackets) and port (0 for "any free one").

    Raises `AddressError`, which quotes the text and says what to write instead.
    """
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or not rest.startswith(":"):
            raise AddressError(f"{_quoted(text)} is no address: write [ipv6]:port, for example [::1]:7400")
        _check_ipv6(text, host)
        port = rest[1:]
    else:
        host, colon, port = text.rpartition(":")
        if not colon:
            raise AddressError(f"{_quoted(text)} has no port: write host:port, for example 192.168.1.5:7400")
        if ":" in host:
            raise AddressError(f"{_quoted(text)} is ambiguous: write IPv6 in brackets, for example [::1]:7400")
        _check_host(text, host)
    return host, _port(text, port)


def format_address(host: str, port: int) -> str:
    """Write host and port as one text that `parse_address` reads back."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _check_host(text: str, host: str) -> None:
    if not host:
        raise AddressError(f"{_quoted(text)} has no host: write host:port, or 0.0.0.0:port to listen everywhere")
    if len(host) > HOST_CHARS_MAX:
        raise AddressError(f"{_quoted(text)} has a host of {len(host)} characters; {HOST_CHARS_MAX} are allowed")
    if not host.isprintable() or any(c.isspace() or c in "[]/@?#" for c in host):
        raise AddressError(f"{_quoted(text)} has characters that no host name has: write only host:port")


def _check_ipv6(text: str, host: str) -> None:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        raise AddressError(f"{_quoted(text)} has no IPv6 address between its brackets, as in [::1]:7400") from None


def _port(text: str, port: str) -> int:
    # int() also takes blanks, signs, underscores and other alphabets' digits; a port has none of them.
    if not (port.isascii() and port.isdigit()) or len(port) > 5 or int(port) > PORT_MAX:
        raise AddressError(f"{_quoted(text)} has no port from 0 to {PORT_MAX} after its last colon")
    return int(port)


def _quoted(text: str) -> str:
    """The text as an error shows it: escaped, and cut when it is long."""
    return repr(text if len(text) <= 80 else text[:80] + "…")
