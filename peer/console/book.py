"""Where the peers of a cluster answer HTTP, and in which order a console that lost its peer asks them."""

import ipaddress

import msgspec

ADDRESSES_MAX = 256
"""Peers remembered: more than a cluster has; what a stranger's answer names is cut off there."""


class Server(msgspec.Struct, frozen=True):
    """Who serves."""

    id: str
    name: str


class Term(msgspec.Struct, frozen=True):
    """A term, by its number."""

    number: int


class Fallback(msgspec.Struct, frozen=True):
    """One that may serve next."""

    id: str


class Member(msgspec.Struct, frozen=True):
    """A peer of the cluster, and where its HTTP is, if that is known."""

    id: str
    http: str = ""


class Status(msgspec.Struct, frozen=True):
    """What a console needs of `GET /status`."""

    cluster: str
    name: str
    role: str
    term: Term
    server: Server | None
    fallbacks: list[Fallback]
    members: list[Member]
    apps: list[str]


class Book:
    """Learns from each `/status` that the console sees."""

    def __init__(self, given: str) -> None:
        """`given` is the address that the user named."""
        self.given = given
        self.cluster = ""
        """The cluster of the first peer; others' answers are not learned from."""
        self._http: dict[str, str] = {}
        self._ranked: list[str] = []
        self._server = ""

    def learn(self, status: Status) -> None:
        """Learn who there is, and who is to serve next."""
        self.cluster = self.cluster or status.cluster
        if status.cluster != self.cluster:
            return
        for member in status.members[:ADDRESSES_MAX]:
            if member.http and (not is_loopback(member.http) or is_loopback(self.given)):
                # Else it is on another machine, and answers only there.
                self._http[member.id] = member.http
        if status.fallbacks or status.server:
            self._ranked = [fallback.id for fallback in status.fallbacks[:ADDRESSES_MAX]]
            self._server = status.server.id if status.server else ""
        members = {member.id for member in status.members}
        self._http = {peer: address for peer, address in self._http.items() if peer in members}

    def address_of(self, peer: str) -> str:
        """Where a peer's HTTP is, "" if that is not known."""
        return self._http.get(peer, "")

    def order(self, lost: str = "") -> list[str]:
        """Whom to ask, best first: the fallback list, the server, all others; last the one that was just `lost`."""
        peers = [*self._ranked, self._server, *self._http]
        known = [*(self._http[peer] for peer in peers if peer in self._http), self.given]
        return sorted(dict.fromkeys(known), key=lambda address: address == lost)


def is_loopback(address: str) -> bool:
    """Whether an address, host:port, is this machine's own and nobody else's."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
