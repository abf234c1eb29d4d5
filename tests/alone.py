"""One core alone, fed by hand: for rules that are one input and its answer."""

from __future__ import annotations

from random import Random

from tanist.election.core import Core
from tanist.election.entries import Entry, Kind
from tanist.election.events import Event
from tanist.election.fallbacks import Fallback, FallbackList
from tanist.election.history import History, Term
from tanist.election.log import roster_entry_body
from tanist.election.messages import Canvass, Follow, Message, Serving, Support, Vote
from tanist.election.node import Self
from tanist.election.ready import LinkUp, Persisted, ReadAnswer, Ready, Received, Remote, Tick
from tanist.election.records import Stored as Disk
from tanist.election.roles import Role
from tanist.election.roster import Member, Roster
from tanist.election.settings import MS, ElectionSettings, Safety

IDS = ("id-a", "id-b", "id-c")
MEMBERS = Roster(tuple(Member(i, i, f"{i}:1") for i in IDS))


class Alone:
    """One core, fed by hand; its disk takes everything at once unless told otherwise."""

    def __init__(
        self,
        safety: Safety,
        *,
        number: int = 2,
        voted_for: str = "",
        entries: int = 3,
        ranked: tuple[str, ...] = (),
        counts: bool = False,
    ) -> None:
        disk = Disk(number=number, voted_for=voted_for)
        if ranked:
            places = tuple(Fallback(i, i, f"{i}:1", True, 0, counts, "") for i in ranked)
            disk.fallbacks = FallbackList(Term(2, "id-x"), 1, places)
            disk.last_server, disk.last_address = "id-x", "id-x:1"
        roster = Entry(1, "id-a", Kind.ROSTER, 0, 0, roster_entry_body(MEMBERS))
        disk.entries = [roster, *(Entry(2, "id-b", Kind.COMMAND, 0, i, b"x") for i in range(entries - 1))]
        self.core = Core(Self("id-a", "a", "id-a:1"), ElectionSettings(safety=safety), disk, Random(1))
        self.now = 0
        self.sent: list[tuple[str, Message]] = []
        self.told: list[Event] = []
        self.reads: list[ReadAnswer] = []
        self.disk_hangs = False
        self.take(self.core.start(0, 0))
        for peer in IDS[1:]:
            self.feed(LinkUp(Remote(peer, peer, f"{peer}:1", (1, 0), True, 0), None))

    def take(self, ready: Ready) -> None:
        while True:
            self.sent.extend(ready.send)
            self.told.extend(ready.events)
            self.reads.extend(ready.reads)
            if not ready.persist or self.disk_hangs:
                return
            ready = self.core.step(self.now, Persisted(ready.persist_id))

    def feed(self, item: object, after_ms: float = 0.1) -> None:
        self.now += int(after_ms * MS)
        self.sent.clear()
        self.take(self.core.step(self.now, item))  # type: ignore[arg-type]

    def hear(self, peer: str, message: Message) -> None:
        self.feed(Received(peer, message))

    def of(self, kind: type[Message]) -> list[Message]:
        return [m for _, m in self.sent if isinstance(m, kind)]

    def persisted(self) -> None:
        """The disk has done all that it was asked."""
        self.disk_hangs = False
        self.feed(Persisted(self.core.node.persist_id))

    def stand(self) -> Canvass:
        """Wait until it stands; its canvass."""
        for _ in range(100):
            if self.of(Canvass):
                break
            self.feed(Tick(), 200)
        (canvass, *_) = self.of(Canvass)
        assert isinstance(canvass, Canvass)
        return canvass

    def follow(self, term: Term) -> None:
        """Follow a server whose log is the same so far."""
        history = self.core.node.log.history()
        self.hear(term.holder, Serving(term, history, 1))

    def win(self) -> Term:
        """Become the server by everyone's support."""
        canvass = self.stand()
        for kind in (Support(canvass.number), Vote(canvass.number, True, "", canvass.number)):
            for peer in IDS[1:]:
                if self.core.role is Role.CANDIDATE:
                    self.hear(peer, kind)
        assert self.core.role is Role.SERVER
        return self.core.term

    def welcome(self, peer: str, history: History) -> None:
        self.hear(peer, Follow(self.core.term, self.core.term.number, history, Member(peer, peer, f"{peer}:1")))
