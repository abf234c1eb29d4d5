"""Damaged files are kept for people: under names of their own, in a directory that nothing else writes to."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from tanist.peer.storage.files import Disk


def keep_aside(paths: Iterable[Path], directory: Path, disk: Disk) -> None:
    """Give files a second name in `directory` (made if missing); the names are on disk when this returns.

    No bytes are copied where the file system can do without, so that a full disk is no hindrance. May be repeated.
    Raises `OSError`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for path in paths:
        kept = directory / path.name
        if kept.exists():
            continue
        try:
            os.link(path, kept)
        except OSError:
            shutil.copy2(path, kept)
    for made in (directory, directory.parent, directory.parent.parent):
        disk.sync_directory(made)
