"""Planted bugs, from the command line: `python -m planted --help` in `tests/`."""

from __future__ import annotations

import argparse
import os
import sys

from planted.canary import CANARY, SEEDS
from planted.catalogue import BUGS, by_name
from planted.hunting import hunt, kill_all
from planted.measuring import SEEDS_MAX, measure_all
from planted.table import PAGE, page


def main(arguments: list[str]) -> int:
    """Do what is asked; 0 when every bug was killed."""
    parser = argparse.ArgumentParser(prog="python -m planted", description=__doc__)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seeds", type=int, default=SEEDS_MAX, help="of each hunt, at most")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (("kill", "hunt bugs"), ("measure", "hunt them from several starts, and keep how long it took")):
        commands.add_parser(name, help=what).add_argument("names", nargs="*")
    measuring = commands.choices["measure"]
    measuring.add_argument("--starts", type=int, default=3, help="how many hunts the mean is of")
    measuring.add_argument("--shrink", action="store_true", help="and make a failing life as small as possible")
    commands.add_parser("table", help="write docs/reference/planted-bugs.md")
    commands.add_parser("canary", help="see a bug that shows in one seed of a hundred")
    asked = parser.parse_args(arguments)
    if asked.command == "table":
        PAGE.write_text(page(), "utf-8")
        return 0
    if asked.command == "canary":
        return canary()
    bugs = [by_name(name) for name in asked.names] or [planted for planted in BUGS if not planted.argued]
    if asked.command == "measure":
        survived = measure_all(bugs, asked.processes, asked.seeds, asked.starts, asked.shrink)
    else:
        survived = []
        for planted, found in kill_all(bugs, range(asked.seeds), asked.processes):
            print(f"{planted.name:40} {found}", flush=True)
            if not found.killed:
                survived.append(planted.name)
    if survived:
        print(f"{len(survived)} survived: {', '.join(survived)}", file=sys.stderr)
    return 1 if survived else 0


def canary() -> int:
    """See the canary die; 1 when a run of so many seeds does not."""
    (probe,) = CANARY.killers
    found = hunt(CANARY.name, probe, SEEDS)
    if not found.killed:
        print(
            f"{len(SEEDS)} seeds of {probe}, and nothing was seen of the canary: the harness is blind", file=sys.stderr
        )
        return 1
    print(f"the canary died at seed {found.seed} of {probe}: {found.by}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
