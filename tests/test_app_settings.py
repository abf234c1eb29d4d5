"""Settings of applications: read with their places, agreed on by the cluster, and used by commands and queries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from app_room import Room, room_of
from heal_fake import Side

from tanist.config import ConfigError, load
from tanist.election.entries import Command, Kind, Proposal
from tanist.peer.agreeing import load_applications
from tanist.peer.application import (
    Application,
    Blob,
    Context,
    DefinitionError,
    FromFile,
    Here,
    LocalPath,
    Refused,
    Secret,
    command,
    local,
    query,
)
from tanist.peer.application.agreed import SETTINGS, USE, settings_body
from tanist.peer.application.settings import SETTINGS_BYTES_MAX, decode_settings, encode_settings, read_settings
from tanist.peer.apps.booking import Booking
from tanist.peer.apps.notifications import Notifications
from tanist.peer.apps.passwords import hashed, read_hash, written_hash
from tanist.peer.apps.poll import Poll
from tanist.peer.apps.presence import Presence
from tanist.peer.apps.quiz import Quiz
from tanist.peer.cli.exits import VerbError
from tanist.peer.cli.settings import check_applications
from tanist.peer.cli.show import status_lines
from tanist.peer.errors import NotFound
from tanist.peer.peer import Peer

DEADLINE_S = 20.0


class Shop(Application):
    """A shop with a bit of everything."""

    class Settings(msgspec.Struct, frozen=True):
        """What it sells."""

        name: str = "corner"
        prices: FromFile[dict[str, int]] = {}
        open_s: Annotated[float, msgspec.Meta(ge=1, le=100)] = 8.0
        photos: LocalPath = ""

    sold: int

    @command
    def buy(self, ctx: Context, what: str) -> int:
        """What it costs."""
        self.sold += 1
        price: int = ctx.settings.prices[what]
        return price

    @query
    def sign(self, ctx: Context) -> str:
        """What stands over the door."""
        return f"{ctx.settings.name}{ctx.settings.photos}"


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong with the shop's settings in a file."""
    file = folder / "c.yaml"
    file.write_text(text)
    (app,) = load(file, {}, {}).config.apps
    with pytest.raises(ConfigError) as caught:
        read_settings(Shop.Settings, app)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_all_that_is_wrong_is_told_with_its_place(tmp_path: Path) -> None:
    assert problems(
        tmp_path,
        "apps:\n  shop:\n    nam: x\n    name: 3\n    open_s: 0.5\n    prices: {tea: cheap}\n    colour: red\n",
    ) == [
        'c.yaml:3:5: shop has no setting "nam"; did you mean "name"?',
        "c.yaml:4:11: shop.name: expected `str`, got `int`",
        "c.yaml:5:13: shop.open_s: expected `float` >= 1.0",
        "c.yaml:6:13: shop.prices: expected `int`, got `str`",
        'c.yaml:7:5: shop has no setting "colour"; it takes name, prices, open_s, photos',
    ]


def test_a_value_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("apps: {shop: {prices: prices.json, photos: pictures}}")
    (tmp_path / "prices.json").write_text('{"tea": 3}')
    (app,) = load(tmp_path / "c.yaml", {}, {}).config.apps
    settings = read_settings(Shop.Settings, app)
    assert settings == Shop.Settings(prices={"tea": 3}, photos=str(tmp_path / "pictures"))
    again = decode_settings(Shop.Settings, encode_settings(settings))
    assert again == Shop.Settings(prices={"tea": 3}), "a path of this peer is none for others"
    (tmp_path / "prices.json").write_text('{"tea":\n3, "cake":\n"much"}')
    with pytest.raises(ConfigError, match=r"prices\.json:1:1: shop\.prices: expected `int`"):
        read_settings(Shop.Settings, app)
    (tmp_path / "prices.json").unlink()
    with pytest.raises(ConfigError, match=r"c\.yaml:1:23: shop\.prices: .*prices\.json cannot be read: No such file"):
        read_settings(Shop.Settings, app)


def test_settings_have_a_size_limit() -> None:
    with pytest.raises(ValueError, match="at most"):
        encode_settings(Shop.Settings(name="x" * SETTINGS_BYTES_MAX))


