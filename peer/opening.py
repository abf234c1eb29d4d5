"""What a peer's configuration comes to when it starts: its data, what it says of itself, what it cannot do yet."""

import importlib.metadata
import random
import secrets
from collections.abc import Iterable

import msgspec

from tanist.config import ConfigError, PeerConfig
from tanist.election.core import Core
from tanist.election.events import Event
from tanist.election.joining import LEFT
from tanist.election.node import Node
from tanist.election.node import Self as Me
from tanist.election.ready import Halt
from tanist.election.records import Stored
from tanist.election.settings import PACES, Serve
from tanist.peer import clock
from tanist.peer.application.loading import LoadError
from tanist.peer.electionlog.human import HumanLog
from tanist.peer.electionlog.peer_events import BindWarning, FeatureLater, PeerStarted
from tanist.peer.electionlog.sentences import Names
from tanist.peer.electionlog.writer import ElectionLog
from tanist.peer.gateways.opening import MAKERS
from tanist.peer.listening import is_loopback
from tanist.peer.storage.datadir import DataDirectory
from tanist.peer.storage.errors import JournalForeign
from tanist.peer.storage.files import Disk
from tanist.transport.errors import ListenError
from tanist.transport.hello import Hello

APPLICATION_VERSION = "1"
"""What the hello says of every application, until applications have versions of their own."""


def exit_code(error: BaseException) -> int:
    """The exit status of a peer that could not start: 2 for its configuration, 5 for data of another, else 1."""
    match error:
        case ListenError() | LoadError() | ConfigError():
            return 2
        case JournalForeign():
            return 5
    return 1


def halt_code(halt: Halt) -> int:
    """The exit status of a peer that cannot go on."""
    return {"refused": 5, "no_server": 3, LEFT: 0}.get(halt.code, 1)


def version() -> str:
    """The installed version of tanist."""
    return importlib.metadata.version("tanist")


def open_directory(config: PeerConfig, disk: Disk) -> DataDirectory:
    """Open the data directory: a name or path that was given is meant, a default moves on. Blocks on the disk."""
    if config.given("name") or config.given("data"):
        return DataDirectory.open(config.data_directory, config.cluster, config.name, disk)
    return DataDirectory.open_default(config.cluster, config.name, disk)


def open_log(
    config: PeerConfig, directory: DataDirectory, *, human: bool
) -> tuple[ElectionLog, Names, HumanLog | None]:
    """Open the election log of a peer, with the names that it tells; `human`: tell it on stderr too."""
    log = ElectionLog(
        directory.election_log,
        cluster=config.cluster,
        peer=directory.peer,
        name=directory.identity.name,
        incarnation=directory.incarnation,
        mono_ns=clock.now_ns,
        wall_ns=clock.wall_ns,
    )
    names = Names()
    log.listeners.append(names.learn)
    told = HumanLog(level=config.log.level, names=names) if human else None
    if told is not None:
        log.listeners.append(told)
    return log, names, told


def core_of(me: Me, config: PeerConfig, stored: Stored, names: Names) -> Core:
    """The core of a peer, with what was stored of an earlier start; `names` learns whom that knew by name."""
    # Peers do not find each other on the network yet: a first peer that was told of nobody need not wait for it.
    settings = msgspec.structs.replace(config.election(), discovery=False)
    core = Core(me, settings, stored, random.Random(secrets.randbits(128)))
    for member in core.node.log.roster.members:
        names.add(member.id, member.name)
    return core


def hello_of(
    config: PeerConfig,
    directory: DataDirectory,
    node: Node | None,
    address: str,
    http: str,
    applications: Iterable[str],
) -> Hello:
    """What a peer says of itself at the begin of every link; `node` is what its core knows, once it runs."""
    return Hello(
        cluster=config.cluster,
        safety=str(config.safety),
        id=directory.peer,
        name=directory.identity.name,
        # The core may have learned that others know of a later start.
        incarnation=node.incarnation if node is not None else directory.incarnation,
        address=address,
        serve=config.serve is not Serve.NEVER,
        priority=config.priority,
        apps=dict.fromkeys(applications, APPLICATION_VERSION),
        founding=node.log.roster.founding if node is not None else "",
        http=http,
    )


def started(config: PeerConfig, address: str, http: str, data: str) -> PeerStarted:
    """What the election log tells first of a start: who can check what followed reads in it what this peer promises."""
    pace = config.pace
    return PeerStarted(
        version(),
        str(config.safety),
        pace_name(config),
        address,
        http,
        data,
        pace.retry_attempts,
        pace.retry_interval_ms,
        pace.heartbeat_timeout_ms,
    )


def pace_name(config: PeerConfig) -> str:
    """The name of a pace, or "custom"."""
    return next((name for name, pace in PACES.items() if pace == config.pace), "custom")


def cautions(config: PeerConfig, *addresses: str) -> list[Event]:
    """What to say plainly at a start: what is open to whom, and flags that are accepted and do nothing yet."""
    later = {
        "discovery": config.discovery and config.given("discovery"),
        **{f"--gateway {gateway}": gateway.protocol not in MAKERS for gateway in config.gateways},
    }
    reachable = [BindWarning(address) for address in addresses if not is_loopback(address)]
    return [*reachable, *(FeatureLater(flag) for flag, given in later.items() if given)]
