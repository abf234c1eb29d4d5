"""The past as election logs have it: every peer's lines through a witness of its own, as if it had told it itself."""

from collections.abc import Iterable

from tanist.election.events import HealFinished, ListPublished, MemberChanged, PeerSeen, ReignBegan, ServerFollowed
from tanist.peer.electionlog.line import LogLine
from tanist.peer.past.account import ITEMS_MAX, Account, short, term_of
from tanist.peer.past.telling import Past, Reign
from tanist.peer.past.witness import Witness

PEERS_MAX = 1024
"""Peers whose lines are followed, far more than a roster holds: a log of made-up ones ends there."""
NAMES_MAX = 2 * PEERS_MAX
"""Names remembered: theirs, and those of peers that they met."""
NO_TERM = (0, "")


def past_of_logs(lines: Iterable[LogLine]) -> Past:
    """All that these lines tell, in order; of one peer or of many."""
    past = Past()
    witnesses: dict[str, Witness] = {}
    serving: dict[str, str] = {}
    for line in lines:
        if line.body is None or (line.peer not in witnesses and len(witnesses) >= PEERS_MAX):
            continue
        past.names[line.peer] = line.name
        witness = witnesses.get(line.peer)
        if witness is None:
            witness = witnesses[line.peer] = Witness(line.peer, line.name)
        _add(past, witness.take(line.body, line.wall_ms))
        match line.body:
            case MemberChanged(peer=peer, name=name) | PeerSeen(peer=peer, name=name) if (
                name and len(past.names) < NAMES_MAX
            ):
                past.names.setdefault(peer, name)
            case ReignBegan(term=term, last_index=index) if term_of(term) != NO_TERM:
                serving[line.peer] = term
                past.reigns[term_of(term)] = Reign(index, line.wall_ms)
            case ListPublished(term=term, fallbacks=fallbacks) if term_of(term) in past.reigns:
                past.lists[term_of(term)] = tuple(map(short, fallbacks[:ITEMS_MAX]))
            case ServerFollowed():
                serving.pop(line.peer, None)
            case HealFinished(archived=archived) if line.peer in serving:
                past.reigns[term_of(serving[line.peer])].archived += archived
    for witness in witnesses.values():
        _add(past, witness.present())
    return past


def _add(past: Past, account: Account | None) -> None:
    if account is not None and term_of(account.term) != NO_TERM:
        past.accounts.setdefault(term_of(account.term), []).append(account)
