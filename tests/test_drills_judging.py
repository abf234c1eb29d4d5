"""The judgement of a hurt cluster: it passes what keeps its promises, and finds each broken one."""

import json
import textwrap
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from tanist.election.linearizability.operations import Outcome, operation
from tanist.peer.drills.clients import Clients
from tanist.peer.drills.cluster import RealCluster
from tanist.peer.drills.conditions import one_server
from tanist.peer.drills.history import History
from tanist.peer.drills.judging import election_logs, judge, judge_states, linearizable
from tanist.peer.drills.report import Check

SHORT_S = 1.0
"""For a judgement that is meant to fail: what is not so now will not come true."""
WRITES = 30


def failed(checks: list[Check]) -> dict[str, str]:
    return {check.name: check.text for check in checks if not check.passed}


async def more(cluster: RealCluster, clients: Clients, writes: int = WRITES) -> None:
    """Wait until so many more writes are acknowledged."""
    target = clients.history.acknowledged + writes

    async def enough() -> bool:
        return clients.history.acknowledged >= target

    await cluster.wait_for(enough, f"{writes} more writes are acknowledged")


@pytest.mark.parametrize("safety", ["survivor", "quorum"])
async def test_a_cluster_that_lost_its_server_keeps_every_promise(tmp_path: Path, safety: str) -> None:
    async with RealCluster(tmp_path, safety=safety, apps=("kv", "counter"), pace="fast") as cluster:
        clients = cluster.clients(seed=1)
        clients.start()
        await more(cluster, clients)
        server = await cluster.server()
        await cluster.kill(server)
        await cluster.until(one_server)
        await more(cluster, clients)
        await cluster.mend()
        await clients.stop()
        checks = await judge(cluster, clients)
    assert failed(checks) == {}
    names = ["no-bug", "one-server", "acknowledged", "same-state", "answers", "linearizable", "election-logs"]
    assert [check.name for check in checks] == [n for n in names if n != "linearizable" or safety == "quorum"]
    longest_s = clients.history.longest_silence_s()
    assert [silence.seconds for silence in clients.history.silences(longest_s - 0.001)] == [longest_s]
    assert 0.05 < longest_s < 10, "a killed server costs more than an answer does"
    path = tmp_path / "history.jsonl"
    clients.history.write(path)
    assert len(path.read_text().splitlines()) == 1 + len(clients.history.operations)


@pytest.mark.slow
async def test_both_sides_of_a_split_keep_what_they_acknowledged(tmp_path: Path) -> None:
    async with RealCluster(tmp_path, pace="fast") as cluster:
        clients = cluster.clients(4)
        clients.start()
        await more(cluster, clients)
        server, others = await cluster.server(), [name for name in cluster.peers if name != await cluster.server()]
        cluster.partition([server], others)

        async def two_serve() -> bool:
            return len(await cluster.servers()) == 2

        await cluster.wait_for(two_serve, "each side has a server")
        await more(cluster, clients, 60)
        await cluster.mend()
        await clients.stop()
        assert failed(await judge(cluster, clients)) == {}
        assert [s["heals"] for s in await cluster.statuses() if s] == [1, 1, 1]


async def test_a_write_that_was_lost_or_done_twice_is_found(tmp_path: Path) -> None:
    async with RealCluster(tmp_path, 2, pace="fast") as cluster:
        clients = cluster.clients(2)
        clients.start()
        await more(cluster, clients)
        await clients.stop()
        await cluster.call("a", "kv/del", key=clients.row_key("client-1"))
        await cluster.call("a", "kv/incr", key=clients.row_key("client-2"))
        (broken,) = failed(await judge(cluster, clients, SHORT_S)).items()
    assert broken[0] == "acknowledged"
    told = clients.rows["client-1"].acknowledged, clients.rows["client-2"].acknowledged
    assert f"client-1 was told that it wrote {told[0]}; a holds 0" in broken[1]
    assert f"client-2 was told that it wrote {told[1]}; b holds {told[1] + 1}" in broken[1]


