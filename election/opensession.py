"""One session: which of its commands have their place, and what they were answered."""

from collections import deque
from collections.abc import Sequence

import msgspec

FIRST_SEQUENCE = 1
"""The sequence of a session's first command."""
WINDOW_MAX = 8192
"""Replies kept for one session: more than any gateway has in flight; a bound for one that never says its floor."""
WINDOW_BYTES_MAX = 8 << 20
"""Bytes of replies kept for one session, so that a few sessions with large results cannot fill memory."""
SKIPS_MAX = 256
"""Gaps remembered of one session: each is a call that was given up while nobody served, or a side of a split."""
ALL_APPLIED = 2**62
"""Expected by a session of which an older snapshot did not say it: nothing of it is ever applied again."""


class Skipped(msgspec.Struct, frozen=True, array_like=True):
    """Sequences that were never applied, `first` to `last`, since the entry at `index` jumped over them.

    `index` is 0 where that entry belongs to another history, which ended in a heal.
    """

    first: int
    last: int
    index: int


class OpenSession:
    """One session: `replies` are those of the sequences from `floor` up to, not including, `expected`.

    `opened` is the index of the entry that opened it, 0 if it was opened (also) in another history.
    """

    __slots__ = ("bytes_kept", "expected", "floor", "id", "opened", "peer", "replies", "skipped", "user")

    def __init__(
        self,
        id: str,
        peer: str,
        user: str,
        floor: int = FIRST_SEQUENCE,
        opened: int = 0,
        skipped: Sequence[Skipped] = (),
    ) -> None:
        self.id = id
        self.peer = peer
        self.user = user
        self.floor = floor
        self.expected = floor
        self.opened = opened
        self.skipped = list(skipped)
        self.bytes_kept = 0
        self.replies: deque[tuple[int, bytes]] = deque()

    def keep(self, digest: int, reply: bytes) -> None:
        """Remember the reply to the expected sequence, and expect the next."""
        self.replies.append((digest, reply))
        self.bytes_kept += len(reply)
        self.expected += 1

    def release(self, floor: int) -> None:
        """Drop the replies below `floor`; what was not applied yet stays expected."""
        floor = min(floor, self.expected)
        while self.floor < floor:
            self.bytes_kept -= len(self.replies.popleft()[1])
            self.floor += 1

    def skip_to(self, sequence: int, index: int) -> None:
        """Expect `sequence` next, by the entry at `index`: its client waits for nothing below it."""
        self.release(self.expected)
        if sequence > self.expected:
            # Beyond the bound the oldest count as applied: better lost to a replay than done twice.
            self.skipped = [*self.skipped, Skipped(self.expected, sequence - 1, index)][-SKIPS_MAX:]
        self.floor = self.expected = sequence

    def has(self, sequence: int) -> bool:
        """Whether a sequence has its place: it was applied, or its fate was decided in a heal."""
        if sequence >= self.expected:
            return False
        return not any(skip.first <= sequence <= skip.last for skip in self.skipped)

    def fill(self, sequence: int) -> None:
        """Give a sequence that was skipped its place after all."""
        skips: list[Skipped] = []
        for skip in self.skipped:
            if skip.first <= sequence <= skip.last:
                parts = (Skipped(skip.first, sequence - 1, skip.index), Skipped(sequence + 1, skip.last, skip.index))
                skips += [part for part in parts if part.first <= part.last]
            else:
                skips.append(skip)
        self.skipped = skips[-SKIPS_MAX:]

    def expected_after(self, fork: int) -> int | None:
        """The lowest sequence that another history may have gone on with behind index `fork`.

        None if that history does not know this session: it was opened behind the fork, and here alone.
        """
        if self.opened > fork:
            return None
        return min((skip.first for skip in self.skipped if skip.index > fork), default=self.expected)

    @property
    def full(self) -> bool:
        """Whether no further reply may be kept before the client raises its floor."""
        return len(self.replies) >= WINDOW_MAX or self.bytes_kept >= WINDOW_BYTES_MAX
