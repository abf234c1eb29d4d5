"""Bytes that applications keep: how they come in, how long they stay, and that all peers agree on them."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import msgspec
import pytest
from app_room import Room, room_of
from heal_fake import Side

from tanist.election.entries import Command, Kind
from tanist.peer.application import Application, Blob, Context, DefinitionError, Refused, command, query, snapshot
from tanist.peer.application import blobstore as module
from tanist.peer.application.blob import BLOB_BYTES_MAX, holds_blobs
from tanist.peer.application.blobstore import BLOBS, DROP, PART, PART_BYTES, UPLOADS_MAX, Drop, Part
from tanist.peer.application.machine import Machine
from tanist.peer.errors import BadRequest, CallError, TooLarge


class Page(msgspec.Struct):
    """Something with a picture in it."""

    title: str
    picture: Blob | None = None


class Album(Application):
    """Pages with pictures."""

    pages: dict[str, Page]
    cover: Blob | None

    @command
    def put(self, ctx: Context, title: str, picture: Blob) -> str:
        """Put a page in."""
        if not title:
            raise Refused("a page has a title", "no_title")
        self.pages[title] = Page(title, picture)
        return "OK"

    @command
    def tear(self, ctx: Context, title: str) -> str:
        """Tear a page out."""
        self.pages.pop(title, None)
        return "OK"

    @query
    def get(self, ctx: Context, title: str) -> Blob | None:
        """A picture."""
        page = self.pages.get(title)
        return page.picture if page else None


WHOLE = bytes(range(256)) * (PART_BYTES // 256)


@pytest.fixture
def room() -> Iterator[Room]:
    with room_of(Album) as room:
        yield room


def kept(room: Room) -> int:
    return room.machine.blobs.bytes_kept


def put(room: Room, title: str, data: bytes, session: str = "a") -> Blob:
    blob = room.upload(session, data)
    assert room.call(session, "put", title, msgspec.to_builtins(blob)) == "OK"
    return blob


def test_parts_make_a_blob_by_hash_and_size(room: Room) -> None:
    assert room.part("a", WHOLE, last=False) is None
    assert room.part("a", WHOLE, offset=PART_BYTES, last=False) is None
    blob = room.part("a", b"end", offset=2 * PART_BYTES)
    data = WHOLE * 2 + b"end"
    assert blob == Blob(blake2b(data, digest_size=32).hexdigest(), len(data))
    assert b"".join(room.machine.blobs.parts(blob) or ()) == data
    assert room.upload("b", b"").size == 0


@pytest.mark.parametrize(
    ("offset", "data", "last", "error"),
    [
        (0, b"short", False, BadRequest),
        (0, WHOLE + b"x", True, BadRequest),
        (PART_BYTES, b"", True, Refused),
        (1, WHOLE, False, Refused),
    ],
)
def test_a_part_that_does_not_fit_is_refused(
    room: Room, offset: int, data: bytes, last: bool, error: type[CallError]
) -> None:
    with pytest.raises(error):
        room.part("a", data, offset=offset, last=last)
    assert kept(room) == 0


def test_garbage_is_a_reply_and_no_more(room: Room) -> None:
    body = Command("a", 1, 1, BLOBS, PART, msgspec.Raw(msgspec.msgpack.encode({"upload": "x"})))
    (outcome,) = room.machine.apply(
        room.machine.applied + 1,
        [msgspec.structs.replace(_entry(room), body=msgspec.msgpack.encode(body))],
    )
    assert b"bad_request" in outcome.reply


def _entry(room: Room):  # type: ignore[no-untyped-def]
    from tanist.election.entries import Entry

    return Entry(1, "p", Kind.COMMAND, room.time_ns, 1, b"")


def test_it_stays_as_long_as_it_stands_in_the_state(room: Room) -> None:
    blob = put(room, "one", b"picture")
    put(room, "two", b"picture", "b")
    assert kept(room) == len(b"picture"), "the same bytes are kept once"
    room.close("a")
    room.call("b", "tear", "one")
    assert room.ask("b", "get", "two") == msgspec.to_builtins(blob)
    assert kept(room) == len(b"picture")
    room.call("b", "tear", "two")
    assert kept(room) == 0


def test_what_no_command_named_ends_with_its_session(room: Room) -> None:
    room.upload("a", b"never named")
    room.part("a", WHOLE, upload=2, last=False)
    room.upload("b", b"of another")
    assert kept(room) == len(b"never named") + PART_BYTES + len(b"of another")
    room.close("a")
    assert kept(room) == len(b"of another")


def test_a_command_that_refuses_lets_go_of_the_bytes(room: Room) -> None:
    blob = room.upload("a", b"picture")
    assert room.refused("a", "put", "", msgspec.to_builtins(blob)) == "no_title"
    assert kept(room) == 0


def test_each_upload_of_the_same_bytes_is_held_for_a_command_of_its_own(room: Room) -> None:
    blobs = [msgspec.to_builtins(room.upload("a", b"same")) for _ in range(2)]
    assert blobs[0] == blobs[1]
    assert room.refused("a", "put", "", blobs[0]) == "no_title"
    room.restart()
    assert room.call("a", "put", "one", blobs[1]) == "OK"
    assert kept(room) == 4


def test_a_command_cannot_name_bytes_that_are_not_here(room: Room) -> None:
    assert room.refused("a", "put", "x", {"hash": "0" * 64, "size": 1}) == "blob_unknown"


def test_one_that_is_never_named_is_let_go_after_a_while(room: Room) -> None:
    room.upload("a", b"never named")
    room.wait(module.HELD_S)
    room.upload("b", b"x")
    assert kept(room) == len(b"never named") + 1
    room.wait(1)
    room.upload("b", b"y")
    assert kept(room) == 2


def test_an_upload_that_is_given_up_leaves_nothing(room: Room) -> None:
    room.part("a", WHOLE, last=False)
    raw = msgspec.Raw(msgspec.msgpack.encode(Drop(1)))
    room._apply(Kind.COMMAND, Command("a", 2, 1, BLOBS, DROP, raw))
    assert kept(room) == 0


def test_room_is_limited_and_garbage_makes_room_first(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOBS_BYTES_MAX", PART_BYTES + 10)
    monkeypatch.setattr(module, "SWEEP_SHARE", 0)
    put(room, "one", WHOLE)
    with pytest.raises(Refused, match="all files together"):
        room.part("a", b"x" * 11)
    room.call("a", "tear", "one")
    assert kept(room) == PART_BYTES, "not looked for yet"
    put(room, "two", b"x" * 11)
    assert kept(room) == 11


def test_one_blob_has_a_limit(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOB_BYTES_MAX", PART_BYTES)
    room.part("a", WHOLE, last=False)
    with pytest.raises(TooLarge):
        room.part("a", b"x", offset=PART_BYTES)
    assert kept(room) == 0
    assert BLOB_BYTES_MAX >= 10 * 10**6


def test_uploads_of_one_session_are_limited(room: Room) -> None:
    for upload in range(UPLOADS_MAX):
        room.part("a", WHOLE, upload=upload, last=False)
    with pytest.raises(Refused):
        room.part("a", WHOLE, upload=UPLOADS_MAX, last=False)
    room.part("b", WHOLE, last=False)


def test_a_snapshot_carries_all_of_it(room: Room) -> None:
    put(room, "one", b"kept")
    held = room.upload("a", b"held")
    room.part("a", WHOLE, upload=7, last=False)
    digest = room.machine.digest()
    room.restart()
    assert room.machine.digest() == digest
    blob = room.part("a", b"end", upload=7, offset=PART_BYTES)
    assert blob == Blob(blake2b(WHOLE + b"end", digest_size=32).hexdigest(), PART_BYTES + 3)
    assert room.call("a", "put", "two", msgspec.to_builtins(held)) == "OK"
    assert b"".join(room.machine.blobs.parts(held) or ()) == b"held"


@pytest.mark.parametrize("size", [0, 1, 255, 256, PART_BYTES - 1, PART_BYTES])
def test_a_snapshot_in_pieces_is_the_same_and_copies_no_blob(room: Room, size: int) -> None:
    for number in range(20):
        put(room, str(number), bytes([number]) * min(size, number))
    put(room, "large", bytes(size))
    for session in "ab":
        room.part(session, WHOLE, upload=7, last=False)
    machine, pieces = room.machine, room.machine.snapshot_pieces()
    assert b"".join(pieces) == machine.snapshot()
    kept = [part for parts in machine.blobs._kept.values() for part in parts]
    assert {id(part) for part in kept} <= {id(piece) for piece in pieces}


def test_long_lists_begin_in_a_snapshot_as_messagepack_begins_them() -> None:
    for length in (0, 15, 16, 65_535, 65_536):
        assert msgspec.msgpack.encode([None] * length) == snapshot._array_of(length) + b"\xc0" * length


def test_the_bytes_of_an_application_that_is_not_here_are_not_dropped(room: Room) -> None:
    blob = put(room, "one", b"picture")
    without = Machine({})
    without.restore(room.machine.snapshot())
    without.blobs._sweep()
    again = Machine({"album": Album()})
    again.restore(without.snapshot())
    assert again.blobs.parts(blob) == (b"picture",)


def test_a_heal_brings_the_bytes_with_the_command_that_names_them() -> None:
    one = Side(1, Album, "album")
    one.roster("p", "q")
    one.open("s")
    two = one.fork(2)
    blob = Blob(blake2b(b"picture", digest_size=32).hexdigest(), 7)
    two.write(Kind.COMMAND, Command("s", 1, 1, BLOBS, PART, _raw(Part(1, 0, b"picture", True))))
    two.send("s", 2, "put", "one", msgspec.to_builtins(blob))
    report = one.heal(two)
    assert report.fates == {"replayed": 2}
    assert one.machine.query("album", "get", ["one"]) == msgspec.to_builtins(blob)
    assert one.machine.blobs.parts(blob) == (b"picture",)


def _raw(arguments: msgspec.Struct) -> msgspec.Raw:
    return msgspec.Raw(msgspec.msgpack.encode(arguments))


def test_types_that_may_hold_a_blob_are_known() -> None:
    assert holds_blobs(Blob)
    assert holds_blobs(dict[str, Page])
    assert holds_blobs(list[tuple[int, Blob | None]])
    assert not holds_blobs(dict[str, int])


def test_a_blob_comes_last() -> None:
    with pytest.raises(DefinitionError, match="a Blob comes last"):

        class Wrong(Application):
            @command
            def put(self, ctx: Context, picture: Blob, title: str) -> None:
                """The bytes of a line follow it."""
