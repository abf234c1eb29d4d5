"""The configuration as verbs load it: file, environment and flags, and all that is wrong with them at once."""

import os
from collections.abc import Mapping
from pathlib import Path

from tanist.config import ConfigError, Loaded, PeerConfig, load
from tanist.peer.cli.exits import Exit, VerbError

VERB_VARIABLES = frozenset(
    {
        "TANIST_ALL",
        "TANIST_ALL_MARKS",
        "TANIST_BEYOND",
        "TANIST_EVENT",
        "TANIST_EVERY",
        "TANIST_FOLLOW",
        "TANIST_IN",
        "TANIST_KEEP",
        "TANIST_KEY",
        "TANIST_KEYED",
        "TANIST_LOG",
        "TANIST_MODEL",
        "TANIST_ONCE",
        "TANIST_OUTPUT",
        "TANIST_PEERS",
        "TANIST_PROCESSES",
        "TANIST_READ",
        "TANIST_REPLAY",
        "TANIST_SEEDS",
        "TANIST_SHRINK",
        "TANIST_SINCE",
        "TANIST_STEPS",
        "TANIST_TERM",
        "TANIST_TITLE",
        "TANIST_TO",
        "TANIST_WATCH",
        "TANIST_YES",
    }
)
"""Twins of flags that set nothing in a peer: to its configuration they would look like misspelt settings."""


def load_settings(file: str | None, flags: Mapping[str, object]) -> Loaded:
    """The effective configuration; raises `VerbError` that names every problem, one a line."""
    environment = {name: text for name, text in os.environ.items() if name not in VERB_VARIABLES}
    try:
        return load(Path(file) if file else None, environment, flags)
    except ConfigError as error:
        raise unusable(error) from None


def unusable(error: ConfigError) -> VerbError:
    """What a verb ends with that cannot use its configuration."""
    count = len(error.problems)
    head = "the configuration cannot be used:" if count == 1 else f"the configuration has {count} problems:"
    return VerbError(Exit.USAGE, "\n".join([head, *(f"  {problem}" for problem in error.problems)]))


def check_applications(config: PeerConfig) -> None:
    """Load the applications and read their settings; raises `VerbError` that names every problem."""
    from tanist.peer.agreeing import load_applications
    from tanist.peer.application.loading import LoadError

    try:
        load_applications(config, {})
    except ConfigError as error:
        raise unusable(error) from None
    except LoadError as error:
        raise VerbError(Exit.USAGE, str(error)) from None


def election_log() -> Path:
    """Where the election log is of a peer that is run here with the same environment; raises `VerbError` if none is."""
    path = load_settings(os.environ.get("TANIST_CONFIG"), {}).config.data_directory / "election.jsonl"
    if not path.exists():
        raise VerbError(Exit.USAGE, f"there is no election log at {path}; name the file, DATA/election.jsonl of a peer")
    return path
