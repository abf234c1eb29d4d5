"""The past as election logs have it: every peer's lines through a witness of its own, as if it had told it itself."""

from collections.abc import Iterable

from tanist.election.events import HealFinished, MemberChanged, PeerSeen, ReignBegan, ServerFollowed
from tanist.peer.electionlog.line import LogLine
from tanist.peer.past.account import Account, term_of
from tanist.peer.past.telling import Past, Reign
from tanist.peer.past.witness import Witness


def past_of_logs(lines: Iterable[LogLine]) -> Past:
    """All that these lines tell, in order; of one peer or of many."""
    past = Past()
    witnesses: dict[str, Witness] = {}
    serving: dict[str, str] = {}
    for line in lines:
        past.names[line.peer] = line.name
        if line.body is None:
            continue
        witness = witnesses.get(line.peer)
        if witness is None:
            witness = witnesses[line.peer] = Witness(line.peer, line.name)
        _add(past, witness.take(line.body, line.wall_ms))
        match line.body:
            case MemberChanged(peer=peer, name=name) | PeerSeen(peer=peer, name=name) if name:
                past.names.setdefault(peer, name)
            case ReignBegan(term=term, last_index=index):
                serving[line.peer] = term
                past.reigns[term_of(term)] = Reign(index, line.wall_ms)
            case ServerFollowed():
                serving.pop(line.peer, None)
            case HealFinished(archived=archived) if line.peer in serving:
                past.reigns[term_of(serving[line.peer])].archived += archived
    for witness in witnesses.values():
        _add(past, witness.present())
    return past


def _add(past: Past, account: Account | None) -> None:
    if account is not None:
        past.accounts.setdefault(term_of(account.term), []).append(account)