class Plain:
    seats: int = 1


class Changing(msgspec.Struct):
    seats: int = 1


class Needed(msgspec.Struct, frozen=True):
    seats: int


class Unordered(msgspec.Struct, frozen=True):
    all: set[int] = set()


class Telling(msgspec.Struct, frozen=True):
    word: Secret[str] = ""


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (Plain, "write `class Settings"),
        (Changing, "frozen=True"),
        (Needed, "has no default"),
        (Unordered, "hash order"),
        (Telling, "a secret"),
    ],
)
def test_a_class_that_cannot_work_is_refused(settings: type, why: str) -> None:
    with pytest.raises(DefinitionError, match=why):
        type("Wrong", (Application,), {"Settings": settings})


# In the machine


def test_the_first_settings_in_the_log_hold() -> None:
    with room_of(Shop) as room:
        assert room.ask("a", "sign") == "corner"
        room.agree(name="first", prices={"tea": 3})
        room.agree(name="second")
        assert room.ask("a", "sign") == "first"
        assert room.call("a", "buy", "tea") == 3
        digest = room.machine.digest()
        room.restart()
        assert room.ask("a", "sign") == "first"
        assert room.machine.digest() == digest


def test_settings_that_somebody_changes_hold_from_then_on() -> None:
    with room_of(Shop) as room:
        room.agree(name="first")
        room.change("a", name="second")
        room.agree(name="of a server that has not heard yet")
        assert room.ask("a", "sign") == "second"
        room.restart()
        assert room.ask("a", "sign") == "second"
        for body in (b"\x01", settings_body("shop", bytes(SETTINGS_BYTES_MAX + 1)), settings_body("nobody", b"\x80")):
            room._apply(Kind.COMMAND, Command("b", room.seed, 1, SETTINGS, USE, msgspec.Raw(body)))
            assert room.ask("a", "sign") == "second"


def test_after_a_split_settings_are_those_of_the_side_that_goes_on() -> None:
    one = Side(1, Shop, "shop")
    one.open("s")
    two = one.fork(2)
    for side, name in ((one, "here"), (two, "there")):
        body = settings_body("shop", msgspec.msgpack.encode({"name": name}))
        side.write(Kind.COMMAND, Command("s", side.number, 1, SETTINGS, USE, msgspec.Raw(body)))
    one.heal(two)
    assert one.machine.query("shop", "sign") == "here"
    assert [entry.fate for entry in one.machine.heals.reports["h"].entries] == ["archived"]
    assert one.machine.missing == set()


def test_what_applications_make_of_a_change() -> None:
    with room_of(Poll) as room:
        room.agree(question="Tea?", options=["yes", "no", "perhaps"])
        room.call("a", "vote", "3")
        room.change("a", question="Coffee?", options=["yes", "no"])
        assert room.said("a", "results") == ["Coffee?", "1. yes: 0", "2. no: 0"]
        assert room.call("a", "vote", "2") == "OK"
        assert room.refused("a", "vote", "1") == "already_voted"
        assert room.said("a", "results") == ["Coffee?", "1. yes: 0", "2. no: 1"]
    with room_of(Booking) as room:
        room.call("a", "book", "40")
        room.change("a", seats=2)
        assert len(room.said("a", "seats")) == 2
        assert room.call("a", "cancel", "40") == "OK"
    with room_of(Notifications) as room:
        room.call("a", "admin", "the first word")
        room.change("a", admin=written_hash("open sesame"))
        assert room.refused("b", "admin", "the first word") == "wrong_password"
        assert room.call("b", "admin", "open sesame") == "OK"


def test_settings_of_another_version_of_the_application_count_as_none() -> None:
    room = Room(Shop, "a")
    room.agree(name=3)
    assert room.ask("a", "sign") == "corner"
    (failure,) = room.machine.take_failures()
    assert (failure.app, failure.operation) == ("shop", "settings")


