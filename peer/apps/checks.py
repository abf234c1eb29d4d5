"""What names and texts may hold, alike in all applications.

Only characters that are named here are looked at. What else counts as a letter, as printable or as a space differs from
one version of Python to the next, and peers with two versions would decide differently about the same command.
"""

import re

from tanist.peer.application import Refused

NAME_LENGTH_MAX = 32
"""Characters of a name: it stands before every line of its owner."""
HOST_NAME_LENGTH_MAX = 253
"""Characters of a machine's name: as long as names of hosts may be (RFC 1123)."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
"""Line ends, and what a terminal takes for an order."""
_HIDDEN = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
"""Characters without width, or that turn the direction of writing: two names that look alike would differ."""


def checked_name(name: str, what: str = "name", length_max: int = NAME_LENGTH_MAX) -> str:
    """A name, as it is. Refuses one that is empty, long, or could pass for another; `what` it is the name of."""
    if (
        not 0 < len(name) <= length_max
        or name != name.strip(" \u00a0\u3000")
        or _CONTROL.search(name)
        or _HIDDEN.search(name)
    ):
        raise Refused(f"A {what} has 1 to {length_max} characters, no line breaks", f"bad_{what}")
    return name


def checked_text(text: str, length_max: int, what: str = "text") -> str:
    """A text as one line, so that nobody forges a second one. Refuses an empty and a long one."""
    line = _CONTROL.sub(" ", text).strip(" ")
    if not line or len(text) > length_max:
        raise Refused(f"A {what} has 1 to {length_max} characters", f"bad_{what}")
    return line