async def test_states_that_differ_are_found(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(
        textwrap.dedent(
            '''
            """An application that is not deterministic."""
            import os
            from tanist.peer import Application, Context, command

            class Bad(Application):
                """Keeps what differs."""
                last: int

                @command
                def keep(self, ctx: Context) -> None:
                    """Keep the number of this process."""
                    self.last = os.getpid()
            '''
        )
    )
    async with RealCluster(tmp_path, 2, apps=("kv", f"{tmp_path}/bad.py:Bad"), pace="fast") as cluster:
        assert (await cluster.call("a", "bad/keep"))[0] == 200
        (broken,) = failed(await judge(cluster, None, SHORT_S)).items()
    assert broken[0] == "same-state"
    assert "the states differ: a has " in broken[1]


@pytest.mark.slow
async def test_two_servers_and_a_traceback_are_found(tmp_path: Path) -> None:
    async with RealCluster(tmp_path, 2, pace="fast") as cluster:
        cluster.partition("a", "b")

        async def two_serve() -> bool:
            return len(await cluster.servers()) == 2

        await cluster.wait_for(two_serve, "each side has a server")
        with (tmp_path / "b.err").open("a") as errors:
            errors.write("Traceback (most recent call last):\n")
        broken = failed(await judge(cluster, None, SHORT_S))
    assert broken["no-bug"] == "b wrote a traceback; see NAME.err"
    assert "a is server and follows a" in broken["one-server"] and "b is server and follows b" in broken["one-server"]


async def test_a_second_server_of_one_term_in_the_logs_is_found(tmp_path: Path) -> None:
    async with RealCluster(tmp_path, 2, safety="quorum", pace="fast") as cluster:
        server, heir = await cluster.server(), await cluster.heir()
        assert election_logs(cluster).passed
        (began,) = cluster[server].events("reign_began")
        last = cluster[heir].events()[-1]
        forged = {**began, **{name: last[name] for name in ("peer", "name", "incarnation", "mono_ms", "wall")}}
        number = began["fields"]["term"].partition("@")[0]
        forged |= {"seq": last["seq"] + 1, "fields": {**began["fields"], "term": f"{number}@{last['peer']}"}}
        with (cluster[heir].data / "election.jsonl").open("a") as log:
            log.write(json.dumps(forged) + "\n")
        found = election_logs(cluster)
    assert not found.passed
    assert "election.jsonl" in found.text and "reign_began breaks" in found.text


def test_an_answer_that_fits_no_order_is_found() -> None:
    history = History()
    history.add(operation("ann", "set", "1", key="x", began=0, ended=5))
    history.add(operation("ben", "get", key="x", result="1", began=6, ended=8))
    assert linearizable(history).passed
    history.add(operation("ben", "get", key="x", began=10, ended=12))
    found = linearizable(history)
    assert not found.passed
    assert "violation: not linearizable" in found.text and "ben: get x -> nothing" in found.text


async def test_answers_that_no_good_client_gets_are_found(tmp_path: Path) -> None:
    async with RealCluster(tmp_path, 1, pace="fast") as cluster:
        clients = cluster.clients(1)
        await cluster.call("a", "kv/set", key=clients.row_key("client-1"), value="no number")
        clients.start()

        async def complained() -> bool:
            return bool(clients.problems)

        await cluster.wait_for(complained, "a client is refused")
        await clients.stop()
    assert clients.problems[0].startswith(f"client-1: incr {clients.row_key('client-1')} was answered 409")
    refused = next(done for done in clients.history.operations if done.outcome is Outcome.FAIL)
    assert refused.call == "incr"
    assert msgspec.structs.asdict(clients.rows["client-1"]) == {"acknowledged": 0, "unknown": 0}


class Archived:
    """Peers that hold less than clients were told, some of it in the archive of a heal."""

    def __init__(self, held: int, archived: int) -> None:
        self._held = held
        self._archived = archived

    def present(self) -> list[str]:
        return ["a"]

    async def query(self, at: str, query: str, /, **arguments: str) -> Any:
        return str(self._held)

    async def state(self, name: str) -> tuple[int, str]:
        return 7, "same"

    async def archived_unknown(self, name: str, app: str, command: str) -> int:
        return self._archived


@pytest.mark.parametrize(("held", "archived", "passed"), [(9, 0, False), (9, 1, True), (8, 1, False), (11, 1, False)])
async def test_as_many_may_be_missing_as_heals_keep_without_knowing(held: int, archived: int, passed: bool) -> None:
    async with aiohttp.ClientSession() as http:
        clients = Clients(http, dict, count=1, linearizable=False)
    clients.rows["client-1"].acknowledged = 10
    acknowledged, *_ = await judge_states(Archived(held, archived), clients, deadline_s=0.1)
    assert (acknowledged.name, acknowledged.passed) == ("acknowledged", passed)
    assert passed or f"told that it wrote 10; a holds {held}" in acknowledged.text


async def test_the_last_writes_of_a_server_that_died_alone_are_found_in_the_archive(tmp_path: Path) -> None:
    async with RealCluster(tmp_path, 2, pace="fast") as cluster:
        server, heir = await cluster.server(), await cluster.heir()
        cluster.partition(server, heir)

        async def alone() -> bool:
            status, answer = await cluster.call(server, "kv/incr", key="row")
            return status == 200 and answer["receipt"]["durability"] == "alone"

        await cluster.wait_for(alone, "the server acknowledges alone")
        await cluster.wait_for(lambda: cluster.serves(heir), "the heir serves its side")
        for _ in range(5):
            await cluster.call(heir, "kv/incr", key="other")
        await cluster.call(server, "kv/incr", key="row")
        await cluster.kill(server)
        await cluster.mend()
        await cluster.settled(2)
        async with cluster.http.get(f"{cluster[heir].url}/heals") as answer:
            (heal,) = (await answer.json())["heals"]
        unknown = await cluster.archived_unknown(heir, "kv", "incr")
        assert unknown == heal["fates"].get("unknown", 0) > 0, heal
        assert await cluster.archived_unknown(heir, "kv", "set") == 0
