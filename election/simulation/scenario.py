"""A scenario: a cluster, and what happens to it, as a text file.

    # A frozen process accepts connections, and answers nothing.
    source: named 53, learned 9
    holds: the heir serves though no connection was ever refused
    peers: a b c
    safety: survivor quorum

    at 0s pause a
    wait server b within 11s

Header lines are `name: value`, in any order, before the first step; lines that begin with `#` are comments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tanist.election.settings import PACES, ElectionSettings, Pace, Safety
from tanist.election.simulation.forms import FormError, read_time, write_time
from tanist.election.simulation.steps import Step, read_step, write_step

_PEER_SETTINGS = {f.name for f in msgspec.structs.fields(ElectionSettings)} - {"pace", "safety"}
_PACE_SETTINGS = {f.name for f in msgspec.structs.fields(Pace)}


class ScenarioError(ValueError):
    """A scenario's text is wrong; the message begins with the line."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a run depends on: the same scenario is the same run, to the last message.

    `peers` form a settled cluster before the first step; without any, steps add them. `settings` hold for all
    peers, `of_peer` for one, both as they are written.
    """

    about: str = ""
    sources: tuple[str, ...] = ()
    """Which row of which list it comes from: `N5`, `learned 7`, `named 22`, `rule 3`."""
    holds: str = ""
    """What must hold, for people."""
    peers: tuple[str, ...] = ()
    safety: tuple[Safety, ...] = (Safety.SURVIVOR,)
    pace: str = "classic"
    seed: int = 1
    latency_ms: float = 0.2
    disk_ms: float = 0.5
    jitter: float = 0.0
    settings: tuple[str, ...] = ()
    of_peer: tuple[tuple[str, tuple[str, ...]], ...] = ()
    life: str = ""
    """Instead of a cluster: all that a life began with, as JSON (`outcome.Setup`); `steps` are what befell it."""
    steps: tuple[Step, ...] = ()
    lines: tuple[int, ...] = ()
    """The line of each step, for reports; empty for a scenario that was not read."""

    def same(self, other: Scenario) -> bool:
        """Whether two scenarios are one, wherever their lines stand."""
        return msgspec.structs.replace(self, lines=()) == msgspec.structs.replace(other, lines=())

    def where(self, step: int) -> str:
        """Which step it is, for people."""
        return f"line {self.lines[step]}" if self.lines else f"step {step + 1}"

    def settings_of(self, peer: str, safety: Safety) -> ElectionSettings:
        """What a peer's core is told."""
        own = dict(self.of_peer).get(peer, ())
        return made_settings(self.pace, safety, (*self.settings, *own), len(self.peers))


def made_settings(pace: str, safety: Safety, written: tuple[str, ...], founders: int) -> ElectionSettings:
    """Settings of `name=value` words, later ones over earlier. Raises FormError."""
    of_peer: dict[str, Any] = {"expect": founders if safety is Safety.QUORUM else 0}
    of_pace: dict[str, Any] = {}
    for word in written:
        name, sign, value = word.partition("=")
        if not sign or name not in _PEER_SETTINGS | _PACE_SETTINGS:
            raise FormError(f"{word!r} is no setting: write name=value, with one of the names in election/settings.py")
        (of_pace if name in _PACE_SETTINGS else of_peer)[name] = value
    try:
        patience = msgspec.convert({**msgspec.structs.asdict(PACES[pace]), **of_pace}, Pace, strict=False)
        return msgspec.convert({**of_peer, "safety": safety, "pace": patience}, ElectionSettings, strict=False)
    except msgspec.ValidationError as error:
        raise FormError(f"the settings {' '.join(written)} are wrong: {error}") from None


# Reading


