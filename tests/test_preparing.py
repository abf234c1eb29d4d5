"""Commands that are prepared at the peer that was asked: what callers give, what the log gets, what it never does."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import msgspec
import pytest

from tanist.config import load
from tanist.peer.application import (
    Application,
    Asking,
    Context,
    DefinitionError,
    Refused,
    Secret,
    command,
    prepare,
    query,
)
from tanist.peer.application.specification import describe, find, validate
from tanist.peer.errors import ApplicationFailed, NotFound
from tanist.peer.gateways.directory import describe as told
from tanist.peer.peer import Peer

THREADS: list[int] = []


class Door(Application):
    """Opens to whoever knows the word."""

    words: dict[str, str]
    opened_by: list[str]

    @command
    def learn(self, ctx: Context, name: str, reversed_word: str) -> str:
        """Set a name's word."""
        self.words[name] = reversed_word
        return "OK"

    @prepare("learn")
    def turn_round(self, asking: Asking, name: str, word: Secret[str], again: Secret[str] = "") -> tuple[str, str]:
        THREADS.append(threading.get_ident())
        if again and again != word:
            raise Refused("The two words differ", "words_differ")
        if word == "bug":
            raise ValueError(f"cannot take {word}")
        if word == "state":
            return name, str(self.words)
        if asking.query("known", name) is not None:
            raise Refused("That name has a word", "has_word")
        return name, word[::-1]

    @query(internal=True)
    def known(self, ctx: Context, name: str) -> str | None:
        """The turned word of a name."""
        return self.words.get(name)


def test_callers_see_what_the_preparation_takes_and_the_log_what_it_gives() -> None:
    seen = find(Door, "learn")
    assert [(p.name, p.secret, p.required) for p in seen.parameters] == [
        ("name", False, True),
        ("word", True, True),
        ("again", True, False),
    ]
    assert seen.returns == "str" and seen.doc == "Set a name's word."
    logged = find(Door, "learn", internal=True)
    assert [p.name for p in logged.parameters] == ["name", "reversed_word"]
    assert [o.name for o in describe(Door).queries] == []
    with pytest.raises(NotFound):
        find(Door, "known")
    (shown,) = told("door", Door())["commands"]
    assert [a.get("secret", False) for a in shown["arguments"]] == [False, True, True]
    assert msgspec.msgpack.decode(validate(Door, "learn", ["a", "b"])) == {"name": "a", "word": "b"}


async def test_a_secret_reaches_neither_the_log_nor_an_error_nor_the_files_of_a_peer(tmp_path: Path) -> None:
    given = {"name": "a", "data": str(tmp_path), "pace": "fast", "listen": "127.0.0.1:0", "http": "127.0.0.1:0"}
    peer = Peer(load(None, {}, given).config, applications={"door": Door()})
    THREADS.clear()
    async with peer:
        reply = await peer.call("door", "learn", "anna", "s3cret-word", timeout_s=20)
        assert reply.result == "OK"
        assert peer.machine.query("door", "known", ["anna"], internal=True) == "drow-terc3s"
        with pytest.raises(Refused) as refused:
            await peer.call("door", "learn", "anna", "s3cret-word")
        assert refused.value.code == "has_word"
        with pytest.raises(Refused):
            await peer.call("door", "learn", "berta", "s3cret-word", "other")
        for word in ("bug", "state"):
            with pytest.raises(ApplicationFailed) as failed:
                await peer.call("door", "learn", "berta", word)
            assert "cannot take" not in str(failed.value)
            assert "test_preparing.py:" in str(failed.value), "it says where to look"
            assert failed.value.__cause__ is None
        assert peer.machine.query("door", "known", ["berta"], internal=True) is None
    assert THREADS and threading.get_ident() not in THREADS, "it runs off the loop"
    kept = await asyncio.to_thread(lambda: {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()})
    assert kept
    assert not [path for path, data in kept.items() if b"s3cret-word" in data]


def test_a_secret_elsewhere_than_in_a_preparation_is_refused_when_the_class_is_defined() -> None:
    with pytest.raises(DefinitionError, match=r"test_preparing.py:\d+: .*would enter the log"):

        class Command(Application):
            @command
            def login(self, ctx: Context, password: Secret[str]) -> str:
                return password

    with pytest.raises(DefinitionError, match="would enter the log"):

        class Kept(Application):
            passwords: dict[str, Secret[str]]

    with pytest.raises(DefinitionError, match="would enter the log"):

        class Nested(Application):
            @command
            def login(self, ctx: Context, proof: bytes) -> str:
                return ""

            @prepare("login")
            def prove(self, asking: Asking, passwords: list[Secret[str]]) -> bytes:
                return b""


def test_a_preparation_that_cannot_work_is_refused_with_file_and_line() -> None:
    with pytest.raises(DefinitionError, match=r"prepares 'logim', .* there are: login"):

        class Misspelt(Application):
            @command
            def login(self, ctx: Context, proof: bytes) -> str:
                return ""

            @prepare("logim")
            def prove(self, asking: Asking, password: Secret[str]) -> bytes:
                return b""

    with pytest.raises(DefinitionError, match="must be what it may ask: `def login\\(self, asking: Asking"):

        class WithContext(Application):
            @command
            def login(self, ctx: Context, proof: bytes) -> str:
                return ""

            @prepare("login")
            def prove(self, ctx: Context, password: Secret[str]) -> bytes:
                return b""

    with pytest.raises(DefinitionError, match="one must do"):

        class Twice(Application):
            @command
            def login(self, ctx: Context, proof: bytes) -> str:
                return ""

            @prepare("login")
            def prove(self, asking: Asking, password: Secret[str]) -> bytes:
                return b""

            @prepare("login")
            def prove_again(self, asking: Asking, password: Secret[str]) -> bytes:
                return b""
