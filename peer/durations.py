"""Durations as people say them."""

from math import isfinite


def duration(ms: float) -> str:
    """A duration with the two units a person would say; one that a log does not tell (it is not finite) is unknown."""
    if not isfinite(ms):
        return "unknown"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    if ms < 59_950:
        return f"{ms / 1000:.1f} s"
    seconds = round(ms / 1000)
    for unit_s, unit, part_s, part in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= unit_s:
            return f"{seconds // unit_s} {unit} {seconds % unit_s // part_s} {part}"
    return f"{seconds} s"
