"""How a peer answers those who would stand: one file for both steps of the ballot, and for both safety modes."""

from typing import NamedTuple

from tanist.election.events import VoteCast
from tanist.election.history import EMPTY, History
from tanist.election.messages import Canvass, Oppose, RequestVote, Support, Vote
from tanist.election.node import Node
from tanist.election.safety import rules_of

SERVER_ALIVE = "server_alive"
FRESHER = "fresher"
BETTER_RANK = "better_rank"
STALE_NUMBER = "stale_number"
UNABLE = "unable"
VOTED = "voted"


class Voter(NamedTuple):
    """What the asked peer's role adds to its node: its live server, and whether it stands itself."""

    alive: tuple[str, int] | None
    standing: bool


def answer_canvass(node: Node, candidate: str, canvass: Canvass, voter: Voter) -> Support | Oppose:
    """Answer a canvass; nothing changes at this peer, on disk or in memory."""

    def oppose(reason: str, history: History = EMPTY, following: int = 0) -> Oppose:
        return Oppose(canvass.number, reason, node.number, history, following)

    if _vouches(node, candidate, voter):
        assert voter.alive is not None
        return oppose(SERVER_ALIVE, following=voter.alive[1])
    if canvass.number <= node.number:
        return oppose(STALE_NUMBER)
    if node.unfit:
        return oppose(UNABLE)
    if _fresher(node, canvass.history):
        return oppose(FRESHER, node.log.history())
    # Rank never vetoes: whoever waited for a better one once already is not asked to wait again.
    if not canvass.again and voter.standing and ranks_before(node, candidate):
        return oppose(BETTER_RANK)
    return Support(canvass.number)


def answer_vote(node: Node, candidate: str, request: RequestVote, voter: Voter) -> None:
    """Vote, or refuse to. A vote is on disk before its answer leaves."""
    reason = _against(node, candidate, request, voter)
    granted = not reason
    node.emit(VoteCast(request.number, candidate, granted, reason))
    if granted:
        node.adopt_number(request.number, candidate)
    history = node.log.history() if reason == FRESHER else EMPTY
    node.send_after_disk(candidate, Vote(request.number, granted, reason, node.number, history))


def _against(node: Node, candidate: str, request: RequestVote, voter: Voter) -> str:
    if node.unfit:
        return UNABLE
    if _vouches(node, candidate, voter):
        return SERVER_ALIVE
    if request.number < node.number:
        return STALE_NUMBER
    if request.number == node.number and node.voted_for not in ("", candidate):
        return VOTED
    if _fresher(node, request.history):
        return FRESHER
    return ""


def _vouches(node: Node, candidate: str, voter: Voter) -> bool:
    """Whether a live server stands against this candidate: not against the one it named itself."""
    if voter.alive is None:
        return False
    named = node.heir_named
    return named is None or named[0] != candidate or named[1] < node.now


def _fresher(node: Node, theirs: History) -> bool:
    order = rules_of(node.settings.safety).freshness
    return order(node.log.history()) > order(theirs)


def ranks_before(node: Node, candidate: str) -> bool:
    """Whether the list puts this peer before another; peers that are in no list go by id, after it."""
    mine, theirs = node.fallbacks.place(node.me.id), node.fallbacks.place(candidate)
    if mine is None or theirs is None:
        return mine is not None or (theirs is None and node.me.id < candidate)
    return mine < theirs
