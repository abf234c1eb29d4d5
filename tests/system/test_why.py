"""What is told of real elections: over kills, pauses and hand-overs, by every peer, and as their clients saw it."""

import json
from pathlib import Path
from typing import Any

import pytest

from system.cluster import Cluster
from system.process import tanist
from system.writer import Writer
from tanist.peer.drills.cluster import RealCluster

Reign = dict[str, Any]


async def why(cluster: RealCluster, at: str, term: str = "last") -> list[Reign]:
    """`tanist why` at a peer."""
    code, said, complaint = await tanist("why", term, "--json", "--at", cluster[at].url, folder=cluster.folder)
    assert (code, complaint) == (0, "")
    return list(json.loads(said)["reigns"])


async def told(cluster: RealCluster, at: str, server: str, by: int, term: str = "last") -> Reign:
    """The record of the reign of `server`, once so many accounts of it are in the log that `at` holds."""
    found: list[Reign] = []

    async def whole() -> bool:
        async with cluster.http.get(f"{cluster[at].url}/why", params={"term": term}) as answer:
            found[:] = (await answer.json())["reigns"] if answer.status == 200 else []
        recorded = [witness for reign in found for witness in reign["witnesses"] if witness["recorded"]]
        return bool(found) and found[-1]["name"] == server and len(recorded) >= by and found[-1]["complete"]

    await cluster.wait_for(whole, f"{at} tells how {server} came to serve, as {by} peers saw it")
    return found[-1]


async def crash(cluster: Cluster) -> tuple[str, str, str, float]:
    """Kill the server while a client writes at a third peer; the three peers, and the outage that client measured."""
    await cluster.found()
    server, heir, other = await cluster.server(), await cluster.heir(), await cluster.bystander()
    async with Writer(cluster, other) as writer:
        cluster[server].kill()
        await cluster.until_serves(heir)
        await writer.more(20)
    return server, heir, other, writer.longest_gap_s() * 1000


async def test_a_crash_is_told_by_all_and_its_outage_is_what_the_client_measured(tmp_path: Path) -> None:
    async with Cluster(tmp_path, pace="lan") as cluster:
        server, heir, other, outage_ms = await crash(cluster)
        reign = await told(cluster, other, heir, by=2)
        assert reign["outage_ms"] == pytest.approx(outage_ms, rel=0.1)
        assert reign["because"] == f"{server} was lost: closed"
        assert {w["name"]: (w["role"], w["evidence"]) for w in reign["witnesses"]} == {
            heir: ("server", "closed"),
            other: ("client", "closed"),
        }
        assert [retry["outcome"] for retry in reign["witnesses"][0]["retries"]] == ["refused"] * 3
        assert reign["fallbacks"][0]["name"] == heir and reign["fallbacks"][0]["reason"]
        assert reign["stood"][-1]["support"] == [other] and reign["times"]["write_ms"] is not None


@pytest.mark.slow
async def test_a_peer_that_was_dead_all_the_time_tells_the_same_and_so_do_the_files(tmp_path: Path) -> None:
    async with Cluster(tmp_path, pace="lan") as cluster:
        server, heir, other, _ = await crash(cluster)
        reign = await told(cluster, other, heir, by=2)
        cluster[server].start()
        assert await cluster.settled() == heir
        assert await told(cluster, server, heir, by=2) == reign
        logs = [str(peer.data / "election.jsonl") for peer in cluster.peers.values()]
        code, said, _ = await tanist("why", str(reign["term"]["number"]), "--json", "--log", *logs, folder=tmp_path)
        (from_files,) = json.loads(said)["reigns"]
        assert code == 0
        for part in ("because", "outage_ms", "fallbacks", "stood", "times", "calls", "retried", "first_index"):
            assert from_files[part] == reign[part], part


@pytest.mark.slow
@pytest.mark.parametrize("safety", ["survivor", "quorum"])
async def test_a_frozen_server_is_told_as_silent_and_tells_that_it_was_away(tmp_path: Path, safety: str) -> None:
    async with Cluster(tmp_path, pace="lan", safety=safety) as cluster:
        await cluster.found()
        server, heir, other = await cluster.server(), await cluster.heir(), await cluster.bystander()
        async with Writer(cluster, other) as writer:
            await cluster.pause(server)
            await cluster.until_serves(heir)
            await writer.more(20)
            await cluster.resume(server)
        serves = await cluster.settled()
        reign = await told(cluster, server, serves, by=3)
        assert reign["outage_ms"] == pytest.approx(writer.longest_gap_s() * 1000, rel=0.1)
        assert reign["because"] == f"{server} was lost: silent"
        (away,) = [w for w in reign["witnesses"] if w["name"] == server]
        assert away["away_ms"] > 1000 and not away["evidence"] and away["cause"]


