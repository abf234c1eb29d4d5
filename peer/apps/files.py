"""Files of a folder, which outlive the machine that has it."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tanist.peer.application import (
    Application,
    Asking,
    Blob,
    Context,
    Event,
    LocalPath,
    Refused,
    command,
    prepare,
    query,
)
from tanist.peer.application.blob import BLOB_BYTES_MAX
from tanist.peer.apps.filenames import checked_path

FILES_MAX = 1000
"""Files kept, and files of a folder that are looked at."""
LEFT_OUT_MAX = 20
"""Files that were not imported and are named in the answer; the others are counted."""


class Stored(msgspec.Struct, frozen=True):
    """One file, as it is listed."""

    name: str
    size: int

    def __str__(self) -> str:
        return self.name


class Imported(msgspec.Struct, frozen=True):
    """What an import brought, and what it left out and why."""

    files: int
    left_out: list[str]

    def __str__(self) -> str:
        return "\n".join([f"{self.files} imported", *(f"left out: {why}" for why in self.left_out)])


class Changed(Event):
    """Files were imported."""

    template = "{files} files were imported"
    files: int


class Files(Application):
    """Files for all to get. `IMPORT` brings those of the folder that the peer which is asked is configured with.

    They are the cluster's then, and outlive the peer. A name that is there already gets the new bytes; a file that is
    not in the folder any more stays. Links that lead out of the folder are left out. After a split the imports of the
    other side are done here too.
    """

    class Settings(msgspec.Struct, frozen=True):
        """Where files come from."""

        folder: LocalPath = ""
        """The folder of this very peer that `IMPORT` reads; empty for none."""

    files: dict[str, Blob]

    @query
    def list_(self, ctx: Context) -> list[Stored]:
        """The names of all files, sorted; over HTTP with their sizes."""
        return [Stored(name, self.files[name].size) for name in sorted(self.files)]

    @query
    def get(self, ctx: Context, name: str) -> Blob | None:
        """The bytes of a file."""
        return self.files.get(checked_path(name))

    @command
    def import_(self, ctx: Context, found: dict[str, Blob], left_out: list[str]) -> Imported:
        """Take over the files of the folder of the peer that is asked."""
        for name in found:
            checked_path(name)
        if len(self.files.keys() | found.keys()) > FILES_MAX:
            raise Refused(f"{FILES_MAX} files are kept: no more", "full")
        self.files.update(found)
        ctx.publish(Changed(len(found)), but=ctx.session)
        return Imported(len(found), left_out)

    @prepare("import")
    def read(self, asking: Asking) -> tuple[dict[str, Blob], list[str]]:
        """The files of the folder, uploaded one after another."""
        if not asking.settings.folder:
            raise Refused("This peer has no folder configured: apps: {files: {folder: PATH}}", "no_folder")
        root = Path(asking.settings.folder).resolve()
        if not root.is_dir():
            raise Refused("The folder that this peer is configured with is not there", "no_folder")
        found: dict[str, Blob] = {}
        left_out: list[str] = []
        for path in _files_in(root):
            name = _named(path.relative_to(root))
            target = path.resolve()
            why = _why_not(root, target) or ("" if len(found) < FILES_MAX else f"more than {FILES_MAX} files")
            if why:
                left_out.append(f"{name}: {why}")
                continue
            with target.open("rb") as file:
                found[checked_path(name)] = asking.upload(file)
        more = len(left_out) - LEFT_OUT_MAX
        return found, left_out[:LEFT_OUT_MAX] + ([f"{more} more"] if more > 0 else [])


def _files_in(root: Path) -> Iterator[Path]:
    """All that stands in a folder and the folders in it, but for folders; those that are links are not gone into."""
    for folder, folders, names in os.walk(root):
        folders.sort()
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        yield from (Path(folder) / name for name in sorted([*names, *links]))


def _why_not(root: Path, target: Path) -> str:
    """Why what something in the folder leads to is not imported; empty if it is."""
    if not target.is_relative_to(root):
        return "a link out of the folder"
    if not target.is_file():
        return "no plain file"
    return "" if target.stat().st_size <= BLOB_BYTES_MAX else f"more than {BLOB_BYTES_MAX} bytes"


def _named(path: Path) -> str:
    """A path as a name; bytes of it that are no UTF-8 are written out, as \\xe9."""
    return os.fsencode(path.as_posix()).decode(errors="backslashreplace")
