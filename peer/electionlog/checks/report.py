"""`tanist log check`: what breaks a rule in election logs, pointed to by file and line."""

import json as json_module
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from tanist.peer.electionlog.checks.check import RULES, Checker
from tanist.peer.electionlog.checks.rule import Finding
from tanist.peer.electionlog.problems import Problems
from tanist.peer.electionlog.reader import read_one_by_one
from tanist.peer.electionlog.terminal import BOLD, DIM, RED, colour_wanted, folded, is_terminal, painted, printable

OK, FAILED = 0, 1
"""Exit statuses, as all verbs have them."""
INDENT = 4
"""Columns by which what is said of a finding stands under its place."""


def log_check(
    paths: Iterable[Path | str],
    *,
    json: bool = False,
    stream: TextIO | None = None,
    errors: TextIO | None = None,
) -> int:
    """Check election logs; findings go to `stream` (stdout), what cannot be read to `errors` (stderr).

    `json` writes one object instead of sentences. Returns the exit status: 0 when nothing breaks a rule; 1 when
    something does, a file could not be read, or nothing in the files was an election log.
    """
    stream, problems = stream or sys.stdout, Problems(errors or sys.stderr)
    checker = Checker()
    # What one peer did must come in order; rules about two peers look at numbers, not at clocks.
    for line in read_one_by_one((Path(path) for path in paths), problems.take):
        checker.take(line)
    found = checker.finish()
    problems.end()
    if json:
        told = {
            "events": checker.events,
            "peers": checker.peers,
            "reigns": checker.reigns,
            "rules": [rule.name for rule in checker.rules],
            "unreadable": problems.count,
            "findings": [finding.as_json() for finding in found],
            "more": checker.more,
        }
        stream.write(json_module.dumps(told, indent=2) + "\n")
    else:
        _tell(found, checker, stream)
    return FAILED if found or problems.unreadable or not checker.events else OK


def _tell(found: list[Finding], checker: Checker, stream: TextIO) -> None:
    """Findings as sentences, what each rule is for at its first one, and what they are out of."""
    colour = colour_wanted(stream)
    # In a pipe a line stays a line, for grep.
    width = shutil.get_terminal_size().columns if is_terminal(stream) else 0

    def write(text: str, paint: str = "", indent: int = 0) -> None:
        encoding = stream.encoding or "utf-8"
        safe = " " * indent + printable(text).encode(encoding, "backslashreplace").decode(encoding)
        if width and indent:
            safe = " " * indent + folded(safe.strip(), width, indent)
        stream.write((painted(safe, paint) if colour else safe) + "\n")

    explained: set[str] = set()
    for finding in found:
        rule = finding.rule
        write(f"{finding.place}: {finding.event} breaks {rule.name}", RED)
        write(finding.text, indent=INDENT)
        for place in finding.also:
            write(f"see also {place}", indent=INDENT)
        if rule.name not in explained:
            explained.add(rule.name)
            write(f"{rule.holds} Else: {rule.means}", DIM, INDENT)
    if checker.more:
        write(f"and {checker.more:,} more: too many to be told")
    verdict = f"{_counted(len(found) + checker.more, 'line')} broke a rule" if found else "nothing breaks a rule"
    out_of = ", ".join(
        _counted(count, noun)
        for count, noun in ((checker.events, "event"), (checker.peers, "peer"), (checker.reigns, "reign"))
    )
    write(f"{verdict}: {out_of}, {_counted(len(checker.rules), 'rule')} of {len(RULES)}", BOLD)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
