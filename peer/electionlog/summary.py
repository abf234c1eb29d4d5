"""The table of reigns for people: who served when, why that ended, on what evidence, and what it cost."""

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo

from tanist.peer.durations import duration
from tanist.peer.electionlog.reigns import Reign, Suspicion
from tanist.peer.electionlog.sentences import Names
from tanist.peer.electionlog.terminal import BOLD, DIM, folded, padded, painted

REIGNS_SHOWN_MAX = 50
"""Reigns told in full, the latest; more are a matter for `--term` and `--since`."""

WIDE_COLUMNS_MIN = 96
"""Columns from which the reason of an end finds room in the row; in fewer it has a line of its own."""

_LABEL_CHARS = 15
_INDENT = 6 + _LABEL_CHARS


def clock(wall_ms: int | None, zone: tzinfo | None) -> str:
    """A time of day with milliseconds, or a dash."""
    if wall_ms is None:
        return "-"
    return datetime.fromtimestamp(wall_ms // 1000, zone).strftime("%H:%M:%S.") + f"{wall_ms % 1000:03d}"


def table(reigns: Sequence[Reign], names: Names, *, width: int, colour: bool, zone: tzinfo | None) -> Iterator[str]:
    """The lines of the table, each without its end; at most `width` columns where words allow."""
    narrow = width < WIDE_COLUMNS_MIN
    head = f"{'term':>4}  {'server':<12}  {'from':<12}  {'to':<12}  {'served':<12}"
    if not narrow:
        head += "  ended because"
    yield painted(head, BOLD) if colour else head
    if left_out := max(0, len(reigns) - REIGNS_SHOWN_MAX):
        yield f"      … {left_out} earlier reigns, see them with --term"
    shown = reigns[left_out:]
    days = {_day(ms, zone) for reign in shown for ms in (reign.began_ms, reign.ended_ms) if ms is not None}
    moment = clock if len(days) < 2 else _day_and_minute
    for reign in shown:
        row = _row(reign, names, (moment(reign.began_ms, zone), moment(reign.ended_ms, zone)))
        why = names.in_text(reign.why) if reign.why else "not ended in these lines"
        yield row.rstrip() if narrow else f"{row}  {folded(why, width, len(row) + 2)}"
        told = ""
        for label, text in [*([("ended", why)] if narrow else []), *details(reign, names)]:
            label, told = f"{'' if label == told else label:<{_LABEL_CHARS}}", label
            yield "      " + (painted(label, DIM) if colour else label) + folded(text, width, _INDENT)


def _day(wall_ms: int, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(wall_ms // 1000, zone).strftime("%Y-%m-%d")


def _day_and_minute(wall_ms: int | None, zone: tzinfo | None) -> str:
    """What tells moments of several days apart in the same twelve columns."""
    return "-" if wall_ms is None else datetime.fromtimestamp(wall_ms // 1000, zone).strftime("%m-%d %H:%M")


def _row(reign: Reign, names: Names, moments: tuple[str, str]) -> str:
    served = "-"
    if reign.began_ms is not None and reign.ended_ms is not None:
        # Begin and end may come from two peers' clocks; a negative time would only say that they differ.
        served = duration(max(0, reign.ended_ms - reign.began_ms))
    return "  ".join(
        (
            f"{reign.number:>4}",
            padded(names.of(reign.server), 12),
            f"{moments[0]:<12}",
            f"{moments[1]:<12}",
            f"{served:<12}",
        )
    )


def details(reign: Reign, names: Names) -> Iterator[tuple[str, str]]:
    """What there is to say of a reign besides who and when: labels and texts, in the order of what happened."""
    if reign.support or reign.left_out:
        yield "elected by", _elected(reign, names)
    suspicions = sorted(reign.suspicions.values(), key=lambda suspicion: suspicion.wall_ms)
    if suspicions:
        yield "suspected by", "; ".join(_suspected(suspicion, names) for suspicion in suspicions)
    for suspicion in suspicions:
        if suspicion.retries:
            yield "retries", f"{names.of(suspicion.peer)} {_retries(suspicion)}"
    if reign.false_alarms:
        yield "false alarms", f"{reign.false_alarms}: a peer lost this server and found it again"
    if said := next((s.list_said for s in suspicions if s.list_said is not None), None) or reign.fallbacks:
        yield "the list said", ", ".join(names.in_item(item) for item in said)
    if (outage_ms := reign.outage_ms) is not None:
        yield "without one", _outage(reign, outage_ms, names)
    if reign.calls_waited:
        calls = "1 call" if reign.calls_waited == 1 else f"{reign.calls_waited} calls"
        yield "clients", f"{calls} waited, the longest {duration(reign.longest_wait_ms)}"


def _elected(reign: Reign, names: Names) -> str:
    support = ", ".join(names.of(peer) for peer in reign.support) or "nobody else"
    left_out = ", ".join(f"{names.of(peer)} {names.in_text(why)}" for peer, why in reign.left_out.items())
    return f"{support}; left out: {left_out}" if left_out else support


def _suspected(suspicion: Suspicion, names: Names) -> str:
    detail = f" ({names.in_text(suspicion.detail)})" if suspicion.detail else ""
    return f"{names.of(suspicion.peer)} on {names.in_text(suspicion.evidence)}{detail}"


def _retries(suspicion: Suspicion) -> str:
    return ", ".join(f"{retry.attempt}/{retry.attempts} {retry.outcome}" for retry in suspicion.retries)


def _outage(reign: Reign, outage_ms: float, names: Names) -> str:
    text = duration(outage_ms)
    if reign.successor:
        text += f", then {names.in_text(reign.successor)}"
    peer, longest_ms = max(reign.without_ms.items(), key=lambda item: item[1])
    if duration(longest_ms) != duration(outage_ms):
        text += f"; the longest at {names.of(peer)}, {duration(longest_ms)}"
    return text
