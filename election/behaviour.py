"""What every role can be asked; each role is one class, and its state ends with it."""

from typing import TYPE_CHECKING, ClassVar

from tanist.election.entries import Proposal
from tanist.election.evidence import Evidence
from tanist.election.messages import Message, ReadAt
from tanist.election.ready import ReadAnswer, Remote
from tanist.election.roles import Role

if TYPE_CHECKING:
    from tanist.election.core import Core

DECLINED_RETRY_MS = 50.0
"""When to submit again after nobody could take it; a change of server submits again at once."""


class Behaviour:
    """Base of the four roles: by default an input changes nothing."""

    role: ClassVar[Role]

    def __init__(self, core: "Core") -> None:
        self.core = core
        self.node = core.node

    def enter(self) -> None:
        """The role begins."""

    def received(self, peer: str, message: Message) -> None:
        """A message that is not the same for all roles."""

    def link_up(self, remote: Remote, dialed: str | None) -> None:
        """A link is open."""

    def link_down(self, peer: str, evidence: Evidence, detail: str) -> None:
        """The last link to a peer ended."""

    def dial_failed(self, address: str, evidence: Evidence, detail: str) -> None:
        """A dial came to nothing."""

    def submit(self, proposals: tuple[Proposal, ...]) -> None:
        """Own clients' proposals: without a server they wait where they are."""

    def read_asked(self, peer: str | None, request: int, prove: bool) -> None:
        """Own clients (None) or a peer's want to know how far to apply before they read."""
        self.answer_read(peer, request, -1)

    def persisted(self) -> None:
        """More is on disk."""

    def tick(self) -> None:
        """Time has passed."""

    def deadline(self) -> int | None:
        """When the next tick is due."""
        return None

    def woke(self, away_ns: int) -> None:
        """This peer was away: what it counted on may be gone."""

    def disk_failed(self) -> None:
        """The disk failed."""

    def disk_stalled(self) -> None:
        """The disk hangs: what a failed one ends, a hung one ends too."""
        self.disk_failed()

    def damaged(self) -> None:
        """This peer's data turns out to be damaged."""
        self.disk_failed()

    def disk_answered(self) -> None:
        """The disk that hung works again."""

    def alive_server(self) -> tuple[str, int] | None:
        """The live server that this peer vouches for, and how many follow it as far as known."""
        return None

    def answer_read(self, peer: str | None, request: int, index: int) -> None:
        """Answer a read that was asked here or over a link."""
        if peer is None:
            self.node.out.reads.append(ReadAnswer(request, index))
        else:
            self.node.send(peer, ReadAt(request, index))
