"""Patterns for names as redis has them: `*`, `?`, `[a-z]`, `[^a]`, and a backslash before what stands for itself."""

import re

_PART = re.compile(r"(?P<star>\*+)|(?P<any>\?)|\[(?P<but>\^?)(?P<within>(?:\\.|[^\]\\])*)\]|\\?(?P<plain>.)", re.DOTALL)
_RANGE = re.compile(r"\\?+(.)-\\?+(.)|\\?+(.)", re.DOTALL)


def compiled(glob: str) -> re.Pattern[str]:
    """What a pattern stands for, to be matched with `fullmatch`. Takes any text; no pattern takes long."""
    between = [""]
    for part in _PART.finditer(glob):
        if part["star"]:
            between.append("")
        elif part["any"]:
            between[-1] += "."
        elif part["within"] is not None:
            between[-1] += _one_of(part["within"], but=bool(part["but"]))
        else:
            between[-1] += re.escape(part["plain"])
    first, *middle = between
    if not middle:
        return re.compile(first, re.DOTALL)
    # What stands between two stars is found at the first place where it can be: no other is ever tried again.
    *middle, last = middle
    return re.compile(first + "".join(f"(?>.*?{piece})" for piece in middle) + ".*" + last, re.DOTALL)


def _one_of(within: str, *, but: bool) -> str:
    """What stands in brackets; a range may be given backwards."""
    if not within:
        return "." if but else "(?!)"
    chosen = ""
    for item in _RANGE.finditer(within):
        if item[3] is not None:
            chosen += re.escape(item[3])
        else:
            chosen += "-".join(map(re.escape, sorted((item[1], item[2]))))
    return f"[{'^' * but}{chosen}]"