def test_what_applications_make_of_them(tmp_path: Path) -> None:
    with room_of(Poll) as room:
        room.agree(question="Tea?", options=["yes", "no", "perhaps"])
        assert room.said("a", "poll") == ["Tea?", "1. yes", "2. no", "3. perhaps"]
        assert room.call("a", "vote", "3") == "OK"
        assert room.refused("b", "vote", "4") == "bad_option"
    with room_of(Booking) as room:
        room.agree(seats=2)
        assert len(room.said("a", "seats")) == 2
        assert room.refused("a", "book", "3") == "no_such_seat"
    with room_of(Presence) as room:
        room.agree(seconds=2.0)
        room.call("a", "heartbeat", "ada")
        room.wait(1.9)
        assert len(room.call("a", "status")) == 1
        room.wait(0.1)
        assert room.drain("b")[-1] == "ada is gone"
    with room_of(Quiz) as room:
        room.agree(questions=[{"text": "1 + 1?", "options": ["1", "2"], "answer": 2}])
        room.call("a", "join", "ada")
        assert room.said("a", "question")[0] == "Question 1 of 1: 1 + 1?"
        assert room.call("a", "answer", "2") == "correct"


def test_an_administrator_of_the_configuration() -> None:
    text = written_hash("open sesame")
    salt, proof = read_hash(text)
    assert proof == hashed("open sesame", salt)
    with room_of(Notifications) as room:
        room.agree(admin=text)
        assert room.refused("a", "admin", "another") == "wrong_password"
        assert room.call("a", "admin", "open sesame") == "OK"
        room.restart()
        assert room.call("b", "admin", "open sesame") == "OK"
    with pytest.raises(ValueError, match="no password's hash"):
        Notifications.Settings(admin="open sesame")


def test_the_configuration_is_checked_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("apps:\n  poll: {options: [one]}\n  booking: {seats: 0}\n  chat: {colour: red}\n")
    with pytest.raises(VerbError) as caught:
        check_applications(load(file, {}, {}).config)
    assert caught.value.status == 2
    assert [line.strip().removeprefix(f"{tmp_path}/") for line in caught.value.message.splitlines()[1:]] == [
        "c.yaml:2:9: poll: A poll has 2 to 20 different options",
        "c.yaml:3:20: booking.seats: expected `int` >= 1",
        'c.yaml:4:10: chat has no setting "colour"; it takes none',
    ]


# In a cluster


def peer(
    folder: Path, name: str, apps: str, applications: Mapping[str, Application] | None = None, **flags: object
) -> Peer:
    file = folder / f"{name}.yaml"
    file.write_text(f"apps: {apps}\n")
    given: dict[str, object] = {"name": name, "data": str(folder / name), "pace": "fast"}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", **flags}
    return Peer(load(file, {}, given).config, applications=applications)


async def question(of: Peer) -> str:
    async with asyncio.timeout(DEADLINE_S):
        while of.status().server is None or not of.machine.agreed.has("poll"):
            await asyncio.sleep(0)
    asked = await of.query("poll", "poll", read="server")
    assert isinstance(asked, dict)
    return str(asked["question"])


async def test_a_cluster_uses_those_of_its_first_server(tmp_path: Path) -> None:
    async with peer(tmp_path, "a", "{poll: {question: 'Tea?', options: [a, b]}, booking: {seats: 3}}") as a:
        assert await question(a) == "Tea?"
        assert a.status().settings_differ == []
        async with peer(tmp_path, "b", "{poll: {question: 'Coffee?'}, booking: {seats: 3}}", peer=[a.address]) as b:
            assert await question(b) == "Tea?"
            assert b.status().settings_differ == ["poll"]
            assert any("other settings" in line for line in status_lines(msgspec.to_builtins(b.status())))
            assert b.own_client.settings("poll").question == "Tea?"
            b._submit((Proposal(Kind.SETTINGS, settings_body("kv", b"\x80")),))
            await b.call("booking", "book", 1)
            assert not a.machine.agreed.has("kv"), "only the server proposes them"
            await a.stop()
            assert await question(b) == "Tea?", "also when the other serves"
            assert b.status().settings_differ == ["poll"]
    lines = [json.loads(line) for line in (tmp_path / "b" / "election.jsonl").read_text().splitlines()]
    told = [line["fields"] for line in lines if line["event"] == "settings_differ"]
    assert told == [{"app": "poll", "settings": ["question", "options"]}], "once"


