"""The reference of the check of election logs, made from its rules.

`python -m tanist.peer.electionlog.checks.reference > docs/reference/log-checks.md` writes it anew.
"""

import sys

from tanist.peer.electionlog.checks.check import SETS

_HEAD = """\
# The rules of `tanist log check`

<!-- Made from the code: python -m tanist.peer.electionlog.checks.reference > docs/reference/log-checks.md -->

    tanist log check anna/election.jsonl ben/election.jsonl carl/election.jsonl

reads election logs and points to each line that breaks a rule. It ends with 0 when none does, else with 1; with
`--json` it writes one object. Of one peer alone it checks what that one did; what two peers did against each other is
found when the logs of both are given.

A rule is broken only where the lines show it for certain. What is not told breaks none: logs that begin in the middle
since their oldest files were thrown away, lines that were lost, peers whose logs are not given, restarts, clocks that
jump, and lines of earlier versions, which tell less. Lines that cannot be read are reported and passed over. A log
that is given twice counts once; clusters of several names are checked each for itself.

Survivor mode promises less, so some rules hold in quorum mode only: two fragments of a split may each have a server of
one number, and what a split lost its heal archives.

In a program, `check(lines)` of `tanist.peer.electionlog.checks.check` gives the findings, and
`tanist.peer.electionlog.reader.read` the lines.
"""


def reference() -> str:
    """The page, as it must stand in docs/reference/log-checks.md."""
    parts = [_HEAD]
    for rules in SETS:
        # The first words of a module say what its rules are about.
        about = (sys.modules[rules.__module__].__doc__ or "").partition("\n")[0]
        rows = [
            f"| `{rule.name}` | {rule.holds} | {rule.means} | {'quorum' if rule.quorum else 'both'} |"
            for rule in rules.RULES
        ]
        head = ["| rule | what must hold | else | modes |", "| --- | --- | --- | --- |"]
        parts.append("\n".join([f"## {rules.__name__}", "", about, "", *head, *rows, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(reference())
