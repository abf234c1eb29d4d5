"""Files as a source of bytes, read off the loop."""

import asyncio
from collections.abc import AsyncIterator
from typing import BinaryIO

READ_BYTES = 256 * 1024
"""Bytes of a file read at a time."""


async def read_file(file: BinaryIO) -> AsyncIterator[bytes]:
    """The bytes of an open file, from where it stands."""
    while data := await asyncio.to_thread(file.read, READ_BYTES):
        yield data
