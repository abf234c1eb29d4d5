"""Check a history against a model: each object alone, and one verdict over all."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from enum import StrEnum

import msgspec

from tanist.election.linearizability.models import Model
from tanist.election.linearizability.operations import Operation, Outcome
from tanist.election.linearizability.search import Found, Search

STEPS_MAX = 5_000_000
"""Steps of a model that a check may take: half a minute. A history that needs more is answered with `unknown`."""


class Verdict(StrEnum):
    """What a check says. Only OK is a pass."""

    OK = "ok"
    VIOLATION = "violation"
    UNKNOWN = "unknown"
    """The budget was used up: nothing is known."""


class ObjectReport(msgspec.Struct, frozen=True):
    """What was found of one object: its key, and all of its operations, failed ones too."""

    key: Hashable
    verdict: Verdict
    operations: int
    found: Found
    failed: tuple[Operation, ...] = ()
    """Operations that certainly did not happen; told beside a violation, which may be that one did."""


class Report(msgspec.Struct, frozen=True):
    """What was found of a whole history. `objects` are in the order in which the history names them first."""

    verdict: Verdict
    operations: int
    steps: int
    objects: tuple[ObjectReport, ...]

    def bad(self) -> ObjectReport | None:
        """The object that decides the verdict, if it is not OK: the first violation, else the first unknown."""
        return next((o for o in self.objects if o.verdict is self.verdict), None) if self.verdict != "ok" else None


def check(model: Model, operations: Sequence[Operation], *, steps_max: int = STEPS_MAX) -> Report:
    """Whether a history is linearizable. `steps_max` bounds the whole check. Raises HistoryError.

    A history is linearizable if and only if that of each of its objects is (Herlihy and Wing), which makes the
    difference between seconds and never.
    """
    groups: dict[Hashable, list[Operation]] = {}
    for operation in operations:
        groups.setdefault(operation.key if model.by_key else None, []).append(operation)
    left = steps_max
    reports: list[ObjectReport] = []
    for key, group in groups.items():
        found = Search(model, group, left).run()
        left -= found.steps
        failed = tuple(o for o in group if o.outcome is Outcome.FAIL) if found.exists is False else ()
        reports.append(ObjectReport(key, _verdict(found.exists), len(group), found, failed))
    verdicts = {report.verdict for report in reports}
    worst = next((v for v in (Verdict.VIOLATION, Verdict.UNKNOWN) if v in verdicts), Verdict.OK)
    return Report(worst, len(operations), steps_max - left, tuple(reports))


def _verdict(exists: bool | None) -> Verdict:
    match exists:
        case True:
            return Verdict.OK
        case False:
            return Verdict.VIOLATION
        case None:
            return Verdict.UNKNOWN
