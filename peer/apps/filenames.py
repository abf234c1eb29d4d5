"""Names of files as they may be given: no way out of where they belong."""

from tanist.peer.application import Refused

NAME_BYTES_MAX = 255
"""Bytes of one part of a name: what file systems take."""
PATH_BYTES_MAX = 1024
"""Bytes of a name with its folders."""


def checked_path(name: str) -> str:
    """A name that may have folders in it, as it is. Refuses absolute ones, `..`, and what no file is called."""
    if not name or len(name.encode(errors="replace")) > PATH_BYTES_MAX:
        raise Refused(f"A name has 1 to {PATH_BYTES_MAX} bytes", "bad_name")
    if name.startswith("/") or any(part in ("", ".", "..") for part in name.split("/")):
        raise Refused("A name leads nowhere else: no absolute path, and no . or .. in it", "bad_name")
    if "\0" in name or any(len(part.encode(errors="replace")) > NAME_BYTES_MAX for part in name.split("/")):
        raise Refused(f"A name has no null byte, and at most {NAME_BYTES_MAX} bytes between two slashes", "bad_name")
    return name


def checked_name(name: str) -> str:
    r"""A file's name alone, as it is. Refuses folders, also those of other systems (`a\b`, `C:a`)."""
    checked_path(name)
    if "/" in name or "\\" in name or name[1:2] == ":":
        raise Refused("A name has no folder in it", "bad_name")
    return name
