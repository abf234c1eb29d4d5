"""The cluster as a plain test sees it: nothing to await, peers as objects, results as values."""

import inspect
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar, cast

from tanist.peer.drills.asking import CALL_S, Status
from tanist.peer.drills.conditions import Condition, told
from tanist.peer.drills.history import History
from tanist.peer.drills.process import ClusterError, Event
from tanist.peer.drills.waiting import POLL_S
from tanist.peer.drills.watched import DEADLINE_S
from tanist.peer.faults import Conditions
from tanist.peer.faults.processes import PAUSE_S_MAX
from tanist.peer.testing.background import Background
from tanist.peer.testing.tested import TestedCluster

_Result = TypeVar("_Result")


class CallRefused(Exception):
    """A command or query was not done, or nobody knows (504): the HTTP `status`, and the answer's `code`."""

    def __init__(self, what: str, status: int, error: dict[str, Any]) -> None:
        self.status = status
        self.code = str(error.get("code", ""))
        super().__init__(f"{what}: {status} {self.code}: {error.get('message', '')}")


class Peer:
    """One peer of a cluster, whether it runs or not."""

    def __init__(self, cluster: "Cluster", name: str) -> None:
        self.cluster = cluster
        self.name = name

    def __repr__(self) -> str:
        return f"<peer {self.name}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Peer) and (other.name, other.cluster) == (self.name, self.cluster)

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def url(self) -> str:
        """Where its HTTP is."""
        return self.cluster.real[self.name].url

    @property
    def running(self) -> bool:
        """Whether its process lives, paused or not."""
        return self.cluster.real[self.name].running

    def status(self) -> Status | None:
        """What it says of itself (`GET /status`); None while it does not answer."""
        return self.cluster.run(self.cluster.real.status(self.name))

    def log(self, *events: str) -> list[Event]:
        """The lines of its election log that have one of these names; all without any."""
        return self.cluster.real[self.name].events(*events)

    def kill(self) -> None:
        """End its process at once, as a crash does."""
        self.cluster.kill(self)

    def terminate(self) -> int:
        """Tell it to end, which hands over if it serves, and wait until it has; gives its exit status."""
        return self.cluster.run(self.cluster.real.terminate(self.name))

    def start(self) -> None:
        """Start it again, and wait until it answers."""
        self.cluster.run(self.cluster.real.start(self.name))

    def restart(self) -> None:
        """Kill it and start it again at once."""
        self.cluster.run(self.cluster.real.restart(self.name))

    def pause(self, for_s: float = PAUSE_S_MAX) -> None:
        """Stop its process where it is, for so many seconds or until `resume`."""
        self.cluster.run(self.cluster.real.pause(self.name, for_s))

    def resume(self) -> None:
        """Let it go on."""
        self.cluster.run(self.cluster.real.resume(self.name))


Named = Peer | str
"""A peer, or its name."""


class Cluster:
    """A real cluster; every method returns when it is done, or fails the test."""

    def __init__(self, real: TestedCluster, background: Background) -> None:
        self.real = real
        self._background = background

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Have a coroutine of `real` done, which lives on another thread's loop."""
        return self._background.run(work)

    # Who there is

    @property
    def peers(self) -> list[Peer]:
        """All peers."""
        return [Peer(self, name) for name in self.real.peers]

    def __getitem__(self, name: str) -> Peer:
        return Peer(self, self.real[name].name)

    @property
    def server(self) -> Peer:
        """The one that serves; waits until there is exactly one."""
        return Peer(self, self.run(self.real.server()))

    @property
    def heir(self) -> Peer:
        """The first of the server's fallback list; waits until there is one."""
        return Peer(self, self.run(self.real.heir()))

    @property
    def clients(self) -> list[Peer]:
        """All that run and do not serve."""
        server = self.server.name
        return [Peer(self, name) for name in self.real.present() if name != server]

    @property
    def servers(self) -> list[Peer]:
        """All that say they serve now: none in an election, several in a split."""
        return [Peer(self, name) for name in self.run(self.real.servers())]

    @property
    def history(self) -> History:
        """What the clients of `kv` did and were told so far, and how long they waited."""
        return self.real.history

    # What befalls it

    def kill(self, *peers: Named) -> None:
        """End processes at the same moment, as a power cut does."""
        self.run(self.real.kill(*map(_name, peers)))

    def join(self, name: str) -> Peer:
        """Start one more peer, and wait until it answers."""
        self.run(self.real.join(name))
        return Peer(self, name)

    def partition(self, *sides: Iterable[Named] | Named, for_s: float | None = None) -> None:
        """Nothing arrives between any two of these sides, for so many seconds or until `heal`."""
        named = [[_name(side)] if isinstance(side, Peer | str) else list(map(_name, side)) for side in sides]
        self._now(lambda: self.real.partition(*named, for_s=for_s))

    def cut(self, source: Named, target: Named, for_s: float | None = None) -> None:
        """Nothing of what one peer sends arrives at the other, for so many seconds or until `heal`."""
        self._now(lambda: self.real.cut(_name(source), _name(target), for_s))

    def link(self, source: Named, target: Named, conditions: Conditions, for_s: float | None = None) -> None:
        """What one peer sends to another meets these conditions, for so many seconds or until `heal`."""
        self._now(lambda: self.real.link(_name(source), _name(target), conditions, for_s))

    def heal(self) -> None:
        """All links are good again."""
        self._now(self.real.heal)

    def mend(self) -> None:
        """Undo everything: links are good, the paused go on, the dead are started."""
        self.run(self.real.mend())

    def _now(self, work: Callable[[], None]) -> None:
        """Have it done on the loop, where the proxies live."""

        async def there() -> None:
            work()

        self.run(there())

    # Waiting, and asking

    def until(self, condition: Condition | Callable[["Cluster"], object], deadline_s: float = DEADLINE_S) -> None:
        """Wait until a condition holds: one of tanist.peer.testing, or a function of this cluster."""
        if inspect.iscoroutinefunction(condition):
            self.run(self.real.until(cast(Condition, condition), deadline_s))
            return
        end_s = time.monotonic() + deadline_s
        while not condition(self):  # type: ignore[arg-type]
            if time.monotonic() > end_s:
                raise ClusterError(f"not within {deadline_s:g} s: {told(condition)}")
            time.sleep(POLL_S)

    def call(self, command: str, /, *, at: Named | None = None, timeout_s: float = CALL_S, **arguments: object) -> Any:
        """Have a command ("notes/add") done, at any peer or a certain one; gives its result. Raises `CallRefused`."""
        status, answer = self.run(self.real.call(self._at(at), command, "", timeout_s, **arguments))
        return _result(command, status, answer)

    def query(self, query: str, /, *, at: Named | None = None, read: str = "local", **arguments: str) -> Any:
        """Ask a query ("notes/all") of one peer's own copy, or as `read` says; gives its result."""
        status, answer = self.run(self.real.ask(self._at(at), query, arguments, read))
        return _result(query, status, answer)

    def _at(self, at: Named | None) -> str:
        if at is not None:
            return _name(at)
        present = self.real.present()
        if not present:
            raise ClusterError("no peer runs that could be asked")
        return present[0]


def _name(peer: Named) -> str:
    return peer if isinstance(peer, str) else peer.name


def _result(what: str, status: int, answer: dict[str, Any]) -> Any:
    if status != 200:
        raise CallRefused(what, status, answer.get("error", {}))
    return answer["result"]
