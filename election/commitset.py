"""Survivor mode: whose disks an acknowledgement waits for, and how that changes without losing a promise.

A member enters only when it holds everything that was in the log when the reign began and all that was
acknowledged since; from then on every acknowledgement waits for it. It leaves only when it has said, from its
disk, that it knows of it, or when it cannot count itself any more whatever it believes: `sync.timeout` after its
last confirmation arrived. Whoever refuses or said goodbye is gone at once: restarted, it counts for nothing.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from tanist.election.commit import Durability, durability
from tanist.election.replication import Progress

DRIFT_MARGIN = 0.05
"""How much faster one clock may run than another, as a part of the time measured."""


@dataclass(slots=True)
class CommitSet:
    """The members that count, and those that leave. `size` is how many should count."""

    size: int
    sync_ns: int
    counting: dict[str, int] = field(default_factory=dict)
    """Peer to when its newest confirmation arrived."""
    leaving: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Peer to (the list version that it must have on disk, when its newest confirmation arrived)."""

    def waited_for(self) -> list[str]:
        """Everyone whose disk an acknowledgement waits for, besides the server's."""
        return [*self.counting, *self.leaving]

    def promise(self, index: int, matches: Mapping[str, int], voters: Collection[str]) -> Durability:
        """The highest promise that is true of an entry now; `matches` is what each peer has on disk.

        Whoever counts, or may still believe so, stands without waiting for those who hold more. While one of them is
        silent and lacks the entry, no death is survived for certain, however many hold it.
        """
        if any(matches.get(peer, 0) < index for peer in self.waited_for()):
            return Durability.ALONE
        return durability(index, matches, voters, self.counting)

    def heard(self, peer: str, now: int) -> None:
        """A confirmation arrived."""
        if peer in self.counting:
            self.counting[peer] = now
        elif peer in self.leaving:
            self.leaving[peer] = (self.leaving[peer][0], now)

    def gone(self, peer: str) -> bool:
        """A peer refuses or said goodbye. Returns whether it had been waited for."""
        counted = self.counting.pop(peer, None) is not None
        return self.leaving.pop(peer, None) is not None or counted

    def choose(self, ranked: Iterable[str], ready: Mapping[str, int], next_version: int) -> bool:
        """Make the first of the list count that are ready, and let others leave. Returns whether it changed.

        `ready` is who may count, and when the newest confirmation of each arrived.

        One that does not rank among the first any more leaves only when its successor is in: so the set is
        never smaller for a change of rank alone.
        """
        wanted = [p for p in ranked if p in ready][: self.size]
        changed = False
        for peer in wanted:
            if peer not in self.counting:
                self.leaving.pop(peer, None)
                self.counting[peer] = ready[peer]
                changed = True
        for peer in list(self.counting):
            if peer not in wanted:
                self.leaving[peer] = (next_version, self.counting.pop(peer))
                changed = True
        return changed

    def settle(self, clients: Mapping[str, Progress], now: int) -> bool:
        """Let go of those that may leave now. Returns whether anyone did."""
        done = []
        for peer, (version, heard_at) in self.leaving.items():
            progress = clients.get(peer)
            knows = progress is not None and progress.version >= version
            if knows or now >= heard_at + self.leave_ns:
                done.append(peer)
        for peer in done:
            del self.leaving[peer]
        return bool(done)

    @property
    def leave_ns(self) -> int:
        """After how long without a confirmation a member cannot count itself any more."""
        return int(self.sync_ns * (1 + DRIFT_MARGIN))

    def deadline(self) -> int | None:
        """When the next one that leaves is let go for its silence."""
        return min((at + self.leave_ns for _, at in self.leaving.values()), default=None)
