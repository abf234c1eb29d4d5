"""The past as the replicated log of a running peer has it."""

from bisect import bisect_right
from collections.abc import Mapping

import msgspec

from tanist.peer.application.machine import Machine
from tanist.peer.past.account import Account, decode
from tanist.peer.past.telling import Past, Reign, learn


def past_of(machine: Machine, roster: Mapping[str, str], unrecorded: list[Account]) -> Past:
    """All that the log tells; `unrecorded` are accounts of this peer's own that are not in it yet."""
    past = Past(unrecorded=unrecorded)
    for start in machine.reigns:
        past.reigns[start.term.number, start.term.holder] = Reign(start.index, start.time_ns // 1_000_000)
    for key in machine.records.terms():
        past.accounts[key] = [account for raw in machine.records.of(key) if (account := _decoded(raw)) is not None]
    _count_archived(past, machine)
    learn(past.names, [*past.unrecorded, *(a for known in past.accounts.values() for a in known)], roster)
    return past


def _decoded(raw: bytes) -> Account | None:
    """An account; None for one of a version that this one does not understand."""
    try:
        return decode(raw)
    except msgspec.MsgspecError:
        return None


def _count_archived(past: Past, machine: Machine) -> None:
    """What each heal brought counts for the reign in which it began."""
    starts = [start.index for start in machine.reigns]
    for report in machine.heals.reports.values():
        if at := bisect_right(starts, report.begun):
            term = machine.reigns[at - 1].term
            past.reigns[term.number, term.holder].archived += report.archived
