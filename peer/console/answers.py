"""What a peer answered to a line: the lines of the line protocol, and what went wrong as a code."""

from dataclasses import dataclass
from typing import Any

from tanist.peer.cli.exits import Exit

STATUSES = {
    "bad_request": Exit.USAGE,
    "not_found": Exit.USAGE,
    "too_large": Exit.USAGE,
    "no_server": Exit.NO_SERVER,
    "no_majority": Exit.NO_SERVER,
    "unreachable": Exit.UNREACHABLE,
    "unknown_outcome": Exit.TIMED_OUT,
}
"""Exit statuses by code; `Exit.FAILED` for all others, which are the applications' own."""
NOTHING = "nothing"
"""The code of a query that found nothing."""


@dataclass(frozen=True)
class Answer:
    """`lines` are as the line protocol has them; `code` is "" unless something went wrong."""

    lines: list[str]
    code: str = ""
    result: Any = None

    @property
    def status(self) -> Exit:
        """The exit status that says what happened."""
        return STATUSES.get(self.code, Exit.FAILED) if self.code else Exit.OK

    @property
    def text(self) -> list[str]:
        """The lines as people read them: without what tells a program where the answer ends."""
        first = self.lines[0]
        if self.code:
            return [first.removeprefix("ERROR ")]
        if first == "OK" and self.lines[-1] == "." and len(self.lines) > 1:
            return [line.removeprefix(".") for line in self.lines[1:-1]]
        return [first.removeprefix("OK ")]


def failed(code: str, why: str) -> Answer:
    """The answer of a line that came to nothing."""
    return Answer([f"ERROR {why}"], code)


def answer_from(said: dict[str, Any]) -> Answer:
    """From a peer's message."""
    error = said.get("error")
    if error is None:
        lines = said.get("answer") or ["OK"]
        return Answer(lines, NOTHING if lines[0].startswith("ERROR") else "", said.get("result"))
    return Answer(said.get("answer") or [f"ERROR {error['message']}"], error["code"])
