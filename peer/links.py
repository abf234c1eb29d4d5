"""The links of a running peer, several to one peer at times, told to the core as one."""

from collections.abc import Callable

from tanist.election.evidence import Evidence
from tanist.election.identity import COPY
from tanist.election.messages import Message, Refuse
from tanist.election.ready import DialFailed, Input, LinkDown, LinkUp, Received
from tanist.transport.link import Link

LINKS_PER_PEER_MAX = 4
"""Two when both sides dialed at once, and room for ones that have not been noticed to be dead."""

PROCESSES_REMEMBERED_MAX = 256
"""Processes that were replaced, and copies that were found out: the oldest are forgotten first."""


class Links:
    """Implements `tanist.transport.link.Handler`: what happens on links becomes inputs of the core."""

    def __init__(self, on_rejected: Callable[[str, str, str], None]) -> None:
        self._on_rejected = on_rejected
        self._links: dict[str, list[Link]] = {}
        self._early: list[Input] = []
        self._replaced: dict[int, str] = {}
        """Processes, by the random part of their start, that a newer start of the same peer has replaced."""
        self._copies: dict[int, str] = {}
        """Processes that run with the id of another that lives, and what they are told."""
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

    def http_of(self, peer: str) -> str:
        """Where the page of a linked peer is; "" if it did not say, or is not linked."""
        link = self.to(peer)
        return link.remote.http if link is not None else ""

    def close(self, peer: str, reason: str) -> None:
        """End all links to a peer; nothing more is heard of them."""
        for link in self._links.pop(peer, []):
            link.close(reason)

    def link_up(self, link: Link, dialed: str | None) -> None:
        """A link is open: a newer start of the same peer replaces the older, whose process is gone."""
        remote = link.remote
        start, process = remote.incarnation
        if process in self._copies:
            self._turn_away(link, dialed, self._copies[process])
            return
        known = self._links.get(remote.id)
        if known and known[-1].remote.incarnation[1] != process:
            present = known[-1].remote.incarnation
            if process in self._replaced:
                # It was taken for gone, and lives: two processes have one id, and the one that came later is the copy.
                self._part_from_copy(remote.id, present[1], remote.address)
            elif present[0] > start:
                link.close("a newer start of the same peer is here")
                if dialed is not None:
                    self._feed(DialFailed(dialed, Evidence.REJECTED, "an older start of a peer that is linked"))
                return
            else:
                self._remember(self._replaced, present[1], remote.id)
                self.close(remote.id, "a newer start of the same peer is here")
                self._feed(LinkDown(remote.id, Evidence.CLOSED, "it started again"))
        links = self._links.setdefault(remote.id, [])
        links.append(link)
        if len(links) > LINKS_PER_PEER_MAX:
            links.pop(0).close("too many links to one peer")
        self._feed(LinkUp(remote.as_remote(), dialed))

    def _part_from_copy(self, peer: str, process: int, address: str) -> None:
        """Both processes of one id answer: tell the later one, and have no more to do with it."""
        text = f"id {peer} is in use at {address}: a data directory was copied; start this peer with an empty one"
        self._remember(self._copies, process, text)
        for link in self._links.pop(peer, []):
            link.send(Refuse(COPY, text))
            link.close(text)
        self._feed(LinkDown(peer, Evidence.CLOSED, "it was a copy of a peer that lives"))

    def _turn_away(self, link: Link, dialed: str | None, text: str) -> None:
        link.send(Refuse(COPY, text))
        link.close(text)
        if dialed is not None:
            self._feed(DialFailed(dialed, Evidence.REJECTED, text))

    @staticmethod
    def _remember(which: dict[int, str], process: int, text: str) -> None:
        which[process] = text
        if len(which) > PROCESSES_REMEMBERED_MAX:
            del which[next(iter(which))]

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
