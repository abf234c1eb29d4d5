"""Pages for people, done as they say: files saved, every command typed, and what is shown is what comes out.

A block of Python, YAML or JSON is a file if the words before it name one. Indented lines and `sh` blocks are commands
that must succeed; in a `console` block what follows a command is what it prints. `tanist up` stays up, in a terminal of
its own; "(Ctrl-C)" ends all that are. The ports of the page become free ones of this machine.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tanist.peer.cli.demo_peers import free_ports
from tanist.peer.drills.launcher import die_with_parent, environment

ROOT = Path(__file__).parent.parent.parent
DEADLINE_S = 60.0
PORTS = [*range(7400, 7403), *range(7480, 7483)]
"""The default ports of the first three peers of a machine, and of their pages."""
READS = re.compile(r"tanist call \w+ (get|all|price)\b|^curl -s |^grep ")
"""What may be asked again until it is so: a peer may be a moment behind."""
SHORTER = ("--seeds 0:50", "--seeds 0:3")
FILES = {"python": "py", "yaml": "yaml", "json": "json"}

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="the commands are a shell's")]


class Do(NamedTuple):
    """A command, and what it prints if the page shows that."""

    command: str
    shown: str | None = None


class Save(NamedTuple):
    """A file."""

    name: str
    text: str


class Interrupt(NamedTuple):
    """Ctrl-C in all terminals."""


def steps(text: str) -> Iterator[Do | Save | Interrupt]:
    named = ""
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$|^    ([^\n]*)$|^(\S[^\n]*)$", text, re.MULTILINE | re.DOTALL):
        language, block, command, prose = found.groups()
        if command is not None:
            yield Do(command)
        elif prose is not None:
            named = (re.findall(r"`(\w+\.(?:py|yaml|json))`", prose) or [named])[-1]
            if "(Ctrl-C)" in prose:
                yield Interrupt()
        elif language in FILES:
            name = named or ("test_notes.py" if "def test_" in block else "")
            if name.endswith(FILES[language]):
                yield Save(name, block)
            named = ""
        elif language == "sh":
            yield from (Do(line.partition("   #")[0]) for line in block.splitlines())
        elif language == "console":
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                typed, _, shown = part.partition("\n")
                yield Do(typed, shown)


class Desk:
    """A folder and some terminals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self.up: dict[int, subprocess.Popen[bytes]] = {}
        bin_folder = Path(sys.executable).parent
        self.environment = {**environment(folder), "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
        self.environment["TANIST_AT"] = self.here("127.0.0.1:7480")

    def here(self, text: str) -> str:
        return re.sub(r"\b74[08]\d\b", lambda found: str(self.ports.get(int(found[0]), found[0])), text)

    def do(self, step: Do) -> None:
        command = self.here(step.command.replace(*SHORTER))
        if command.startswith("tanist up "):
            self.start(command)
            return
        deadline = time.monotonic() + DEADLINE_S
        while True:
            done = self.typed(command)
            printed = done.stdout + (done.stderr if command.startswith("tanist ") and step.shown is not None else "")
            fails = step.shown is not None and step.shown.startswith("tanist: ")
            right = (done.returncode != 0) is fails and (step.shown is None or printed.strip() == step.shown.strip())
            if right or not READS.search(command) or time.monotonic() > deadline:
                break
        assert right, f"$ {step.command}\n{printed}\n({done.returncode}) {done.stderr}\nthe page shows: {step.shown}"

    def typed(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, shell=True, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=100,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    def start(self, command: str) -> None:
        """A terminal more, with the first ports that are free now."""
        number = next(n for n in range(3) if n not in self.up or self.up[n].poll() is not None)
        own = {"TANIST_LISTEN": self.here(f"127.0.0.1:{7400 + number}")}
        own["TANIST_HTTP"] = self.here(f"127.0.0.1:{7480 + number}")
        out = self.folder / f"terminal-{len(list(self.folder.glob('terminal-*')))}"
        with out.open("wb") as file:
            self.up[number] = subprocess.Popen(
                shlex.split(command), cwd=self.folder, env={**self.environment, **own}, stdin=subprocess.DEVNULL,
                stdout=file, stderr=subprocess.STDOUT, preexec_fn=die_with_parent,
            )  # fmt: skip
        deadline = time.monotonic() + DEADLINE_S
        while b" is up in cluster " not in out.read_bytes():
            assert self.up[number].poll() is None and time.monotonic() < deadline, f"$ {command}\n{out.read_text()}"
            self.typed("tanist --version")

    def interrupt(self) -> None:
        running = [terminal for terminal in self.up.values() if terminal.poll() is None]
        for terminal in running:
            terminal.send_signal(signal.SIGINT)
        assert [terminal.wait(DEADLINE_S) for terminal in running] == [0] * len(running)

    def close(self) -> None:
        for terminal in self.up.values():
            terminal.kill()
            terminal.wait()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path)
    yield opened
    opened.close()


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("page", "section"),
    [("docs/tutorial.md", ""), ("README.md", "## Your own application"), ("docs/how-to/settings-and-files.md", "")],
)
def test_a_page_is_right_word_for_word(page: str, section: str, desk: Desk) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    done = 0
    for step in steps(text.partition(section)[2].partition("\n## ")[0] if section else text):
        match step:
            case Do():
                desk.do(step)
                done += 1
            case Save(name, content):
                (desk.folder / name).write_text(content, encoding="utf-8")
                if section and name.startswith("test_"):
                    desk.do(Do(f"pytest {name}"))
            case Interrupt():
                desk.interrupt()
    assert done > 3
    desk.interrupt()