async def test_those_of_another_peer_become_the_clusters(tmp_path: Path) -> None:
    async with (
        peer(tmp_path, "a", "{poll: {question: 'Tea?'}, booking: {}}") as a,
        peer(tmp_path, "b", "{poll: {question: 'Coffee?'}, booking: {}}", peer=[a.address]) as b,
    ):
        assert await question(b) == "Tea?"
        assert await b.use_settings("poll") == ["question"]
        assert await question(b) == await question(a) == "Coffee?"
        assert await b.use_settings("poll") == []
        async with asyncio.timeout(DEADLINE_S):
            while (a.status().settings_differ, b.status().settings_differ) != (["poll"], []):
                await asyncio.sleep(0)
        with pytest.raises(NotFound, match="there are: booking, poll"):
            await b.use_settings("chat")
        with pytest.raises(NotFound):
            await b.call(SETTINGS, USE, "poll")
    lines = [json.loads(line) for line in (tmp_path / "a" / "election.jsonl").read_text().splitlines()]
    told = [line["event"] for line in lines if line["event"].startswith("settings")]
    assert told == ["settings_changed", "settings_differ"]


async def test_they_hold_when_all_were_off(tmp_path: Path) -> None:
    for asked in ("Tea?", "Coffee?"):
        async with peer(tmp_path, "a", f"{{poll: {{question: '{asked}'}}, booking: {{}}}}") as a:
            assert await question(a) == "Tea?"
            kinds = [entry.kind for entry in a.core.node.log.entries]
            assert kinds.count(Kind.SETTINGS) == 2, "one entry for each application"


async def test_no_command_comes_before_them(tmp_path: Path) -> None:
    async with peer(tmp_path, "a", "{booking: {seats: 41}}") as a:
        early = [asyncio.create_task(a.call("booking", "book", n)) for n in (41, 42)]
        assert (await early[0]).result == "OK", "asked for before anybody served"
        with pytest.raises(Refused):
            await early[1]


class Watched(Application):
    """Takes over a file of each peer, as often as it changes."""

    class Settings(msgspec.Struct, frozen=True):
        """Where it is."""

        file: LocalPath = ""

    seen: dict[str, Blob]

    @command
    def take(self, ctx: Context, name: str, blob: Blob) -> None:
        """What a peer's file holds."""
        self.seen[name] = blob

    @query
    def of(self, ctx: Context, name: str) -> Blob | None:
        """What a peer's file held last."""
        assert ctx.settings.file == "", "no peer's path is everybody's"
        return self.seen.get(name)

    @local(every=0.1)
    def look(self, here: Here) -> None:
        """Look at this peer's file."""
        with Path(here.settings.file).open("rb") as file:
            here.call("take", here.name, here.upload(file))


async def test_local_work_has_the_paths_of_its_own_peer_and_uploads(tmp_path: Path) -> None:
    async def holds(name: str, of: Peer) -> bytes:
        blob = await of.query("watched", "of", name)
        return b"" if blob is None else b"".join(of.own_client.parts_of(msgspec.convert(blob, type=Blob)))

    (tmp_path / "a.txt").write_text("of a")
    (tmp_path / "b.txt").write_text("of b")
    a = peer(tmp_path, "a", "{watched: {file: a.txt}}", {"watched": Watched()})
    async with a, peer(tmp_path, "b", "{watched: {file: b.txt}}", {"watched": Watched()}, peer=[a.address]) as b:
        async with asyncio.timeout(DEADLINE_S):
            while a.status().server is None or b.status().server is None:
                await asyncio.sleep(0.01)
            while (await holds("a", b), await holds("b", a)) != (b"of a", b"of b"):
                await asyncio.sleep(0.01)
        assert a.status().settings_differ == b.status().settings_differ == [], "paths are each peer's own"


async def test_settings_that_are_wrong_keep_a_peer_from_starting(tmp_path: Path) -> None:
    wrong = peer(tmp_path, "a", "{booking: {seats: none}}")
    with pytest.raises(ConfigError, match=r"a\.yaml:1:25: booking\.seats: expected `int`, got `str`"):
        await wrong.start()


def test_a_library_gives_settings_without_a_file() -> None:
    config = load(None, {}, {"app": ["poll"]}).config
    assert load_applications(config, {})["poll"] == Poll.Settings()
