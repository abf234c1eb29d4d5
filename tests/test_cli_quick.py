"""The plain forms of `status` and `fallbacks` are run without the command line's library, all others are left to it."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from tanist.peer.cli import asking
from tanist.peer.cli.exits import Exit, VerbError
from tanist.peer.cli.quick import quick


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TANIST_AT", "TANIST_JSON", "TANIST_WATCH"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "arguments",
    [[], ["up"], ["status", "--help"], ["status", "--watch"], ["status", "--at"], ["status", "--at", "--json"],
     ["status", "more"], ["history"]],
)  # fmt: skip
def test_anything_else_is_left_alone(arguments: list[str]) -> None:
    assert quick(arguments) is None


@pytest.mark.parametrize("name", ["TANIST_JSON", "TANIST_WATCH"])
def test_so_is_what_the_environment_changes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert quick(["status"]) is None


def test_the_plain_forms_are_run(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, bool]] = []

    def showing(verb: str) -> Callable[[str, bool], int]:
        def show(at: str, json: bool) -> int:
            asked.append((verb, at, json))
            return 0

        return show

    monkeypatch.setattr(asking, "show_status", showing("status"))
    monkeypatch.setattr(asking, "show_fallbacks", showing("fallbacks"))
    assert quick(["status"]) == quick(["status", "--json", "--at", "http://x:1"]) == 0
    monkeypatch.setenv("TANIST_AT", "http://y:2")
    assert quick(["fallbacks"]) == 0
    assert asked == [
        ("status", "http://127.0.0.1:7480", False),
        ("status", "http://x:1", True),
        ("fallbacks", "http://y:2", False),
    ]


def test_a_failure_is_a_sentence_and_a_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(at: str, json: bool) -> int:
        raise VerbError(Exit.UNREACHABLE, f"no peer answers at {at}")

    monkeypatch.setattr(asking, "show_status", fail)
    assert quick(["status", "--at", "http://x:1"]) == 4
    assert "no peer answers at http://x:1" in capsys.readouterr().err


def test_the_library_is_not_loaded_for_them() -> None:
    program = "import sys; from tanist.peer.cli import main; main(['status', '--at', 'http://127.0.0.1:9']); "
    program += "sys.exit(int('cyclopts' in sys.modules or 'aiohttp' in sys.modules or 'rich' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0
