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
LENDS = "lends"
"""A peer that cannot stand holds what the candidate lacks, and lends it."""
VOTED = "voted"


class Voter(NamedTuple):
    """What the asked peer's role adds to its node: its live server and that one's followers; whether it stands."""

    alive: tuple[str, int] | None
    standing: bool


def answer_canvass(node: Node, candidate: str, canvass: Canvass, voter: Voter) -> Support | Oppose:
    """Answer a canvass; nothing changes at this peer, on disk or in memory."""

    alive = _hears_both(node, candidate, voter)
    server, following = alive if alive is not None else ("", 0)

    def oppose(reason: str, history: History = EMPTY) -> Oppose:
        return Oppose(canvass.number, reason, node.number, history, following, server)

    if alive is not None and not _changes_side(node, canvass, alive):
        return oppose(SERVER_ALIVE)
    if canvass.number <= node.number:
        return oppose(STALE_NUMBER)
    fresher = _fresher(node, canvass.history)
    if fresher:
        return oppose(FRESHER if node.able else LENDS, node.log.history())
    if node.unfit:
        return oppose(UNABLE)
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
    alive = _hears_both(node, candidate, voter)
    if alive is not None and not _changes_side(node, request, alive):
        return SERVER_ALIVE
    if request.number < node.number:
        return STALE_NUMBER
    if request.number == node.number and node.voted_for not in ("", candidate):
        return VOTED
    if _fresher(node, request.history):
        return FRESHER
    return ""


def _hears_both(node: Node, candidate: str, voter: Voter) -> tuple[str, int] | None:
    """The live server that this peer hears as well, and its followers.

    Not the candidate itself, nor one that named the candidate its heir.
    """
    if voter.alive is None or voter.alive[0] == candidate:
        return None
    named = node.heir_named
    handed_over = named is not None and named[0] == candidate and named[1] >= node.now
    return None if handed_over else voter.alive


def _changes_side(node: Node, asked: Canvass | RequestVote, alive: tuple[str, int]) -> bool:
    """Survivor mode: whether this peer, which hears both, leaves its live server for the candidate.

    Those that hear both count on neither side, and change sides once a detection window. A server never does.
    """
    server, following = alive
    if node.quorum or server == node.me.id or not asked.opposed:
        return False
    if node.sided_at is not None and node.now < node.sided_at + node.times.window:
        return False
    return asked.support > 1 + following - asked.opposed


def _fresher(node: Node, theirs: History) -> bool:
    order = rules_of(node.settings.safety).freshness
    return order(node.log.history()) > order(theirs)


def ranks_before(node: Node, candidate: str) -> bool:
    """Whether the list puts this peer before another; peers that are in no list go by id, after it."""
    mine, theirs = node.fallbacks.place(node.me.id), node.fallbacks.place(candidate)
    if mine is None or theirs is None:
        return mine is not None or (theirs is None and node.me.id < candidate)
    return mine < theirs
