"""What a peer says of heals, in plain words."""

import msgspec

from tanist.election.core import Core
from tanist.election.entries import Kind
from tanist.peer.application.heals import HealedEntry, HealReport
from tanist.peer.application.machine import Machine
from tanist.peer.errors import NotFound
from tanist.peer.status import HealedEntryView, HealView, TermView
from tanist.peer.statusview import time_text

_KIND_NAMES = {int(kind): kind.name.lower() for kind in Kind}


def heals(core: Core, machine: Machine, heal: str | None) -> list[HealView]:
    """The heals that are remembered, oldest first; or one, with its entries. Raises NotFound."""
    reports = machine.heals.reports
    if heal is None:
        return [_view(core, report, entries=False) for report in reports.values()]
    if heal not in reports:
        raise NotFound(f"there is no heal {heal[:100]!r} here; there are: {', '.join(reports)[:1000] or 'none'}")
    return [_view(core, reports[heal], entries=True)]


def _view(core: Core, report: HealReport, *, entries: bool) -> HealView:
    names = {m.id: m.name for m in core.node.log.roster.members}
    view = HealView(
        heal=report.heal,
        fork=report.fork,
        theirs=TermView(report.theirs.number, report.theirs.holder),
        members=[names.get(m, m) for m in report.members],
        index=report.begun,
        began=time_text(report.begun_ns),
        ended=time_text(report.ended_ns) if report.ended else "",
        archived=report.archived,
        missing=report.missing,
        fates=dict(report.fates),
        unlisted=report.unlisted,
    )
    if entries:
        view = msgspec.structs.replace(view, entries=[_entry(entry) for entry in report.entries])
    return view


def _entry(entry: HealedEntry) -> HealedEntryView:
    return HealedEntryView(
        index=entry.index,
        term=TermView(entry.term.number, entry.term.holder),
        at=entry.at,
        kind=_KIND_NAMES.get(entry.kind, str(entry.kind)),
        app=entry.app,
        command=entry.name,
        session=entry.session,
        sequence=entry.sequence,
        acknowledged=entry.acknowledged,
        fate=entry.fate,
        code=entry.code,
    )
