"""Reads at the server: each is answered with an index once the reign was proved after it was asked.

Reads are proved in batches: all that were asked before a heartbeat round began are answered when that round is
confirmed by those who elect (a majority, or the commit set). While one round is under way the next reads wait for
it to end, so that a thousand reads cost as many messages as two.
"""

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from tanist.election.commit import majority_match

if TYPE_CHECKING:
    from tanist.election.reign import Reign

READS_WAITING_MAX = 16_384
"""Reads that wait for a round; what comes beyond is answered with "not now"."""


class Read(NamedTuple):
    """One that waits: who asks (None: a client here), the commit index then, and the round that proves it."""

    peer: str | None
    request: int
    commit: int
    round: int


class Reads:
    """The reads of one reign."""

    def __init__(self, reign: "Reign") -> None:
        self.reign = reign
        self.waiting: deque[Read] = deque()

    def ask(self, peer: str | None, request: int, *, prove: bool) -> None:
        """Take in a read; it is answered at once if nothing has to be proved."""
        reign = self.reign
        if len(self.waiting) >= READS_WAITING_MAX or reign.handover is not None:
            reign.answer_read(peer, request, -1)
            return
        needed = reign.round + 1 if prove and reign.proved_by() else 0
        self.waiting.append(Read(peer, request, reign.node.commit, needed))
        self.go_on()

    def go_on(self) -> None:
        """Answer what is proved, and begin the round that the next in line waits for."""
        reign = self.reign
        if not self.waiting or not reign.open or reign.proving is not None:
            return
        proved = self._proved_round()
        while self.waiting and self.waiting[0].round <= proved:
            read = self.waiting.popleft()
            reign.answer_read(read.peer, read.request, max(read.commit, reign.opens_at))
        if self.waiting and self.waiting[0].round > reign.round:
            reign.beat()

    def fail(self) -> None:
        """The reign ends: those who asked must ask the next server."""
        while self.waiting:
            read = self.waiting.popleft()
            self.reign.answer_read(read.peer, read.request, -1)

    def _proved_round(self) -> int:
        """The newest heartbeat round that was confirmed by all who are needed for it."""
        reign = self.reign
        rounds = {peer: client.round for peer, client in reign.replication.clients.items()}
        if reign.node.quorum:
            rounds[reign.node.me.id] = reign.round
            return majority_match(rounds, reign.node.log.voters)
        return min((rounds.get(peer, 0) for peer in reign.proved_by()), default=reign.round)
