"""`tanist new-app NAME`: the beginning of an application of one's own, with a failure test beside it."""

import keyword
import re
from importlib.util import find_spec
from pathlib import Path

from tanist.peer.application.loading import BUILT_IN
from tanist.peer.cli.exits import Exit, VerbError
from tanist.peer.cli.output import say

APPLICATION = '''"""{title}: an application that outlives its server."""

from tanist.peer.application import Application, Context, Event, Refused, command, query

TEXT_LENGTH_MAX = 1000
"""Characters of an entry."""
ENTRIES_MAX = 10_000
"""Entries kept."""


class Added(Event):
    """Somebody added something: told to everybody who listens, once it is committed."""

    template = "{{number}}: {{text}}"
    number: int
    text: str


class {title}(Application):
    """A list that everybody adds to."""

    entries: dict[int, str]
    written: int

    @command
    def add(self, ctx: Context, text: str) -> int:
        """Add an entry; gives its number."""
        if not 0 < len(text) <= TEXT_LENGTH_MAX:
            raise Refused(f"An entry has 1 to {{TEXT_LENGTH_MAX}} characters", "bad_text")
        if len(self.entries) >= ENTRIES_MAX:
            raise Refused(f"{{ENTRIES_MAX}} entries are kept: remove some", "full")
        self.written += 1
        self.entries[self.written] = text
        ctx.publish(Added(self.written, text))
        return self.written

    @command
    def remove(self, ctx: Context, number: int) -> bool:
        """Remove an entry; whether it was there."""
        return self.entries.pop(number, None) is not None

    @query
    def all(self, ctx: Context) -> list[str]:
        """All entries, the oldest first."""
        return [f"{{number}}: {{text}}" for number, text in self.entries.items()]
'''
TEST = '''"""{title} keeps what it was told, whichever peer dies."""

import pytest

from tanist.peer.testing import Cluster, one_server


@pytest.mark.tanist(app="{name}.py:{title}")
def test_an_entry_outlives_its_server(cluster: Cluster) -> None:
    cluster.call("{name}/add", text="milk")
    cluster.server.kill()
    cluster.until(one_server)
    assert cluster.query("{name}/all") == ["1: milk"]
'''
NEXT = """Wrote {application} and {test}. Now:

  tanist up --app {application}:{title}
  tanist call {name} add "buy milk"
  tanist simulate --app {application}:{title} --seeds 0:50
  pytest {test}

The class says what is kept, and which commands and queries there are; the rest follows."""


def new_app(name: str, folder: Path) -> int:
    """Write `NAME.py` and `test_NAME.py` into a folder. Raises `VerbError`; nothing is ever written over."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name) or keyword.iskeyword(name):
        raise VerbError(
            Exit.USAGE, f"{name!r} is no name of an application: lower-case letters, digits and _, as in notes"
        )
    if name in BUILT_IN:
        raise VerbError(Exit.USAGE, f"an application called {name} comes along already: take another name")
    # The cluster knows an application by its class's name in lower case, which must be the file's.
    title = name.capitalize()
    written = {f"{name}.py": APPLICATION, f"test_{name}.py": TEST}
    for file in written:
        if (folder / file).exists():
            raise VerbError(
                Exit.USAGE, f"{folder / file} is there already: take another name, or another folder (--in)"
            )
    if find_spec(name) is not None:
        raise VerbError(
            Exit.USAGE, f"there is a Python module called {name}, which {name}.py would hide: take another name"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in written.items():
            with (folder / file).open("x", encoding="utf-8") as out:
                out.write(text.format(name=name, title=title))
    except OSError as error:
        raise VerbError(Exit.FAILED, f"{folder}: {(error.strerror or str(error)).lower()}") from error
    application, test = (str(folder / file) for file in written)
    say(NEXT.format(name=name, title=title, application=application, test=test))
    return Exit.OK
