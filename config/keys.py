"""The registry of all keys, read off the schema: what may be set in a file, in the environment and by flags."""

import functools
from typing import Any, get_args, get_type_hints

import msgspec

from tanist.config.schema import PeerConfig
from tanist.config.sections import Group, Key, words
from tanist.config.values import integer, number, one_of
from tanist.election.settings import PACES, Pace
from tanist.transport.settings import TransportSettings

PROFILE = "pace.profile"
"""The key that stands for nine others: which of the named paces the rest of the section departs from."""
PROFILE_DEFAULT = "classic"
"""The pace of a cluster that was told nothing."""
PACE_MS_MAX = 3_600_000
"""An hour: a time-out above it is a slip in the unit."""
RETRY_ATTEMPTS_MAX = 100
"""Retries before the fallback list is walked: beyond it a cluster without a server would seem dead."""
TRANSPORT_MAX = 1 << 32
"""The highest limit of the transport; what makes sense below it, the transport says itself."""
UNITS = {"_ms": "milliseconds", "_s": "seconds", "_bytes_max": "bytes"}
"""Units by the end of a name."""

PACE_MEANINGS = {
    "retry_attempts": "Attempts to reach a lost server before the first of the fallback list stands.",
    "retry_interval_ms": "Attempt k starts k intervals after the loss, and may take one.",
    "heartbeat_every_ms": "How often the server is heard when nothing else is sent.",
    "heartbeat_timeout_ms": "Silence after which a server counts as lost. Shorter finds a frozen server sooner, and "
    "takes a busy one for frozen more often; a killed one is seen at once whatever this is.",
    "ballot_ms": "How long answers to a ballot are waited for, and the wait for each rank before the next one.",
    "sync_timeout_ms": "Silence after which an heir's disk no longer counts. Longer than the longest way from the "
    "last heartbeat to the ballot.",
    "start_wait_ms": "How long a peer that has been in the cluster waits at its start for fresher members.",
    "heal_timeout_ms": "How long a claim made in a heal binds its server.",
    "disk_timeout_ms": "How long one write may take before a server gives up its reign and nobody counts on this "
    "peer's disk. Shorter finds a hung disk sooner, and takes a busy one for hung more often.",
}


class Setting(msgspec.Struct, frozen=True):
    """A key by its path ("sync.strict"), what it says of itself, and its default as Python has it."""

    path: str
    key: Key
    default: Any

    @property
    def section(self) -> str:
        """The section it stands in, "" for the top."""
        return self.path.rpartition(".")[0]

    @property
    def shown_flag(self) -> str:
        """Its flag as it is typed, or its path where it has none."""
        return f"--{self.key.flag}" if self.key.flag else self.path


@functools.cache
def settings() -> dict[str, Setting]:
    """All settings by path, in the order of the schema."""
    found: dict[str, Setting] = {}
    for field in msgspec.structs.fields(PeerConfig):
        about = _about(PeerConfig, field.name)
        if isinstance(about, Key):
            default = None if field.default is msgspec.NODEFAULT else field.default
            found[field.name] = Setting(field.name, about, default)
        elif isinstance(about, Group):
            for name, key, default in _members(field.default):
                found[f"{field.name}.{name}"] = Setting(f"{field.name}.{name}", key, default)
    return found


@functools.cache
def sections() -> dict[str, Group]:
    """The groups of settings by name."""
    groups = {}
    for field in msgspec.structs.fields(PeerConfig):
        about = _about(PeerConfig, field.name)
        if isinstance(about, Group):
            groups[field.name] = about
    return groups


@functools.cache
def flags() -> dict[str, Setting]:
    """The settings that have a flag, by its name without dashes."""
    return {s.key.flag: s for s in settings().values() if s.key.flag}


def unit_of(name: str) -> str:
    """The unit that a name ends in, "" when it says none."""
    return next((unit for end, unit in UNITS.items() if name.endswith(end)), "")


def _about(cls: type, field: str) -> Key | Group | None:
    hint = get_type_hints(cls, include_extras=True)[field]
    return next((extra for extra in get_args(hint)[1:] if isinstance(extra, Key | Group)), None)


def _members(group: msgspec.Struct) -> list[tuple[str, Key, Any]]:
    """The settings of a section. Those of other packages know nothing of keys: theirs are made here."""
    if isinstance(group, Pace):
        return _pace_members(group)
    values = msgspec.structs.asdict(group)
    if isinstance(group, TransportSettings):
        return [(name, _transport_key(name, value), value) for name, value in values.items()]
    members = []
    for name, value in values.items():
        about = _about(type(group), name)
        assert isinstance(about, Key), f"{type(group).__name__}.{name} is declared without a Key"
        members.append((name, about, value))
    return members


def _pace_members(pace: Pace) -> list[tuple[str, Key, Any]]:
    profile = Key(
        meaning="The named pace that the other values of this section depart from. `pace: lan` is short for it.",
        takes=words(PACES),
        parse=one_of(tuple(PACES)),
        flag="pace",
    )
    members: list[tuple[str, Key, Any]] = [("profile", profile, PROFILE_DEFAULT)]
    for name, value in msgspec.structs.asdict(pace).items():
        whole = isinstance(value, int) and not name.endswith("_ms")
        highest = RETRY_ATTEMPTS_MAX if whole else PACE_MS_MAX
        key = Key(
            meaning=PACE_MEANINGS[name],
            takes=f"1 to {highest}",
            parse=integer(1, highest) if whole else number(1, highest),
            unit=unit_of(name) or "attempts",
        )
        members.append((name, key, value))
    return members


def _transport_key(name: str, default: object) -> Key:
    """A limit of the transport. What it means stands beside it in the transport's source, see `describe`."""
    whole = isinstance(default, int)
    return Key(
        meaning="",
        takes="whole number above 0" if whole else "number above 0",
        parse=integer(1, TRANSPORT_MAX) if whole else number(1, PACE_MS_MAX),
        unit=unit_of(name),
    )
