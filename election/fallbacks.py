"""The fallback list: the server's ranking of its clients, best first, carried by every heartbeat."""

import msgspec

from tanist.election.history import NO_TERM, Term


class Fallback(msgspec.Struct, frozen=True, array_like=True):
    """One entry of the list. `lag` is in entries; `counts` says whether an acknowledgement waits for its disk."""

    id: str
    name: str
    address: str
    in_sync: bool
    lag: int
    counts: bool
    reason: str


class FallbackList(msgspec.Struct, frozen=True, array_like=True):
    """The ranked list as of one (term, version); the higher one replaces the other wherever two meet."""

    term: Term = NO_TERM
    version: int = 0
    entries: tuple[Fallback, ...] = ()

    @property
    def heir(self) -> Fallback | None:
        """The first entry, which serves when the server dies."""
        return self.entries[0] if self.entries else None

    def age(self) -> tuple[Term, int]:
        """What tells a newer list from an older one."""
        return self.term, self.version

    def place(self, peer: str) -> int | None:
        """The rank of a peer, 0 for the heir, or None when it is not in the list."""
        for i, entry in enumerate(self.entries):
            if entry.id == peer:
                return i
        return None

    def told(self) -> list[str]:
        """The list for people and logs, best first: "name counts (reason)", or "waits" for one that does not count."""
        return [f"{e.name} {'counts' if e.counts else 'waits'} ({e.reason})" for e in self.entries]

    def counts(self, peer: str) -> bool:
        """Whether the list says that acknowledgements wait for this peer's disk."""
        return any(e.id == peer and e.counts for e in self.entries)


NO_LIST = FallbackList()
