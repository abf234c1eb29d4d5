"""Makes the record of a reign out of accounts, wherever these come from: the replicated log, or election logs.

A pure function of what is known, so `why` says the same of the same accounts.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tanist.election.evidence import Evidence
from tanist.election.roles import Cause, Role
from tanist.peer.errors import BadRequest, NotFound
from tanist.peer.past.account import NO_TERM_TEXT, Account, term_of
from tanist.peer.past.records import Key
from tanist.peer.past.views import (
    EndView,
    OpposedView,
    PlaceView,
    ReignSummary,
    RetryView,
    StepView,
    StoodView,
    TimesView,
    Why,
    WitnessView,
)
from tanist.peer.status import TermView

LAST = "last"
"""What asks for the latest reign."""
SUPPORT = "support"

_PLACE = re.compile(r"(?P<name>.*) (?P<how>counts|waits) \((?P<reason>.*)\)", re.DOTALL)


@dataclass(slots=True)
class Reign:
    """What is known of a reign besides accounts: its first entry, when it began (ms since 1970), what heals brought."""

    first_index: int = 0
    began_ms: int | None = None
    archived: int = 0


@dataclass(slots=True)
class Past:
    """All that is known: reigns and accounts by (number, holder), and names of peers by id."""

    reigns: dict[Key, Reign] = field(default_factory=dict)
    accounts: dict[Key, list[Account]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    lists: dict[Key, tuple[str, ...]] = field(default_factory=dict)
    """The last fallback list of each reign, where the server's own lines tell it: one that hands over and ends gives no
    account, and its clients lose nothing that they would tell the list with."""
    unrecorded: list[Account] = field(default_factory=list)
    """Accounts that are not in the log yet: told too, and marked."""

    def of(self, key: Key) -> list[Account]:
        """The accounts of a reign: its server's first, then as they lost the one before."""
        known = {account.peer: account for account in self.accounts.get(key, ())}
        for account in self.unrecorded:
            if term_of(account.term) == key:
                known.setdefault(account.peer, account)
        return sorted(known.values(), key=lambda account: (account.peer != key[1], account.at_ms, account.peer))

    def terms(self) -> list[Key]:
        """All reigns that something is known of, by number."""
        return sorted({*self.reigns, *self.accounts, *(term_of(account.term) for account in self.unrecorded)})

    def name(self, peer: str) -> str:
        """A peer's name, or its id."""
        return self.names.get(peer, peer)


def find(past: Past, asked: str) -> list[Key]:
    """The reigns asked for: a number (of each fragment), "number@holder" (id or name), or "last".

    Raises BadRequest, or NotFound where nothing is known of it.
    """
    keys = past.terms()
    if not keys:
        raise NotFound("nobody has served yet")
    if asked == LAST:
        return keys[-1:]
    number, at, holder = asked.partition("@")
    if not (number.isascii() and number.isdecimal() and len(number) < 20) or (at and not holder):
        raise BadRequest(f"{asked[:100]!r} is no term: write its number, number@holder, or {LAST}")
    found = [key for key in keys if key[0] == int(number) and holder in ("", key[1], past.name(key[1]))]
    if not found:
        raise NotFound(f"nothing is known of term {asked[:100]}: known are {keys[0][0]} to {keys[-1][0]}, see history")
    return found


def history(past: Past) -> list[ReignSummary]:
    """All reigns that are known, by number."""
    return [_summary(past, key) for key in past.terms()]


def _summary(past: Past, key: Key) -> ReignSummary:
    accounts, reign = past.of(key), past.reigns.get(key, Reign())
    served = _server(accounts)
    return ReignSummary(
        term=TermView(*key),
        name=past.name(key[1]),
        first_index=reign.first_index,
        began=_began(reign, served),
        because=_because(past, key, accounts),
        outage_ms=_outage(accounts),
        without_ms=_known(served.without_ms) if served else None,
    )


