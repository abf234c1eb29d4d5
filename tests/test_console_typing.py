"""What a console makes of signatures: how a line is taken apart, completed, helped with, and remembered."""

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.history import History

from tanist.peer.application import Context, query
from tanist.peer.application.api import Application, command
from tanist.peer.apps.auth import Auth
from tanist.peer.apps.logs import Logs
from tanist.peer.console import history
from tanist.peer.console.answers import answer_from
from tanist.peer.console.completing import Completing, hint
from tanist.peer.console.history import LINES_KEPT, history_of
from tanist.peer.console.signatures import Signatures
from tanist.peer.console.typed import read, to_ask, with_word, without_secrets
from tanist.peer.errors import CallError
from tanist.peer.gateways import words
from tanist.peer.gateways.directory import describe
from tanist.peer.gateways.line import answer, error


class Post(Application):
    """Sends letters.

    Slowly.
    """

    sent: list[str]

    @command
    def send(self, ctx: Context, to: str, by: str, text: str = "") -> str:
        """Send a letter."""
        return repr((to, by, text))

    @query
    def all(self, ctx: Context) -> list[str]:
        """All letters."""
        return self.sent


def signatures_of(name: str, application: Application) -> Signatures:
    return msgspec.convert(describe(name, application), Signatures)


POST = signatures_of("post", Post())
AUTH = signatures_of("auth", Auth())
LOGS = signatures_of("logs", Logs())


def completed(signatures: Signatures, line: str) -> list[str]:
    return [c.text for c in Completing(signatures).get_completions(Document(line), CompleteEvent())]


def test_completion_knows_commands_and_the_words_that_arguments_take() -> None:
    assert completed(POST, "") == ["SEND ", "ALL", "HELP ", "WATCH ", "QUIT"]
    assert completed(POST, "s") == ["send "] and completed(POST, "A") == ["ALL"]
    assert completed(POST, "WATCH ") == ["ALL"] and completed(POST, "watch a") == ["all"]
    assert completed(POST, "HELP s") == ["send"] and completed(POST, "SEND a") == []
    assert completed(LOGS, "log ") == ["INFO ", "WARN ", "ERROR "]
    assert completed(LOGS, "LOG w") == ["WARN "]
    assert completed(LOGS, "TAIL 5 E") == ["ERROR"]
    assert completed(LOGS, "LOG INFO W") == [] and completed(LOGS, "nothing ") == []


def test_help_is_from_the_signatures() -> None:
    assert POST.help_lines() == [
        "Sends letters.",
        "",
        "Slowly.",
        "",
        "SEND to by [text]  Send a letter.",
        "ALL                All letters.",
        "HELP               This list, or more about one command: HELP command.",
        "WATCH              Keep the answer of a query in sight below: WATCH query. WATCH alone ends that.",
        "QUIT               End the console.",
    ]
    assert POST.help_lines("send") == [
        "SEND to by [text]",
        "Send a letter.",
        "  to    str",
        "  by    str",
        "  text  str, '' unless given",
    ]
    assert "without showing it" in AUTH.help_lines("LOGIN")[-1]
    assert hint(POST, "send x") == "SEND to by [text]  Send a letter."
    assert hint(POST, "fly") == hint(POST, "") != ""


@pytest.mark.parametrize(
    ("line", "asked", "kept"),
    [
        ("LOGIN anna", ["password"], "LOGIN anna"),
        ("login anna s3cret", [], "login anna"),
        ('LOGIN "a b" my secret words', [], 'LOGIN "a b"'),
        ("LOGIN", [], "LOGIN"),
        ("passwd", ["old", "new"], "passwd"),
        ("passwd s3cret", ["new"], "passwd"),
        ("KEEP s3cret", [], "KEEP s3cret"),
        ("nonsense s3cret", [], "nonsense s3cret"),
        ("", [], ""),
    ],
)
def test_secrets_that_are_left_out_are_asked_for_and_none_is_remembered(line: str, asked: list[str], kept: str) -> None:
    assert [a.name for a in to_ask(read(AUTH, line))] == asked
    assert without_secrets(AUTH, line) == kept


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8), min_size=3, max_size=3))
def test_words_are_quoted_so_that_a_peer_reads_them_back(given_words: list[str]) -> None:
    line = "SEND"
    for word in given_words:
        line = with_word(line, word)
    operation, values = words.read(Post(), line)
    assert operation.name == "send" and values == given_words


@given(st.text(st.sampled_from('ab" \\\té'), max_size=20))
def test_a_line_is_taken_apart_as_a_peer_does_it(rest: str) -> None:
    line = f"SEND {rest}"
    try:
        _, values = words.read(Post(), line)
    except CallError:
        return
    taken = [line[start:end] for _, start, end in read(POST, line).spans]
    assert len(taken) == len(values)
    for text, value in zip(taken[:2], values, strict=False):
        quoted = re.fullmatch(r'"((?:[^"\\]|\\.)*)"', text)
        assert value == (re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text)


def test_history_is_kept_from_console_to_console_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened() -> History:
        return history_of("auth/x", lambda line: without_secrets(AUTH, line), tmp_path / "state")

    first = opened()
    for line in ("DATA", "DATA", "LOGIN anna s3cret", "LOGIN anna"):
        first.append_string(line)
    (file,) = (tmp_path / "state").iterdir()
    assert file.parent == tmp_path / "state" and file.stat().st_mode & 0o077 == 0
    assert "s3cret" not in file.read_text()
    assert list(opened().load_history_strings()) == ["LOGIN anna", "DATA"]
    monkeypatch.setattr(history, "FILE_BYTES_MAX", 1000)
    for number in range(LINES_KEPT + 10):
        first.store_string(f"KEEP {number}")
    assert len(list(opened().load_history_strings())) == LINES_KEPT
    assert file.read_text().count("+KEEP") == LINES_KEPT
    (tmp_path / "file").write_text("in the way")
    history_of("kv", str, tmp_path / "file").append_string("forgotten")


def test_answers_are_shown_without_what_is_for_programs() -> None:
    def lines(raw: bytes) -> list[str]:
        return raw.decode().split("\n")[:-1]

    for raw, text in (
        (b"OK\n", ["OK"]),
        (answer(["5"], several=False), ["5"]),
        (answer(["one", ".two"], several=True), ["one", ".two"]),
        (answer([], several=True), []),
    ):
        got = answer_from({"answer": lines(raw), "result": 5})
        assert (got.text, got.status) == (text, 0)
    refused = {"error": {"code": "taken", "message": "It is taken"}, "answer": lines(error("It is taken"))}
    assert (answer_from(refused).text, answer_from(refused).status) == (["It is taken"], 1)
    nothing = answer_from({"answer": ["ERROR not found"], "result": None})
    assert (nothing.lines, nothing.status) == (["ERROR not found"], 1)
    for code, status in (("bad_request", 2), ("no_server", 3), ("unknown_outcome", 124)):
        assert answer_from({"error": {"code": code, "message": "x"}}).status == status
