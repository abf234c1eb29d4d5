"""All settings of a peer: one declaration a key, with its meaning, unit, default and the flag that sets it too."""

import socket
from pathlib import Path
from typing import Annotated

import msgspec
import platformdirs

from tanist.config import specs, values
from tanist.config.addresses import listening, reachable
from tanist.config.problems import Origin
from tanist.config.sections import DAY_S, Group, Heal, Key, Log, Preempt, Session, Snapshot, Sync, words
from tanist.config.specs import APPS_MAX, GATEWAYS_MAX, App, Gateway
from tanist.config.values import NAME_CHARS_MAX, boolean, choice, fitting_name, integer, listing, number
from tanist.election.roster import MEMBERS_MAX
from tanist.election.settings import PACES, ElectionSettings, Pace, Safety, Serve
from tanist.transport.settings import TransportSettings

PEER_PORT = 7400
"""Where peers listen for each other unless told otherwise."""
HTTP_PORT = 7480
"""Where HTTP and the page are unless told otherwise."""
PRIORITY_MAX = 1000
"""The highest priority, and as negative number the lowest: only the order counts."""
FORGET_AFTER_S_MAX = 3650 * DAY_S
"""The longest absence that can be configured: ten years, which is as good as never."""
PEERS_MAX = MEMBERS_MAX
"""Addresses to find a cluster by: more than a cluster has members cannot be meant."""
_NAME_TAKES = f"1 to {NAME_CHARS_MAX} letters a-z, digits and `.` `_` `-`"
_HOST_NAME_CHARS_MAX = NAME_CHARS_MAX - 4
"""Characters kept of a long host name, so that a second peer of the host can be called `host-2`."""


def host_name() -> str:
    """This machine's name as a peer can be called: its first label, without what names may not have."""
    return fitting_name(socket.gethostname().partition(".")[0])[:_HOST_NAME_CHARS_MAX].rstrip("._-") or "peer"


def default_data(cluster: str, name: str) -> Path:
    """Where a peer keeps its data when it was not told: the user's data directory, cluster and name."""
    return platformdirs.user_data_path("tanist", appauthor=False) / cluster / name


class PeerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of one peer, as `tanist.config.load` makes it.

    A program may make one directly too; then nothing is validated. `data` is empty where it follows from cluster and
    name: `data_directory` is the path to use.
    """

    cluster: Annotated[
        str,
        Key(
            meaning="The cluster to belong to: peers of other clusters are refused.",
            takes=_NAME_TAKES,
            parse=values.name,
            flag="cluster",
        ),
    ] = "default"
    name: Annotated[
        str,
        Key(
            meaning="What this peer is called in lists and logs; each live peer of a cluster has another name. "
            "The default moves to `host-2` and so on when it is taken, a given one is refused.",
            takes=_NAME_TAKES,
            parse=values.name,
            flag="name",
            default="the host's name",
        ),
    ] = msgspec.field(default_factory=host_name)
    listen: Annotated[
        str,
        Key(
            meaning="Where to listen for other peers; 0.0.0.0 is every interface, port 0 any free port. "
            "The default moves to the next free port, a given address never moves.",
            takes="`host:port`",
            parse=listening(PEER_PORT),
            flag="listen",
        ),
    ] = f"127.0.0.1:{PEER_PORT}"
    advertise: Annotated[
        str,
        Key(
            meaning="The address that other peers are told to dial, where it is not the one listened on "
            "(behind NAT, in a container).",
            takes="`host:port`",
            parse=reachable(PEER_PORT),
            flag="advertise",
            default="as listened on",
        ),
    ] = ""
    http: Annotated[
        str,
        Key(
            meaning="Where HTTP and the page are served. Moves like `listen`.",
            takes="`host:port`",
            parse=listening(HTTP_PORT),
            flag="http",
        ),
    ] = f"127.0.0.1:{HTTP_PORT}"
    peers: Annotated[
        tuple[str, ...],
        Key(
            meaning="Addresses of other peers to find the cluster by; any one that lives is enough.",
            takes=f"list of `host:port`, at most {PEERS_MAX}",
            parse=listing(reachable(PEER_PORT), PEERS_MAX, "192.168.1.5:7400"),
            flag="peer",
        ),
    ] = ()
    data: Annotated[
        str,
        Key(
            meaning="The directory that holds this peer's identity, journal, snapshots and election log. "
            "A relative path in a file starts from that file's folder.",
            takes="path",
            parse=values.path,
            flag="data",
            default="the user's data directory, `/CLUSTER/NAME`",
        ),
    ] = ""
    safety: Annotated[
        Safety,
        Key(
            meaning="What the cluster prefers: `survivor` goes on as long as one peer lives, and heals after a split; "
            "`quorum` acknowledges nothing without a majority. Peers of different modes refuse each other.",
            takes=words(Safety),
            parse=choice(Safety),
            flag="safety",
        ),
    ] = Safety.SURVIVOR
    expect: Annotated[
        int,
        Key(
            meaning="Quorum mode: how many peers found the cluster together. 0 joins one that exists.",
            takes=f"0 to {MEMBERS_MAX}",
            parse=integer(0, MEMBERS_MAX),
            unit="peers",
            flag="expect",
        ),
    ] = 0
    pace: Annotated[
        Pace,
        Group(
            meaning="How patient the cluster is: a profile's name, or a mapping with `profile` and the values that "
            "differ from it. All peers of a cluster should have the same."
        ),
    ] = PACES["classic"]
    serve: Annotated[
        Serve,
        Key(
            meaning="Whether this peer may become the server: `never` only follows, and ends when nobody else serves.",
            takes=words(Serve),
            parse=choice(Serve),
            flag="serve",
        ),
    ] = Serve.AUTO
    priority: Annotated[
        int,
        Key(
            meaning="Configured rank: among eligible peers the higher stands first, before power, stability and load.",
            takes=f"{-PRIORITY_MAX} to {PRIORITY_MAX}",
            parse=integer(-PRIORITY_MAX, PRIORITY_MAX),
            flag="priority",
        ),
    ] = 0
    sync: Annotated[Sync, Group(meaning="Survivor mode: what an acknowledgement waits for.")] = Sync()
    fallbacks: Annotated[
        int,
        Key(
            meaning="Entries of the fallback list, so that heartbeats do not grow with the cluster.",
            takes=f"1 to {MEMBERS_MAX - 1}",
            parse=integer(1, MEMBERS_MAX - 1),
            unit="peers",
        ),
    ] = 5
    preempt: Annotated[
        Preempt,
        Key(
            meaning="Whether a peer that was ranked above the live server for a while takes over in an idle moment, "
            "or, without one, after twice the time.",
            takes=words(Preempt),
            parse=choice(Preempt),
        ),
    ] = Preempt.NEVER
    preempt_after_s: Annotated[
        float,
        Key(
            meaning="How long a peer must have been better than the server, by priority or power and without a break, "
            "before it takes over; twice as long for each time it was lost within an hour. Applications "
            "such as hosts may say who is better too.",
            takes=f"1 to {DAY_S}",
            parse=number(1, DAY_S),
            unit="seconds",
        ),
    ] = 60
    forget_after_s: Annotated[
        float,
        Key(
            meaning="Survivor mode: after how long out of the server's sight a member is dropped from the roster, so "
            "that nobody waits for it. It joins again when it returns. 0 never.",
            takes=f"0 to {FORGET_AFTER_S_MAX}",
            parse=number(0, FORGET_AFTER_S_MAX),
            unit="seconds",
        ),
    ] = 30 * DAY_S
    snapshot: Annotated[Snapshot, Group(meaning="When the log is replaced by the state it led to.")] = Snapshot()
    heal: Annotated[
        Heal, Group(meaning="Survivor mode: what is kept for members that may come back with another history.")
    ] = Heal()
    apps: Annotated[
        tuple[App, ...],
        Key(
            meaning="The applications to run: built-in names, `file.py:Class` or `package.module:Class`; "
            "as a mapping, each with its settings.",
            takes=f"list of names, or mapping from name to settings, at most {APPS_MAX}",
            parse=specs.apps,
            flag="app",
            default="the built-in ones",
        ),
    ] = ()
    gateways: Annotated[
        tuple[Gateway, ...],
        Key(
            meaning="Foreign protocols in front of applications, each with its port; the host is 127.0.0.1 "
            "unless one is named.",
            takes=f"list of `APP=PROTOCOL:[HOST:]PORT`, at most {GATEWAYS_MAX}",
            parse=listing(specs.gateway, GATEWAYS_MAX, "kv=resp:6380"),
            flag="gateway",
        ),
    ] = ()
    console: Annotated[
        str,
        Key(
            meaning="The application whose console opens on this terminal.",
            takes="an application's name",
            parse=specs.app_name,
            flag="console",
            default="none",
        ),
    ] = ""
    discovery: Annotated[
        bool,
        Key(
            meaning="Whether peers look for each other on the local network.",
            takes="`true` or `false`",
            parse=boolean,
            flag="discovery",
        ),
    ] = True
    session: Annotated[Session, Group(meaning="The sessions of outside clients.")] = Session()
    log: Annotated[
        Log, Group(meaning="What is told on stderr. The election log in the data directory always holds everything.")
    ] = Log()
    allow_drills: Annotated[
        bool,
        Key(
            meaning="Whether failures may be injected into this peer with `tanist drill`.",
            takes="`true` or `false`",
            parse=boolean,
            flag="allow-drills",
        ),
    ] = False
    transport: Annotated[TransportSettings, Group(meaning="Limits and deadlines of the connections between peers.")] = (
        TransportSettings()
    )
    origins: dict[str, Origin] = {}
    """Where each value came from, by key ("listen", "pace.ballot_ms"); not a setting, and empty when made directly."""

    def given(self, key: str) -> bool:
        """Whether a person gave this value: a given address or name never moves, a default one may.

        `key` is a field of this struct; of a section it asks whether any value in it was given.
        Without known origins a value that is not the default counts as given.
        """
        known = [origin for path, origin in self.origins.items() if path == key or path.startswith(f"{key}.")]
        if known:
            return any(origin.given for origin in known)
        return bool(getattr(self, key) != getattr(PeerConfig(), key))

    @property
    def data_directory(self) -> Path:
        """Where the data is, also when it follows from cluster and name (which may have moved to `host-2`)."""
        return Path(self.data) if self.data else default_data(self.cluster, self.name)

    def election(self) -> ElectionSettings:
        """What the core is told."""
        return ElectionSettings(
            safety=self.safety,
            pace=self.pace,
            serve=self.serve,
            priority=self.priority,
            expect=self.expect,
            sync_successors=self.sync.successors,
            sync_strict=self.sync.strict,
            fallbacks=self.fallbacks,
            snapshot_every=self.snapshot.every,
            snapshot_keep=self.snapshot.keep,
            heal_keep=self.heal.keep,
            preempt=str(self.preempt),
            preempt_after_ms=self.preempt_after_s * 1000,
            forget_after_ms=self.forget_after_s * 1000,
            discovery=self.discovery,
        )
