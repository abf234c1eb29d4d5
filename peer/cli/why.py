"""A reign's record for people: what happened, in the order in which it did, then what it cost."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tanist.peer.cli.output import paint, safe, table
from tanist.peer.durations import duration

Answer = Mapping[str, Any]
RETRIES_SHOWN_MAX = 8
"""Retries of one peer told one by one: more than any pace makes after one loss."""
_WON = "won"


def why_lines(reign: Answer) -> list[str]:
    """One reign of `GET /why`, as lines."""
    lines = [_headline(reign)]
    if not reign["complete"]:
        lines.append(paint("  its server has not told yet how it came about: what follows is what others saw", "warn"))
    if reign["witnesses"]:
        lines += ["", paint("What happened", "strong"), *_story(reign)]
    if reign["fallbacks"]:
        lines += ["", paint(f"The fallback list, as {safe(reign['fallbacks_of'])} had it then", "strong")]
        lines += _list(reign["fallbacks"])
    if costs := list(_costs(reign)):
        lines += ["", paint("What it cost", "strong"), *costs]
    if peers := _peers(reign["witnesses"]):
        lines += ["", *peers]
    if ended := reign["ended"]:
        lines += ["", safe(f"It ended: {ended['because'] or 'another followed'}. tanist why {_term(ended['term'])}")]
    return lines


def _headline(reign: Answer) -> str:
    who = paint(f"{safe(reign['name'])} served as {_number(reign)}", "good")
    since = f" from {reign['began']}" if reign["began"] else ""
    at = f", entry {reign['first_index']}" if reign["first_index"] else ""
    why = f": {reign['because']}" if reign["because"] else ""
    return f"{who}{safe(f'{since}{at}{why}')}"


def _number(reign: Answer) -> str:
    before = reign["before"]
    after = f", after {before['number']} of {safe(reign['before_name'])}" if before else ""
    return f"term {reign['term']['number']}{after}"


def _term(term: Answer) -> str:
    return f"{term['number']}@{term['holder']}"


def _story(reign: Answer) -> Iterator[str]:
    """Each peer's part, as they came to lose the server; then the ballots, which follow from it."""
    for witness in sorted(reign["witnesses"], key=lambda witness: str(witness["at"])):
        yield f"  {witness['at'][11:23]}  {safe(_lost(witness))}"
        for text in _tried(witness):
            yield f"                {safe(text)}"
    for ballot in reign["stood"]:
        yield f"  {'ballot':<12}  {safe(_ballot(ballot))}"


def _lost(witness: Answer) -> str:
    name = witness["name"]
    if not witness["lost"]:
        return f"{name} started and looked for a server"
    number = witness["lost"]["number"]
    if not witness["evidence"]:
        away = f", having been away for {duration(witness['away_ms'])}" if witness["away_ms"] else ""
        return f"{name} left term {number}: {witness['cause'] or 'another server was there'}{away}"
    detail = f" ({witness['detail']})" if witness["detail"] else ""
    heard = "" if witness["heard_ms"] is None else f", {duration(witness['heard_ms'])} after its last heartbeat"
    return f"{name} lost the server of term {number}: {witness['evidence']}{detail}{heard}"


def _tried(witness: Answer) -> Iterator[str]:
    """What a peer did until it had a server again."""
    retries = witness["retries"]
    for retry in retries[:RETRIES_SHOWN_MAX]:
        detail = f" ({retry['detail']})" if retry["detail"] else ""
        outcome = f"{retry['outcome'] or 'no answer'}{detail}"
        yield f"retry {retry['attempt']}/{retry['attempts']} after {duration(retry['after_ms'])}: {outcome}"
    if len(retries) > RETRIES_SHOWN_MAX:
        yield f"and {len(retries) - RETRIES_SHOWN_MAX} more retries"
    for step in witness["steps"]:
        peers = ", ".join(step["peers"])
        what = {"struck": f"struck {peers} off", "chosen": f"went to {peers}", "waited": f"waited for {peers}"}
        yield f"{what.get(step['what'], step['what'])}: {step['reason']}"
    without = "" if witness["without_ms"] is None else f" after {duration(witness['without_ms'])} without a server"
    yield f"{'served' if witness['role'] == 'server' else 'followed'}{without}"


def _ballot(ballot: Answer) -> str:
    text = f"{ballot['name']} stood for number {ballot['number']}: {ballot['outcome'] or 'not ended'}"
    text += f", supported by {', '.join(ballot['support']) or 'nobody else'}"
    if ballot["opposed"]:
        text += "; opposed by " + ", ".join(f"{one['name']} ({one['reason']})" for one in ballot["opposed"])
    if ballot["left_out"]:
        text += "; left out: " + ", ".join(f"{name} ({why})" for name, why in ballot["left_out"].items())
    return text


def _list(places: Sequence[Answer]) -> list[str]:
    rows = [
        [str(rank), place["name"], "yes" if place["counts"] else "no", place["reason"]]
        for rank, place in enumerate(places, 1)
    ]
    return table(["#", "name", "waited for", "reason"], rows, indent="  ")


_TIMES = (
    ("detection_ms", "last heartbeat to suspicion"),
    ("retries_ms", "suspicion to the last retry's end"),
    ("ballot_ms", "ballot"),
    ("without_ms", "suspicion to the new reign"),
    ("open_ms", "new reign to its first acknowledgement"),
    ("write_ms", "new reign to its first command"),
)


def _costs(reign: Answer) -> Iterator[str]:
    for key, what in _TIMES:
        if (ms := reign["times"][key]) is not None:
            yield f"  {duration(ms):>8}  {what}"
    if reign["outage_ms"] is not None:
        yield f"  {duration(reign['outage_ms']):>8}  " + paint("the longest that callers waited for an answer", "warn")
    for count, what in (
        (reign["calls"], "calls waited"),
        (reign["retried"], "of them were sent again"),
        (reign["deduplicated"], "of these had been done already, and were done once"),
        (reign["archived"], "entries of a history that ended were archived"),
    ):
        if count:
            yield f"  {count:>8}  {what}"


def _peers(witnesses: Sequence[Answer]) -> list[str]:
    rows = [
        [
            witness["name"],
            witness["role"],
            "-" if witness["without_ms"] is None else duration(witness["without_ms"]),
            "-" if witness["outage_ms"] is None else duration(witness["outage_ms"]),
            str(witness["calls"]),
            str(witness["retried"]),
            str(witness["deduplicated"]),
            "" if witness["recorded"] else "not in the log yet",
        ]
        for witness in witnesses
    ]
    head = ["peer", "then", "without a server", "callers waited", "calls", "sent again", "done before", ""]
    return table(head, rows, indent="  ") if rows else []
