"""What a check found, for people."""

from __future__ import annotations

from tanist.election.linearizability.check import ObjectReport, Report, Verdict
from tanist.election.linearizability.operations import Operation, show

ORDER_SHOWN_MAX = 12
"""Operations shown of the longest order: its end tells what went wrong."""
BESIDE_SHOWN_MAX = 8
TEXT_MAX = 200
"""Characters of one value, state or operation: a log's state can be a page."""


def lines(report: Report) -> list[str]:
    """A report in lines: the verdict, and what decided it."""
    objects = f"{len(report.objects)} object{'s' if len(report.objects) != 1 else ''}"
    counted = f"{report.operations:,} operations on {objects}, {report.steps:,} steps"
    bad = report.bad()
    if bad is None:
        return [f"ok: linearizable ({counted})"]
    if bad.verdict is Verdict.UNKNOWN:
        return [f"unknown: the budget of steps was used up ({counted})", *_where_it_ended(bad)]
    return [f"violation: not linearizable ({counted})", *_where_it_ended(bad)]


def _where_it_ended(bad: ObjectReport) -> list[str]:
    found = bad.found
    name = "" if bad.key is None else f" of {show(bad.key)}"
    out = [f"the longest order{name} has {len(found.order)} operations, of {bad.operations}; it ends with"]
    skipped = len(found.order) - ORDER_SHOWN_MAX
    if skipped > 0:
        out.append(f"  ... {skipped} before")
    out += [f"  {_cut(str(o))}" for o in found.order[-ORDER_SHOWN_MAX:]]
    if found.unplaced is None:
        return out
    word = "cannot be placed" if bad.verdict is Verdict.VIOLATION else "was not placed yet"
    out.append(f"the first operation that {word}:")
    out.append(f"  {_cut(str(found.unplaced))}")
    if found.states:
        out.append(f"the state there: {' or '.join(_cut(state) for state in found.states)}")
    if found.beside:
        out.append("under way beside it, and not in that order:")
        out += [f"  {_cut(str(o))}" for o in found.beside[:BESIDE_SHOWN_MAX]]
        if len(found.beside) > BESIDE_SHOWN_MAX:
            out.append(f"  ... {len(found.beside) - BESIDE_SHOWN_MAX} more")
    out += _failed_hint(found.unplaced, bad.failed)
    return out


def _failed_hint(unplaced: Operation, failed: tuple[Operation, ...]) -> list[str]:
    """A failed operation that wrote what was answered is most likely the story."""
    culprit = next((o for o in failed if unplaced.result is not None and unplaced.result in o.arguments), None)
    return [] if culprit is None else [f"this one failed, so that it cannot be the cause: {_cut(str(culprit))}"]


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}... ({len(text)} characters)"
