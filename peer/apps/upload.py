"""Files that anybody uploads."""

import msgspec

from tanist.peer.application import Application, Blob, Context, Event, Refused, command, query
from tanist.peer.apps.filenames import checked_name

FILES_MAX = 1000
"""Files kept."""


class Stored(msgspec.Struct, frozen=True):
    """One file, as it is listed."""

    name: str
    size: int

    def __str__(self) -> str:
        return self.name


class Uploaded(Event):
    """A file was uploaded."""

    template = "{name} was uploaded, {size} bytes"
    name: str
    size: int


class Removed(Event):
    """A file was removed."""

    template = "{name} was removed"
    name: str


class Upload(Application):
    """Files that anybody uploads, for all to get. A name that is there already gets the new bytes: the last one counts.

    Whoever gets the old ones meanwhile gets them whole. An upload that breaks off leaves nothing. After a split what
    was uploaded on the other side is uploaded here, and the last one counts.
    """

    files: dict[str, Blob]

    @command
    def upload(self, ctx: Context, name: str, blob: Blob) -> str:
        """Upload a file under a name without folders; over lines its size, and then its bytes."""
        checked_name(name)
        if name not in self.files and len(self.files) >= FILES_MAX:
            raise Refused(f"{FILES_MAX} files are kept: no more", "full")
        self.files.pop(name, None)
        self.files[name] = blob
        ctx.publish(Uploaded(name, blob.size), but=ctx.session)
        return "OK"

    @query
    def list_(self, ctx: Context) -> list[Stored]:
        """The names of all files, in the order of their upload; over HTTP with their sizes."""
        return [Stored(name, blob.size) for name, blob in self.files.items()]

    @query
    def get(self, ctx: Context, name: str) -> Blob | None:
        """The bytes of a file."""
        return self.files.get(checked_name(name))

    @command
    def del_(self, ctx: Context, name: str) -> str:
        """Remove a file."""
        if name not in self.files:
            raise Refused("There is no such file", "no_such_file")
        del self.files[name]
        ctx.publish(Removed(name), but=ctx.session)
        return "OK"
