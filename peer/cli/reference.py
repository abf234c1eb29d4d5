"""docs/reference/command-line.md, made of the help that the verbs print themselves.

python -m tanist.peer.cli.reference > docs/reference/command-line.md
"""

import io
import sys

from rich.console import Console

from tanist.peer.cli.exits import MEANINGS
from tanist.peer.cli.verbs import app

WIDTH = 100
"""Columns of the help in the reference: a terminal's, and a page's."""

HEAD = """# The command line

This page is what `tanist VERB --help` prints; it is generated, so edit the verbs instead (see CONTRIBUTING).

Data goes to stdout, logs and complaints to stderr. There is colour only on a terminal, and not under `NO_COLOR`.
With `--json` a verb prints what the peer's HTTP address answers (see http.md), on one line. Verbs that ask a running
peer take `--at`, by default the page of the first peer on this machine.

Every flag has a twin in the environment: `TANIST_` and its name in capitals, `TANIST_LOG_LEVEL` for `--log-level`.
(`log show --peer` has none: TANIST_PEER holds the addresses of a peer to be run.) Lists are separated by commas there.

| exit status | meaning |
| --- | --- |
"""


def reference() -> str:
    """The page, as markdown."""
    statuses = "".join(f"| {status.value} | {meaning} |\n" for status, meaning in MEANINGS.items())
    sections = [f"## {' '.join(('tanist', *chain))}\n\n```text\n{_help(chain)}\n```\n" for chain in _chains()]
    return "\n".join([HEAD + statuses, *sections])


def _chains() -> list[tuple[str, ...]]:
    """Each verb by its words: tanist itself, its plain verbs, then those that have verbs of their own."""
    plain: list[tuple[str, ...]] = [()]
    grouped: list[tuple[str, ...]] = []
    for verb in app:
        if not verb.startswith("-"):
            inner = [(verb, name) for name in app[verb] if not name.startswith("-")]
            (grouped if inner else plain).extend(inner or [(verb,)])
    return plain + grouped


def _help(chain: tuple[str, ...]) -> str:
    text = io.StringIO()
    console = Console(file=text, width=WIDTH, no_color=True, force_terminal=False, _environ={})
    app.help_print(list(chain), console=console)
    return "\n".join(line.rstrip() for line in text.getvalue().strip().splitlines())


if __name__ == "__main__":
    sys.stdout.write(reference())
