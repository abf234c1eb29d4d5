"""Bytes of any size as a type that an application may declare: in its state, its arguments and its results.

    class Files(Application):
        files: dict[str, Blob]

        @command
        def put(self, ctx: Context, name: str, blob: Blob) -> str: ...

A `Blob` is a name: the bytes are kept apart (`blobstore`), once, for as long as it stands in the state. They arrive in
parts of 64 KiB before the command that names them, and leave as a stream: a gateway that gets a `Blob` as a result
gives the bytes.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from tanist.peer.application.hints import children, encodable

BLOB_BYTES_MAX = 32 << 20
"""Bytes of one blob: three times what people put into a file that they share here."""


class Blob(msgspec.Struct, frozen=True):
    """Bytes that are kept: the BLAKE2b-256 of them in hex, and how many they are."""

    hash: str
    size: int

    def __str__(self) -> str:
        return f"{self.size} bytes"


def holds_blobs(hint: Any) -> bool:
    """Whether a value of this type may have a blob in it."""
    return _holds(inspect.type_info(encodable(hint)), set())


def _holds(info: Any, seen: set[int]) -> bool:
    if id(info) in seen:
        return False
    seen.add(id(info))
    if isinstance(info, inspect.StructType) and info.cls is Blob:
        return True
    return any(_holds(child, seen) for child in children(info))


def is_blob(hint: Any) -> bool:
    """Whether the type is a blob itself."""
    return hint is Blob


def within(value: Any) -> Iterator[Blob | None]:
    """Walk through a value: each blob in it, and None for each other thing, so that whoever walks can count."""
    match value:
        case Blob():
            yield value
        case dict():
            for key, item in value.items():
                yield from within(key)
                yield from within(item)
        case list() | tuple():
            for item in value:
                yield from within(item)
        case msgspec.Struct():
            for name in value.__struct_fields__:
                yield from within(getattr(value, name))
        case _:
            yield None