def read_scenario(text: str) -> Scenario:
    """Read a file. Raises ScenarioError, which names the line and what could stand there."""
    header: dict[str, Any] = {}
    about: list[str] = []
    of_peer: list[tuple[str, tuple[str, ...]]] = []
    steps: list[Step] = []
    lines: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        try:
            if line.startswith("#"):
                if not header and not steps:
                    about.append(line[1:].strip())
            elif (name := _header_name(line)) is not None:
                if steps:
                    raise FormError(f"`{name}:` belongs before the first step")
                if name.startswith("settings "):
                    of_peer.append((name.split()[1], tuple(line.partition(":")[2].split())))
                elif name in header:
                    raise FormError(f"`{name}:` is there twice")
                else:
                    header[name] = _HEADER[name](line.partition(":")[2].strip())
            elif line:
                steps.append(read_step(line))
                lines.append(number)
        except FormError as error:
            raise ScenarioError(f"line {number}: {error}") from None
    fields = {_FIELD_OF.get(name, name): value for name, value in header.items()}
    scenario = Scenario(
        about="\n".join(about), of_peer=tuple(of_peer), steps=tuple(steps), lines=tuple(lines), **fields
    )
    _check(scenario)
    return scenario


def _header_name(line: str) -> str | None:
    name, sign, _ = line.partition(":")
    if sign and (name in _HEADER or (name.startswith("settings ") and len(name.split()) == 2)):
        return name
    return None


def _check(scenario: Scenario) -> None:
    """What no line alone shows. Raises ScenarioError."""
    if len(set(scenario.peers)) != len(scenario.peers):
        raise ScenarioError(f"peers: {' '.join(scenario.peers)}: a name stands there twice")
    for safety in scenario.safety:
        for peer in dict.fromkeys((*scenario.peers, *(name for name, _ in scenario.of_peer), "")):
            try:
                scenario.settings_of(peer, safety)
            except FormError as error:
                raise ScenarioError(f"settings {peer}: {error}".replace(" :", ":")) from None


def _read_pace(text: str) -> str:
    if text not in PACES:
        raise FormError(f"there is no pace {text!r}; there are: {', '.join(PACES)}")
    return text


def _read_safety(text: str) -> tuple[Safety, ...]:
    try:
        return tuple(Safety(word) for word in text.split())
    except ValueError:
        raise FormError(f"{text!r}: the safety modes are {', '.join(Safety)}; both may be named") from None


def _read_sources(text: str) -> tuple[str, ...]:
    return tuple(source.strip() for source in text.split(","))


def _read_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise FormError(f"{text!r} is no whole number") from None


def _read_part(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise FormError(f"{text!r} is no number") from None


def _read_words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_HEADER: dict[str, Callable[[str], Any]] = {
    "source": _read_sources,
    "holds": str,
    "peers": _read_words,
    "safety": _read_safety,
    "pace": _read_pace,
    "seed": _read_number,
    "latency": read_time,
    "disk": read_time,
    "jitter": _read_part,
    "settings": _read_words,
    "life": str,
}
"""Header lines, and how each is read."""
_FIELD_OF = {"source": "sources", "latency": "latency_ms", "disk": "disk_ms"}


# Writing


def write_scenario(scenario: Scenario) -> str:
    """The file that reads as this scenario."""
    out = [f"# {line}".rstrip() for line in scenario.about.splitlines()]
    written = {
        "source": ", ".join(scenario.sources),
        "holds": scenario.holds,
        "peers": " ".join(scenario.peers),
        "safety": " ".join(scenario.safety),
        "pace": scenario.pace,
        "seed": str(scenario.seed),
        "latency": write_time(scenario.latency_ms),
        "disk": write_time(scenario.disk_ms),
        "jitter": repr(scenario.jitter),
        "settings": " ".join(scenario.settings),
        "life": scenario.life,
    }
    usual = Scenario()
    for name, value in written.items():
        field = _FIELD_OF.get(name, name)
        if getattr(scenario, field) != getattr(usual, field):
            out.append(f"{name}: {value}")
    out.extend(f"settings {peer}: {' '.join(words)}" for peer, words in scenario.of_peer)
    out.append("")
    out.extend(write_step(step) for step in scenario.steps)
    return "\n".join(out) + "\n"


__all__ = ["Scenario", "ScenarioError", "made_settings", "read_scenario", "write_scenario"]