@pytest.mark.slow
async def test_a_server_and_its_heir_that_die_together_are_told_by_who_is_left(tmp_path: Path) -> None:
    async with Cluster(tmp_path, pace="lan") as cluster:
        await cluster.found("abcd")
        server, heir = await cluster.server(), await cluster.heir()
        status = await cluster.status(server)
        assert status is not None
        next_one, last = (str(entry["name"]) for entry in status["fallbacks"][1:])
        async with Writer(cluster, last) as writer:
            cluster[server].kill()
            cluster[heir].kill()
            await writer.more(20)
        reign = await told(cluster, last, next_one, by=2)
        assert reign["outage_ms"] == pytest.approx(writer.longest_gap_s() * 1000, rel=0.1)
        struck = [s for w in reign["witnesses"] for s in w["steps"] if s["what"] == "struck"]
        assert heir in {name for step in struck for name in step["peers"]}
        assert {server, heir} <= set(reign["stood"][-1]["left_out"])
        # Two kills in a row are two records, and each says of the other how it ended.
        cluster[server].start()
        cluster[heir].start()
        assert await cluster.settled() == next_one
        cluster[next_one].kill()
        third = await cluster.settled()
        second = await told(cluster, third, third, by=3)
        assert second["because"] == f"{next_one} was lost: closed"
        (ended,) = await why(cluster, third, str(reign["term"]["number"]))
        assert ended["ended"]["term"] == second["term"]


@pytest.mark.slow
async def test_a_hand_over_is_told_as_one_and_every_reign_is_in_the_history(tmp_path: Path) -> None:
    async with Cluster(tmp_path, pace="lan") as cluster:
        await cluster.found()
        server, heir, other = await cluster.server(), await cluster.heir(), await cluster.bystander()
        async with Writer(cluster, other) as writer:
            await tanist("handover", "--at", cluster[server].url, folder=tmp_path)
            assert await cluster.settled() == heir
            await writer.more(20)
        reign = await told(cluster, other, heir, by=3)
        assert reign["because"] == f"{server} handed over"
        code, said, _ = await tanist("history", "--json", "--at", cluster[other].url, folder=tmp_path)
        reigns = json.loads(said)["reigns"]
        assert code == 0 and [r["name"] for r in reigns] == [server, heir]
        assert [r["because"] for r in reigns] == ["the first server of this cluster", f"{server} handed over"]
        code, said, _ = await tanist("why", "--at", cluster[other].url, folder=tmp_path)
        assert code == 0 and f"{server} handed over" in said and "What happened" in said
        code, _, complaint = await tanist("why", "77", "--at", cluster[other].url, folder=tmp_path)
        assert code == 2 and "nothing is known of term 77" in complaint


@pytest.mark.slow
@pytest.mark.parametrize("writes_at", ["the server", "the others"])
async def test_both_sides_of_a_split_are_told_whichever_history_goes_on(tmp_path: Path, writes_at: str) -> None:
    async with RealCluster(tmp_path, 3, pace="lan") as cluster:
        server, heir, other = await cluster.server(), await cluster.heir(), await cluster.bystander()
        first = (await told(cluster, server, server, by=1))["term"]
        cluster.partition([server], [heir, other])
        await cluster.until_serves(heir)
        second = (await told(cluster, heir, heir, by=2))["term"]
        at = server if writes_at == "the server" else other
        # Whoever has commands since the fork goes on; the accounts of the other side's log go with that.
        assert (await cluster.call(at, "kv/set", key="k", value="v"))[0] == 200
        cluster.heal()
        serves = await cluster.settled(3)
        assert serves == (server if at == server else heir)
        for name in (server, heir, other):
            reign = await told(cluster, name, heir, by=2, term=f"{second['number']}@{second['holder']}")
            assert reign["because"] == f"{server} was lost: silent" and reign["before"] == first
            assert {w["name"] for w in reign["witnesses"]} >= {heir, other}
        last = await told(cluster, other, serves, by=1)
        assert last["because"] and last["times"]["open_ms"] is not None
