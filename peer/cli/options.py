"""The flags that verbs share, each with its meaning and its twin in the environment."""

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter

from tanist.peer.cli.client import DEFAULT_AT

At = Annotated[
    str, Parameter("--at", env_var="TANIST_AT", metavar="URL", help="The peer to ask: the address of its page.")
]
Json = Annotated[
    bool,
    Parameter(
        "--json",
        env_var="TANIST_JSON",
        negative="",
        show_default=False,
        help="Print JSON, the same from version to version.",
    ),
]
Timeout = Annotated[
    float,
    Parameter("--timeout", env_var="TANIST_TIMEOUT", metavar="SECONDS", help="How long the cluster may take for it."),
]
Config = Annotated[
    str | None, Parameter("--config", env_var="TANIST_CONFIG", metavar="FILE", help="A file of settings, YAML or JSON.")
]

AT = DEFAULT_AT
TIMEOUT_S = 10.0
"""As the default of `?timeout=`."""


def _flag(name: str, help: str, **more: Any) -> Parameter:
    """A setting of a peer. Its twin is read with all others by `tanist.config`, so that its origin is known."""
    return Parameter(name, help=help, negative="", show_default=False, **more)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFlags:
    """The settings of a peer that have flags; what is not given comes from the environment, a file, or a default."""

    app: Annotated[
        list[str] | None,
        _flag(
            "--app",
            "An application that comes along (kv, chat, poll, …), or your own as notes.py:Notes. Repeatable.",
            metavar="APP",
        ),
    ] = None
    cluster: Annotated[str | None, _flag("--cluster", "The cluster to belong to (default).", metavar="NAME")] = None
    name: Annotated[
        str | None, _flag("--name", "What this peer is called (the host's name, then host-2, …).", metavar="NAME")
    ] = None
    listen: Annotated[
        str | None, _flag("--listen", "Where other peers reach this one (127.0.0.1:7400).", metavar="HOST:PORT")
    ] = None
    advertise: Annotated[
        str | None,
        _flag("--advertise", "The address that others are told to dial, where it is another.", metavar="HOST:PORT"),
    ] = None
    http: Annotated[
        str | None, _flag("--http", "Where HTTP and the page are (127.0.0.1:7480).", metavar="HOST:PORT")
    ] = None
    peer: Annotated[
        list[str] | None, _flag("--peer", "Any peer of the cluster, to find it by. Repeatable.", metavar="HOST:PORT")
    ] = None
    data: Annotated[
        str | None,
        _flag("--data", "The directory for what this peer keeps (the user's data directory).", metavar="DIR"),
    ] = None
    safety: Annotated[
        str | None,
        _flag(
            "--safety", "survivor: the last one standing serves on. quorum: nothing without a majority.", metavar="MODE"
        ),
    ] = None
    expect: Annotated[
        int | None, _flag("--expect", "Quorum: how many peers found the cluster; 0 joins one.", metavar="N")
    ] = None
    pace: Annotated[
        str | None, _flag("--pace", "How patient the cluster is: classic, lan or fast (classic).", metavar="PACE")
    ] = None
    serve: Annotated[str | None, _flag("--serve", "auto, or never: follow only (auto).", metavar="MODE")] = None
    priority: Annotated[
        int | None, _flag("--priority", "Among peers fit to serve the higher stands first (0).", metavar="N")
    ] = None
    gateway: Annotated[
        list[str] | None,
        _flag("--gateway", "A foreign protocol, APP=PROTOCOL:[HOST:]PORT. Repeatable.", metavar="SPEC"),
    ] = None
    console: Annotated[
        str | None, _flag("--console", "The application whose console opens on this terminal.", metavar="NAME")
    ] = None
    no_discovery: Annotated[bool, _flag("--no-discovery", "Do not look for peers on the local network.")] = False
    allow_drills: Annotated[bool, _flag("--allow-drills", "Let failures be injected into this peer.")] = False
    log_level: Annotated[
        str | None,
        _flag("--log-level", "What is told on stderr: debug, info, warning or error (info).", metavar="LEVEL"),
    ] = None

    def given(self) -> dict[str, object]:
        """What was given on the command line, by name, as `tanist.config.load` takes it."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if value not in (None, False)}


def commas(hint: object, text: str, delimiter: str | None = None) -> list[str]:
    """How the environment holds a list, here as for the settings of a peer."""
    return [word.strip() for word in text.split(",")]
