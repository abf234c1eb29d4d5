"""What must be so of a cluster once it was mended, whatever befell it: each promise is one check, passed or not."""

from collections.abc import Iterable
from typing import Any, Protocol

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
    """What each client was told is done was done once: its row holds it, at every peer."""
    wrong: list[str] = []

    async def whole() -> bool:
        found = []
        for client, row in clients.rows.items():
            for name in cluster.present():
                value = await cluster.query(name, "kv/get", key=clients.row_key(client))
                held = int(value or 0)
                if not row.acknowledged <= held <= row.acknowledged + row.unknown:
                    unknown = f", and of {row.unknown} does not know" if row.unknown else ""
                    found.append(f"{client} was told that it wrote {row.acknowledged}{unknown}; {name} holds {held}")
        wrong[:] = found
        return not found

    # A heal may still be putting back what one side had acknowledged.
    if not await until(whole, deadline_s):
        return Check("acknowledged", False, _some(wrong) or "the peers did not answer in time")
    total = clients.history.acknowledged
    return Check("acknowledged", True, f"each of {total:,} acknowledged writes is at every peer, once")


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
