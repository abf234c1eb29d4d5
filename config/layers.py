"""Defaults < file < environment < flags: each layer goes over those before it, and each value knows its origin.

A value replaces the one below it as a whole; sections (`sync`, `log`, …) are laid over key by key. Two exceptions, each
because the plain rule would surprise: a pace that is named above drops the single values that departed from the one
below, and an application named above without settings keeps those it has below.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tanist.config.checks import check
from tanist.config.keys import PROFILE, PROFILE_DEFAULT, sections, settings
from tanist.config.problems import ConfigError, Layer, Origin, Problem
from tanist.config.schema import PeerConfig
from tanist.config.sources import Source, from_environment, from_file, from_flags
from tanist.config.specs import App
from tanist.config.values import Invalid
from tanist.election.settings import PACES

_POSITION = re.compile(r":([0-9]+):([0-9]+)$")


class Loaded(msgspec.Struct, frozen=True):
    """A configuration, and where each of its values came from, by key ("listen", "pace.ballot_ms")."""

    config: PeerConfig
    origins: dict[str, Origin]


class _Layered:
    """The values gathered so far by key, the problems, and the keys that hold none because of one."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[Any, Origin]] = {}
        self.problems: list[Problem] = []
        self.broken: set[str] = set()

    def lay(self, layer: Layer, source: Source) -> None:
        """Lay a layer's values over those before."""
        self.problems += source.problems
        self.broken |= source.broken
        if PROFILE in source.values:
            self.values = {k: v for k, v in self.values.items() if not k.startswith("pace.")}
        for path, node in source.values.items():
            try:
                value = settings()[path].key.parse(node)
            except Invalid as error:
                self.problems.extend(Problem(p.where, f"{path}: {p.message}", p.hint) for p in error.problems)
                self.broken.add(path.partition(".")[0])
                continue
            if path == "apps" and "apps" in self.values:
                value = _with_settings_below(value, self.values["apps"][0])
            self.values[path] = (value, Origin(layer, node.where))


def load(file: Path | None, environment: Mapping[str, str], flags: Mapping[str, object]) -> Loaded:
    """The effective configuration.

    `file` is YAML, or JSON by its name. Of `environment` the TANIST_ variables are read; an empty one counts as unset.
    `flags` are by name without dashes (`log-level` or `log_level`, `no-discovery`) or by key (`peers`,
    `session.timeout_s`); None and empty lists mean "not given", as does False for a flag without a value.
    Raises `ConfigError` with all problems of all layers, and TypeError for a flag that nobody declared.
    """
    layered = _Layered()
    if file is not None:
        layered.lay(Layer.FILE, from_file(file))
    layered.lay(Layer.ENVIRONMENT, from_environment(environment))
    layered.lay(Layer.FLAG, from_flags(flags))
    loaded = _built(layered.values)
    problems = layered.problems + check(loaded.config, loaded.origins, layered.broken)
    if problems:
        raise ConfigError(sorted(problems, key=_reading_order))
    return loaded


def _reading_order(problem: Problem) -> tuple[float, float]:
    """A file's problems by line and column; those of other layers after them, as they were found."""
    match = _POSITION.search(problem.where)
    return (int(match[1]), int(match[2])) if match else (float("inf"), 0)


def _with_settings_below(above: Sequence[App], below: Sequence[App]) -> tuple[App, ...]:
    known = {app.spec: app for app in below}
    return tuple(app if app.settings else known.get(app.spec, app) for app in above)


def _built(values: Mapping[str, tuple[Any, Origin]]) -> Loaded:
    """The structs of the values, defaults where there are none."""
    default = Origin(Layer.DEFAULT)
    _, profile_origin = values.get(PROFILE, ("", default))
    origins = {path: profile_origin if path.startswith("pace.") else default for path in settings()}
    origins |= {path: origin for path, (_, origin) in values.items()}
    top = {path: value for path, (value, _) in values.items() if "." not in path}
    for section in sections():
        inner = {path.partition(".")[2]: v for path, (v, _) in values.items() if path.startswith(f"{section}.")}
        base = getattr(_DEFAULTS, section)
        if section == "pace":
            base = PACES[inner.pop("profile", PROFILE_DEFAULT)]
        top[section] = msgspec.structs.replace(base, **inner)
    return Loaded(PeerConfig(**top, origins=origins), origins)


_DEFAULTS = PeerConfig()
