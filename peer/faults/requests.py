"""What may be injected into a running peer, each kind with its fields, and how it is told.

In JSON: `{"kind": "disk_slow", "for_ms": 3000, "ms": 200}`. Every fault has a duration.
"""

from typing import Annotated, Any, get_args

import msgspec

from tanist.peer.faults.conditions import CLEAR, Conditions, Way, problems
from tanist.peer.faults.disk import SLOW_MS_MAX

FOR_MS_MAX = 3_600_000
"""An hour: whatever is forgotten ends by itself while whoever injected it is still about."""
OFFSET_MS_MAX = 10 * 366 * 86_400_000
"""Ten years: more than a clock without a battery is off."""
STALL_MS_MAX = 60_000
"""A minute: nothing can be answered meanwhile, not even the wish to end it."""
WHAT_CHARS_MAX = 200
"""Characters of a note: it stands in every line of a story."""

ForMs = Annotated[float, msgspec.Meta(gt=0, le=FOR_MS_MAX)]
"""How long a fault lasts, in milliseconds."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """Base of all of them."""

    for_ms: ForMs

    @property
    def kind(self) -> str:
        """The name of the kind."""
        return str(self.__struct_config__.tag)

    def detail(self) -> str:
        """What it is, in a few words; the kind says the rest."""
        return ""


class LinkFault(Fault, frozen=True, tag="link"):
    """Links of this peer suffer `conditions`: those with one peer (name or id), or all; one way or both."""

    conditions: Conditions
    peer: str | None = None
    way: Way = Way.BOTH

    def detail(self) -> str:
        """See `Fault.detail`."""
        arrow = {Way.IN: "from", Way.OUT: "to", Way.BOTH: "with"}[self.way]
        pairs = ((name, getattr(self.conditions, name)) for name in self.conditions.__struct_fields__)
        said = (name if value is True else f"{name} {value:g}" for name, value in pairs if value not in (0, None))
        return f"{arrow} {self.peer or 'everyone'}: {', '.join(said) or 'nothing'}"


class DiskFull(Fault, frozen=True, tag="disk_full"):
    """No space is left for what the peer must keep."""


class DiskReadOnly(Fault, frozen=True, tag="disk_read_only"):
    """What the peer must keep cannot be changed."""


class DiskSlow(Fault, frozen=True, tag="disk_slow"):
    """Each sync takes `ms` milliseconds longer."""

    ms: Annotated[float, msgspec.Meta(gt=0, le=SLOW_MS_MAX)]

    def detail(self) -> str:
        """See `Fault.detail`."""
        return f"{self.ms:g} ms a sync"


class SyncFails(Fault, frozen=True, tag="fsync_fails"):
    """Each sync reports an error."""


class ClockOffset(Fault, frozen=True, tag="clock_offset"):
    """The wall clock of the peer is off by `offset_ms`, ahead or (below 0) behind."""

    offset_ms: Annotated[float, msgspec.Meta(ge=-OFFSET_MS_MAX, le=OFFSET_MS_MAX)]

    def detail(self) -> str:
        """See `Fault.detail`."""
        return f"{self.offset_ms:+g} ms"


class PauseProcess(Fault, frozen=True, tag="pause"):
    """The process stands still, and goes on."""


class Stall(Fault, frozen=True, tag="stall"):
    """The event loop stands still (a blocking call, a huge collection of garbage), and the process does not."""

    for_ms: Annotated[float, msgspec.Meta(gt=0, le=STALL_MS_MAX)]


class Crash(Fault, frozen=True, tag="crash"):
    """The process ends as if it was killed, and the same program starts again when the time is over."""


class Restart(Fault, frozen=True, tag="restart"):
    """The peer ends in order, and the same program starts again when the time is over."""


class Noted(Fault, frozen=True, tag="noted"):
    """Something that is done to the peer from outside (by a proxy, by hand), so that its election log tells of it."""

    what: Annotated[str, msgspec.Meta(min_length=1, max_length=WHAT_CHARS_MAX)]

    def detail(self) -> str:
        """See `Fault.detail`."""
        return self.what


AnyFault = (
    LinkFault
    | DiskFull
    | DiskReadOnly
    | DiskSlow
    | SyncFails
    | ClockOffset
    | PauseProcess
    | Stall
    | Crash
    | Restart
    | Noted
)


KINDS: tuple[str, ...] = tuple(str(cls.__struct_config__.tag) for cls in get_args(AnyFault))
"""The names of all kinds."""


def fault_from(fields: dict[str, Any]) -> AnyFault:
    """The fault that JSON fields say. Raises `ValueError`, which names the field and what it may be."""
    if fields.get("kind") not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    try:
        fault: AnyFault = msgspec.convert(fields, AnyFault)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
    if found := _problems(fault):
        raise ValueError("; ".join(found))
    return fault


def _problems(fault: AnyFault) -> list[str]:
    """What only looks well, in sentences."""
    match fault:
        case LinkFault():
            found = problems(fault.conditions)
            if fault.conditions == CLEAR:
                found.append("conditions says nothing that a good link would not do")
            if not _is_line(fault.peer or ""):
                found.append(f"peer must be a name or an id: at most {WHAT_CHARS_MAX} printable characters")
            return found
        case Noted() if not _is_line(fault.what):
            return ["what must be one line of printable characters: it stands in the election log"]
    return []


def _is_line(text: str) -> bool:
    return text.isprintable() and len(text) <= WHAT_CHARS_MAX