def tell(past: Past, key: Key) -> Why:
    """One reign's record."""
    accounts = past.of(key)
    summary = _summary(past, key)
    before = _before(accounts)
    said = next((account for account in accounts if account.fallbacks), None)
    fallbacks, who = (said.fallbacks, said.peer) if said else (past.lists.get(term_of(before), ()), term_of(before)[1])
    return Why(
        term=summary.term,
        name=summary.name,
        first_index=summary.first_index,
        began=summary.began,
        because=summary.because,
        complete=_server(accounts) is not None,
        before=_term(before),
        before_name=past.name(term_of(before)[1]) if before != NO_TERM_TEXT else "",
        witnesses=[_witness(past, account) for account in accounts],
        fallbacks=[_place(text) for text in fallbacks],
        fallbacks_of=past.name(who) if fallbacks else "",
        stood=_stood(past, accounts),
        times=_times(_server(accounts)),
        outage_ms=summary.outage_ms,
        calls=sum(account.calls for account in accounts),
        retried=sum(account.retried for account in accounts),
        deduplicated=sum(account.deduplicated for account in accounts),
        archived=past.reigns.get(key, Reign()).archived,
        ended=_ended(past, key),
    )


def time_text(ms: int) -> str:
    """RFC 3339 UTC with milliseconds, of milliseconds since 1970."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _known(value: float) -> float | None:
    """A duration to a hundredth of a millisecond; None for one that nobody measured."""
    return round(value, 2) if value >= 0 else None


def _term(text: str) -> TermView | None:
    number, holder = term_of(text)
    return TermView(number, holder) if number else None


def _server(accounts: Iterable[Account]) -> Account | None:
    return next((account for account in accounts if account.role == Role.SERVER), None)


def _began(reign: Reign, served: Account | None) -> str:
    if reign.began_ms is not None:
        return time_text(reign.began_ms)
    return time_text(served.at_ms + round(max(0.0, served.without_ms))) if served else ""


def _before(accounts: list[Account]) -> str:
    """The reign that was lost, as its successor says, else as most others do."""
    served = _server(accounts)
    if served is not None and served.lost != NO_TERM_TEXT:
        return served.lost
    lost = [account.lost for account in accounts if account.lost != NO_TERM_TEXT]
    return max(lost, key=lambda term: (lost.count(term), term), default=NO_TERM_TEXT)


def _because(past: Past, key: Key, accounts: list[Account]) -> str:
    """Why there was a change, in a few words."""
    served, before = _server(accounts), _before(accounts)
    if served is not None and (served.first or _is_first(past, key)):
        return "the first server of this cluster"
    if before == NO_TERM_TEXT:
        return "started, and found no server" if served is not None else ""
    who = past.name(term_of(before)[1])
    concerned = [account for account in accounts if account.lost == before]
    causes = {account.cause for account in concerned}
    if Cause.HANDED_OVER in causes:
        return f"{who} handed over"
    if served is not None and served.cause == Cause.RENEWED:
        return f"{who} goes on in a higher number"
    suspected = sorted((account for account in concerned if account.evidence), key=lambda account: account.at_ms)
    if suspected:
        evidence = suspected[0].evidence
        return f"{who} said goodbye" if evidence == Evidence.GOODBYE else f"{who} was lost: {evidence}"
    return f"{who} {min(cause for cause in causes if cause)}" if any(causes) else ""


def _is_first(past: Past, key: Key) -> bool:
    """Whether nothing but the founding comes before a reign (quorum mode: its roster is the first entry)."""
    return past.reigns.get(key, Reign()).first_index == 2 and min(past.reigns) == key


def _outage(accounts: Iterable[Account]) -> float | None:
    """The longest wait at any peer. A server that was away kept its own callers waiting for longer than that."""
    waited = [(not _was_away(account), account.outage_ms) for account in accounts if account.outage_ms > 0]
    return round(max(waited)[1], 2) if waited else None


def _was_away(account: Account) -> bool:
    """Whether a peer lost its reign since it was away: it suspected nobody."""
    return account.away_ms > 0 and not account.evidence


def _witness(past: Past, account: Account) -> WitnessView:
    return WitnessView(
        id=account.peer,
        name=past.name(account.peer),
        role=account.role,
        lost=_term(account.lost),
        at=time_text(account.at_ms),
        cause=account.cause,
        evidence=account.evidence,
        detail=account.detail,
        heard_ms=_known(account.heard_ms),
        retries=[RetryView(r.attempt, r.attempts, round(r.after_ms, 2), r.outcome, r.detail) for r in account.retries],
        retries_ms=_known(account.retries_ms),
        steps=[StepView(step.what, [past.name(p) for p in step.peers], step.reason) for step in account.steps],
        without_ms=_known(account.without_ms),
        away_ms=round(account.away_ms, 2) or None,
        outage_ms=round(account.outage_ms, 2) or None,
        calls=account.calls,
        retried=account.retried,
        deduplicated=account.deduplicated,
        archived=account.archived,
        recorded=account not in past.unrecorded,
    )


def _place(text: str) -> PlaceView:
    """A place as the list is told in events: "name counts|waits (reason)"."""
    if match := _PLACE.fullmatch(text):
        return PlaceView(match["name"], match["how"] == "counts", match["reason"])
    return PlaceView(text, False, "")


def _stood(past: Past, accounts: Iterable[Account]) -> list[StoodView]:
    """All ballots by number, each with the refusals that its candidate heard, or that others remember."""
    ballots: list[StoodView] = []
    by_number: dict[tuple[str, int], StoodView] = {}
    for account in accounts:
        for stood in account.stood:
            opposed = {peer: answer for peer, answer in stood.answers if answer != SUPPORT}
            support = stood.support or tuple(peer for peer, answer in stood.answers if answer == SUPPORT)
            view = StoodView(
                name=past.name(account.peer),
                number=stood.number,
                outcome=stood.outcome,
                support=[past.name(peer) for peer in support],
                opposed=[OpposedView(past.name(peer), reason) for peer, reason in opposed.items()],
                left_out={past.name(peer): why for peer, why in stood.left_out},
                took_ms=round(stood.took_ms, 2) if stood.outcome else None,
            )
            ballots.append(view)
            by_number[account.peer, stood.number] = view
    for account in accounts:
        for vote in account.votes:
            if vote.granted:
                continue
            key = (vote.candidate, vote.number)
            if key not in by_number:
                by_number[key] = StoodView(past.name(vote.candidate), vote.number, "", [], [], {}, None)
                ballots.append(by_number[key])
            if all(opposed.name != past.name(account.peer) for opposed in by_number[key].opposed):
                by_number[key].opposed.append(OpposedView(past.name(account.peer), vote.reason))
    return sorted(ballots, key=lambda ballot: ballot.number)


def _times(served: Account | None) -> TimesView:
    if served is None:
        return TimesView(None, None, None, None, None, None)
    won = next((stood for stood in reversed(served.stood) if stood.outcome), None)
    return TimesView(
        detection_ms=_known(served.heard_ms),
        retries_ms=_known(served.retries_ms),
        ballot_ms=round(won.took_ms, 2) if won else None,
        without_ms=_known(served.without_ms),
        open_ms=_known(served.open_ms),
        write_ms=_known(served.write_ms),
    )


def _ended(past: Past, key: Key) -> EndView | None:
    """The reign whose accounts say that they lost this one."""
    text = f"{key[0]}@{key[1]}"
    for later in past.terms():
        if later > key and _before(accounts := past.of(later)) == text:
            return EndView(TermView(*later), past.name(later[1]), _because(past, later, accounts))
    return None


def learn(names: dict[str, str], accounts: Iterable[Account], roster: Mapping[str, str]) -> None:
    """Names: those that accounts tell, for members that are gone, and the roster's, which are the latest."""
    names.update({account.peer: account.name for account in accounts if account.name})
    names.update(roster)
