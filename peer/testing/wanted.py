"""What kind of cluster a test wants: the words of its marker, over those of the command line."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

SAFETIES = ("survivor", "quorum")
PACES = ("classic", "lan", "fast")


class WrongMarker(ValueError):
    """A marker, or an option, cannot be understood; the message says what and what would be."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`@pytest.mark.tanist(...)`; each word is optional."""

    size: int = 3
    """Peers, called a, b, c, ..."""
    safety: str = "survivor"
    """survivor or quorum."""
    pace: str = "lan"
    """classic, lan or fast: a killed server is replaced in 5 s, 1 s or 0.2 s. The last is for machines that are quiet:
    others are then late with what is due within 50 ms, over and over."""
    app: str | list[str] = []
    """What `tanist up --app` takes, one or several; files are sought beside the test's own. `kv` is always there."""
    clients: int = 3
    """Clients of `kv` that write and read all the time, and record what they are told."""
    seed: int = 0
    """What the chance in faults and clients begins with."""
    judge: bool = True
    """Whether the cluster is mended in the end and held against its promises."""
    fresh: bool = False
    """Whether each peer is a new Python, with hashes of its own, and no fork: half a second more for each."""

    def apps(self, folder: Path) -> list[str]:
        """The applications of the peers, with files found from a folder."""
        given = [self.app] if isinstance(self.app, str) else self.app
        return ["kv", *(_from(folder, spec) for spec in given if spec != "kv")]


def wanted(marker: Mapping[str, Any], option: Callable[[str], Any]) -> Wanted:
    """What the marker's words and the options say together. Raises `WrongMarker`."""
    given = {name: option(name) for name in ("size", "safety", "pace", "seed", "clients")}
    words = {**{name: value for name, value in given.items() if value is not None}, **marker}
    if isinstance(words.get("app"), tuple):
        words["app"] = list(words["app"])
    try:
        made = msgspec.convert(words, Wanted)
    except msgspec.ValidationError as error:
        known = ", ".join(Wanted.__struct_fields__)
        raise WrongMarker(f"@pytest.mark.tanist: {error}; it takes {known}") from None
    for name, choices in (("safety", SAFETIES), ("pace", PACES)):
        if getattr(made, name) not in choices:
            raise WrongMarker(f"@pytest.mark.tanist: {name} is one of {', '.join(choices)}, not {getattr(made, name)}")
    return made


def _from(folder: Path, spec: str) -> str:
    file, colon, name = spec.rpartition(":")
    return f"{(folder / file).resolve()}:{name}" if colon and file.endswith(".py") else spec
