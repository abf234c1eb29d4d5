"""What must be so of a cluster once it was mended, whatever befell it: each promise is one check, passed or not."""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from tanist.election.linearizability.check import Verdict, check
from tanist.election.linearizability.models import Kv
from tanist.election.linearizability.operations import HistoryError
from tanist.election.linearizability.report import lines
from tanist.peer.drills.clients import Clients
from tanist.peer.drills.cluster import RealCluster
from tanist.peer.drills.conditions import agreed, in_sync, told
from tanist.peer.drills.history import History
from tanist.peer.drills.process import ClusterError
from tanist.peer.drills.report import Check
from tanist.peer.drills.waiting import until
from tanist.peer.electionlog.checks.check import RULES
from tanist.peer.electionlog.checks.check import check as check_logs
from tanist.peer.electionlog.reader import Problem, read

JUDGE_S = 30.0
"""How long a mended cluster may take to come to what was promised: heals, snapshots, a busy machine."""
SHOWN_MAX = 5
"""Breaches told of one check: the first tell as much as all."""


async def judge(cluster: RealCluster, clients: Clients | None = None, deadline_s: float = JUDGE_S) -> list[Check]:
    """Hold a cluster against its promises. It must have been mended, and its clients stopped.

    The peers' processes and election logs are looked at in any case, what clients were told if there were any.
    """
    checks = [_processes(cluster), await _one_server(cluster, deadline_s)]
    # States are shown by peers that allow drills.
    shows_state = cluster.network is not None
    if checks[-1].passed:
        checks += await judge_states(cluster, clients, shows_state=shows_state, deadline_s=deadline_s)
    if clients is not None:
        checks += judge_answers(clients, quorum=cluster.safety == "quorum")
    checks.append(election_logs(cluster))
    return checks


class Asked(Protocol):
    """Peers whose states can be looked at."""

    def present(self) -> list[str]:
        """The names of those that run and are not paused."""

    async def query(self, at: str, query: str, /, **arguments: str) -> Any:
        """The result of a query of a peer's own copy; None where it cannot answer yet."""

    async def state(self, name: str) -> tuple[int, str] | None:
        """How many entries a peer has applied, and the hash of its state; None while it does not answer."""

    async def archived_unknown(self, name: str, app: str, command: str) -> int:
        """How many of these commands are in the archive alone, and nobody knows whether they were acknowledged."""


async def judge_states(
    cluster: Asked, clients: Clients | None, *, shows_state: bool = True, deadline_s: float = JUDGE_S
) -> list[Check]:
    """Whether all peers hold what clients were told is done, and the same; there must be one server."""
    checks = []
    if clients is not None:
        checks.append(await _acknowledged(cluster, clients, deadline_s))
    if not shows_state:
        checks.append(Check("same-state", True, "not looked at: these peers allow no drills"))
    elif not checks or checks[0].passed:
        checks.append(await _same_state(cluster, deadline_s))
    return checks


def judge_answers(clients: Clients, *, quorum: bool) -> list[Check]:
    """Whether clients were told what they should, once they have ended."""
    checks = [_answers(clients.problems)]
    if quorum:
        checks.append(linearizable(clients.history))
    return checks


def _processes(cluster: RealCluster) -> Check:
    """No peer met a bug of its own."""
    wrote = [name for name, peer in cluster.peers.items() if "Traceback" in peer.stderr]
    if wrote:
        return Check("no-bug", False, f"{_some(wrote)} wrote a traceback; see NAME.err")
    ended = [name for name, peer in cluster.peers.items() if peer.flags and not peer.running]
    away = f"; not running: {', '.join(ended)}" if ended else ""
    return Check("no-bug", True, f"no peer wrote a traceback{away}")


async def _one_server(cluster: RealCluster, deadline_s: float) -> Check:
    """All that run agree on one server, and hold what it holds."""
    try:
        await cluster.until(in_sync, deadline_s)
    except ClusterError:
        seen = [
            f"{s['name']} is {s['role']} and follows {s['server']['name'] if s['server'] else 'nobody'}"
            for s in await cluster.statuses()
            if s is not None
        ]
        return Check("one-server", False, f"not within {deadline_s:g} s: {told(in_sync)}; {'; '.join(seen)}")
    server = agreed(await cluster.statuses())
    return Check("one-server", True, f"one serves, and all others follow it{f': {server}' if server else ''}")


