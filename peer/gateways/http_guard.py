"""Who may speak to a peer's HTTP address: what a browser on somebody else's page may not.

A peer listens on loopback by default, and any web page can make its visitor's browser send requests there.
Two rules keep such pages out without getting in the way of curl, programs, or the peer's own page:

- A request that names an `Origin` must come from a page of this very address. Browsers put the header on
  every cross-site POST and on every WebSocket; programs send none.
- The `Host` must be one that no stranger can point here: an address, `localhost`, a name without a dot (a
  machine or container of this network) or one of a domain that is never public. A page that rebinds its own
  public name to 127.0.0.1 would pass the first rule; it cannot pass this one.
"""

import ipaddress
import socket
from collections.abc import Mapping

from tanist.peer.errors import CallError

PRIVATE_SUFFIXES = (".localhost", ".local", ".lan", ".internal", ".home.arpa", ".test")
"""Domains that no public name can end in."""
HOSTS_REMEMBERED_MAX = 256
"""Distinct Host headers whose verdict is kept, so that a normal request costs one look-up."""


class Forbidden(CallError):
    """The request comes from a page or a name that may not speak to this peer. Nothing was done."""

    code = "forbidden"
    status = 403


class Guard:
    """Judges the headers of requests. `names`: further host names, with a dot, that are this peer's own."""

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        self._names = frozenset(n.lower() for n in (*names, socket.gethostname()) if n)
        self._good: set[str] = set()

    def check(self, headers: Mapping[str, str]) -> None:
        """Take a request's headers (case-insensitive); raise `Forbidden` saying what is wrong and what to do."""
        host = headers.get("Host", "")
        if host not in self._good:
            self._check_host(host)
        origin = headers.get("Origin")
        if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
            raise Forbidden(f"a page of {origin!r} may not speak to this peer; open the peer's own page instead")
        if headers.get("Sec-Fetch-Site") == "cross-site" and headers.get("Sec-Fetch-Mode") != "navigate":
            raise Forbidden("a page of another site may not speak to this peer; open the peer's own page instead")

    def _check_host(self, host: str) -> None:
        if not self._is_ours(_name_of(host)):
            raise Forbidden(
                f"this peer does not answer to the host name {host!r}; use its address, a name without a dot, "
                "or the machine's own name"
            )
        if len(self._good) < HOSTS_REMEMBERED_MAX:
            self._good.add(host)

    def _is_ours(self, name: str) -> bool:
        if "." not in name or name.endswith(PRIVATE_SUFFIXES) or name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _name_of(host: str) -> str:
    """The name or address in a Host header, without port, brackets, or the root's dot."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower().rstrip(".") if ":" in host else host.lower().rstrip(".")
