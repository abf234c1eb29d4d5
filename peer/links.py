"""The links of a running peer, several to one peer at times, told to the core as one."""

from collections.abc import Callable

from tanist.election.evidence import Evidence
from tanist.election.messages import Message
from tanist.election.ready import DialFailed, Input, LinkDown, LinkUp, Received
from tanist.transport.link import Link

LINKS_PER_PEER_MAX = 4
"""Two when both sides dialed at once, and room for ones that have not been noticed to be dead."""


class Links:
    """Implements `tanist.transport.link.Handler`: what happens on links becomes inputs of the core."""

    def __init__(self, on_rejected: Callable[[str, str, str], None]) -> None:
        self._on_rejected = on_rejected
        self._links: dict[str, list[Link]] = {}
        self._early: list[Input] = []
        self._feed: Callable[[Input], None] = self._early.append

    def connect(self, feed: Callable[[Input], None]) -> None:
        """From now on inputs go to the core; those that came before it was there go first."""
        self._feed = feed
        for item in self._early:
            feed(item)
        self._early.clear()

    def to(self, peer: str) -> Link | None:
        """The newest link to a peer."""
        links = self._links.get(peer)
        return links[-1] if links else None

    def __contains__(self, peer: str) -> bool:
        return peer in self._links

    def peers(self) -> list[str]:
        """The ids of all linked peers."""
        return list(self._links)

    def close(self, peer: str, reason: str) -> None:
        """End all links to a peer; nothing more is heard of them."""
        for link in self._links.pop(peer, []):
            link.close(reason)

    def link_up(self, link: Link, dialed: str | None) -> None:
        """A link is open: a newer start of the same peer replaces the older, whose process is gone."""
        remote = link.remote
        known = self._links.get(remote.id)
        if known and known[-1].remote.incarnation != remote.incarnation:
            if known[-1].remote.incarnation[0] > remote.incarnation[0]:
                link.close("a newer start of the same peer is here")
                if dialed is not None:
                    self._feed(DialFailed(dialed, Evidence.REJECTED, "an older start of a peer that is linked"))
                return
            self.close(remote.id, "a newer start of the same peer is here")
            self._feed(LinkDown(remote.id, Evidence.CLOSED, "it started again"))
        links = self._links.setdefault(remote.id, [])
        links.append(link)
        if len(links) > LINKS_PER_PEER_MAX:
            links.pop(0).close("too many links to one peer")
        self._feed(LinkUp(remote.as_remote(), dialed))

    def received(self, link: Link, messages: list[Message]) -> None:
        """Messages, from links that still count."""
        peer = link.remote.id
        links = self._links.get(peer)
        if links is None or link not in links:
            return
        for message in messages:
            self._feed(Received(peer, message))

    def link_down(self, link: Link, evidence: Evidence, detail: str) -> None:
        """A link ended; the core hears of it when it was the last."""
        peer = link.remote.id
        links = self._links.get(peer)
        if links is None or link not in links:
            return
        links.remove(link)
        if not links:
            del self._links[peer]
            self._feed(LinkDown(peer, evidence, detail))

    def dial_failed(self, address: str, evidence: Evidence, detail: str) -> None:
        """A dial came to nothing."""
        self._feed(DialFailed(address, evidence, detail))

    def rejected(self, address: str, code: str, text: str) -> None:
        """A connection was turned away."""
        self._on_rejected(address, code, text)
