"""Rules of the fallback list and of those whose disks an acknowledgement waits for."""

from collections.abc import Mapping

from tanist.election.events import (
    CommitSetChanged,
    CopyTookPlace,
    Event,
    ListPublished,
    MemberChanged,
    SnapshotInstalled,
)
from tanist.peer.electionlog.checks.book import Book, Handler, Rules, Start
from tanist.peer.electionlog.checks.rule import Place, Rule, place_of
from tanist.peer.electionlog.line import LogLine

LIST_DEAD = Rule(
    "list-dead",
    "The list names nobody who has not confirmed a heartbeat within its time-out.",
    "If the server dies, the others wait for a peer that is dead.",
)
LIST_SERVER = Rule(
    "list-server",
    "The list, and those whose disks are waited for, never name the server itself.",
    "The server would be its own heir: an acknowledgement would be on one disk, and say two.",
)
LIST_TWICE = Rule(
    "list-twice",
    "The list names each peer once, and as many ids as entries: ranks are unique.",
    "Peers that walk the list would disagree about who goes first.",
)
LIST_MEMBER = Rule(
    "list-member",
    "The list names members only: nobody who never joined, or has left.",
    "A stranger could become the server.",
)
LIST_VERSION = Rule(
    "list-version",
    "Within a reign each new list has a higher version.",
    "Two peers could take an older list for the newer one.",
)


class Listing(Rules):
    """Holds each list against what its server knew when it made it."""

    RULES = (LIST_DEAD, LIST_SERVER, LIST_TWICE, LIST_MEMBER, LIST_VERSION)

    def __init__(self, book: Book) -> None:
        super().__init__(book)
        self._left: dict[Start, dict[str, Place]] = {}
        """By start: who left the roster, as this peer knows."""
        self._joined: dict[str, set[str]] = {}
        """By peer: who joined, as it told in any of its starts."""
        self._copied: set[str] = set()
        """Peers that took a roster over with a snapshot or another's log, which tells nothing of who joined."""
        self._versions: dict[Start, tuple[str, int, Place]] = {}

    def handlers(self) -> Mapping[type[Event], Handler]:
        return {
            ListPublished: self._list,
            CommitSetChanged: self._commit_set,
            MemberChanged: self._member,
            SnapshotInstalled: self._copies,
            CopyTookPlace: self._copies,
        }

    def _copies(self, start: Start, line: LogLine, event: SnapshotInstalled | CopyTookPlace) -> None:
        self._copied.add(line.peer)

    def _member(self, start: Start, line: LogLine, member: MemberChanged) -> None:
        self.book.names.add(member.peer, member.name)
        left = self._left.setdefault(start, {})
        if member.change == "left":
            left[member.peer] = place_of(line)
        else:
            left.pop(member.peer, None)
            self._joined.setdefault(line.peer, set()).add(member.peer)

    def _list(self, start: Start, line: LogLine, published: ListPublished) -> None:
        known = self._versions.get(start)
        if known is not None and known[0] == published.term and published.version <= known[1]:
            text = f"{line.name} publishes list {published.version} after list {known[1]}"
            self.book.found(LIST_VERSION, line, text, known[2])
        self._versions[start] = published.term, published.version, place_of(line)
        if published.peers:
            self._entries(start, line, published)

    def _entries(self, start: Start, line: LogLine, published: ListPublished) -> None:
        peers, name = published.peers, self.book.name
        if line.peer in peers:
            self.book.found(LIST_SERVER, line, f"the list of {line.name} names {line.name} itself")
        if len(set(peers)) < len(peers) or len(peers) != len(published.fallbacks):
            self.book.found(LIST_TWICE, line, f"the list of {line.name} has {', '.join(map(name, peers))}")
        timeout_ms = start.settings.heartbeat_timeout_ms if start.settings else 0
        for peer, heard_ms_ago in zip(peers, published.heard_ms_ago, strict=False):
            if timeout_ms and heard_ms_ago >= timeout_ms:
                text = (
                    f"the list of {line.name} names {name(peer)}, which confirmed nothing for {heard_ms_ago:.0f} ms "
                    f"(at most {timeout_ms:g} ms)"
                )
                self.book.found(LIST_DEAD, line, text)
        left, joined = self._left.get(start, {}), self._joined.get(line.peer, set())
        for peer in peers:
            if peer in left:
                text = f"the list of {line.name} names {name(peer)}, which has left the cluster"
                self.book.found(LIST_MEMBER, line, text, left[peer])
            elif peer not in joined and start.log.from_begin and line.peer not in self._copied:
                self.book.found(LIST_MEMBER, line, f"the list of {line.name} names {name(peer)}, which never joined")

    def _commit_set(self, start: Start, line: LogLine, changed: CommitSetChanged) -> None:
        if line.peer in changed.members:
            self.book.found(LIST_SERVER, line, f"{line.name} waits for its own disk as if it were another's")