async def _acknowledged(cluster: Asked, clients: Clients, deadline_s: float) -> Check:
    """What each client was told is done was done once: its row holds it, at every peer.

    Of the last commands of a server that died on its side of a split nobody else knows that they were acknowledged. A
    heal keeps them in its archive and says so, which is what survivor mode promises: as many may be missing.
    """
    wrong: list[str] = []
    archived: list[int] = []

    async def whole() -> bool:
        found: list[str] = []
        archived.clear()
        for name in cluster.present():
            rows = await _rows(cluster, clients, name)
            found += rows.too_many
            if rows.lacking:
                archived.append(await cluster.archived_unknown(name, "kv", "incr"))
                found += rows.too_few if rows.lacking > archived[-1] else []
        wrong[:] = found
        return not found

    # A heal may still be putting back what one side had acknowledged.
    if not await until(whole, deadline_s):
        return Check("acknowledged", False, _some(wrong) or "the peers did not answer in time")
    kept = f", or one of {max(archived)} that a heal keeps in its archive" if archived else ""
    total = clients.history.acknowledged
    return Check("acknowledged", True, f"each of {total:,} acknowledged writes is at every peer, once{kept}")


class _Rows(msgspec.Struct):
    """The rows of all clients at one peer, against what the clients were told: what is wrong, and how many lack."""

    too_many: list[str]
    too_few: list[str]
    lacking: int = 0


async def _rows(cluster: Asked, clients: Clients, name: str) -> _Rows:
    rows = _Rows([], [])
    for client, row in clients.rows.items():
        held = int(await cluster.query(name, "kv/get", key=clients.row_key(client)) or 0)
        unknown = f", and of {row.unknown} does not know" if row.unknown else ""
        text = f"{client} was told that it wrote {row.acknowledged}{unknown}; {name} holds {held}"
        if held > row.acknowledged + row.unknown:
            rows.too_many.append(text)
        elif held < row.acknowledged:
            rows.too_few.append(text)
            rows.lacking += row.acknowledged - held
    return rows


async def _same_state(cluster: Asked, deadline_s: float) -> Check:
    """All that run came to the same state of all applications."""
    seen: dict[str, tuple[int, str] | None] = {}

    async def same() -> bool:
        seen.update({name: await cluster.state(name) for name in cluster.present()})
        return None not in seen.values() and len(set(seen.values())) == 1

    if not await until(same, deadline_s):
        states = "; ".join(
            f"{name} has {state[1][:8]} after {state[0]} entries" if state else f"{name} does not answer"
            for name, state in seen.items()
        )
        return Check("same-state", False, f"the states differ: {states}")
    return Check("same-state", True, f"{', '.join(seen)} have the same state")


def _answers(problems: list[str]) -> Check:
    """No client was answered what no good client should get."""
    if problems:
        return Check("answers", False, _some(problems))
    return Check("answers", True, "every client was answered in the end, or told that it was not done")


def linearizable(history: History) -> Check:
    """What clients were told fits one order of all operations (quorum mode promises that)."""
    try:
        report = check(Kv(), history.operations)
    except HistoryError as error:
        return Check("linearizable", False, str(error))
    first, *rest = lines(report)
    return Check("linearizable", report.verdict is Verdict.OK, "\n".join([first, *rest]) if rest else first)


def election_logs(cluster: RealCluster) -> Check:
    """The election logs of all peers break no rule (`tanist log check`)."""
    unreadable: list[Problem] = []
    folders = [peer.data for peer in cluster.peers.values() if peer.flags]
    found = check_logs(read(folders, unreadable.append))
    if found:
        return Check("election-logs", False, _some(map(str, found)))
    if gone := [problem for problem in unreadable if problem.line == 0]:
        return Check("election-logs", False, _some(map(str, gone)))
    return Check("election-logs", True, f"the election logs break none of {len(RULES)} rules")


def _some(breaches: Iterable[str]) -> str:
    every = list(breaches)
    more = f"\nand {len(every) - SHOWN_MAX} more" if len(every) > SHOWN_MAX else ""
    return "\n".join(every[:SHOWN_MAX]) + more
