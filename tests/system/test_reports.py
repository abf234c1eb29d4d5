"""Machines outside the cluster that report to three peers, whose server dies; and a better peer that takes over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from system.cluster import DEADLINE_S, Cluster
from tanist.config import load
from tanist.election.roles import Role
from tanist.peer import machine
from tanist.peer.drills.ports import Port
from tanist.peer.drills.process import PeerProcess
from tanist.peer.machine import Figures
from tanist.peer.peer import Peer

REPORTS = 10
"""Reports of each host while the server dies."""


class Reported(Cluster):
    """Each peer takes reports."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, pace="lan", flags=("--app", "hosts"))
        self.ports: dict[str, Port] = {}

    def launch(self, name: str, *flags: str, peers: Iterable[str] = ()) -> PeerProcess:
        port = self.ports[name] = Port()
        return super().launch(name, "--gateway", f"hosts=report:{port.address}", *flags, peers=peers)

    async def close(self) -> None:
        await super().close()
        for port in self.ports.values():
            port.release()

    async def answer(self, peer: str, id: str, name: str) -> dict[str, str]:
        """What a host gets at a peer."""
        lines = [id, "No-Ip", name, "10.5", "1000", "100", "50", "8000", "1999-12-31T23:59:59Z"]
        async with asyncio.timeout(DEADLINE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[peer].number)
            writer.write("\n".join(lines).encode())
            writer.write_eof()
            said = (await reader.read()).decode()
            writer.close()
        return dict(line.split(": ", 1) for line in said.split("\n"))

    async def table(self, peer: str) -> dict[str, str]:
        """Statuses, in rank order."""
        table: Any = await self.query(peer, "hosts/table")
        return {row["name"]: row["status"] for row in table["clients"]}


@pytest.mark.slow
async def test_hosts_report_on_whoever_serves(tmp_path: Path) -> None:
    async with Reported(tmp_path) as cluster:
        server = await cluster.found()
        one, two = (name for name in cluster.peers if name != server)
        ids = {}
        for name, peer in (("red", one), ("green", two), ("blue", server)):
            first = await cluster.answer(peer, "No-Id", name)
            assert first["State"] == "Unauthorized"
            ids[name] = first["Id"]

        async def all_reported() -> bool:
            return cluster.peers.keys() <= (await cluster.table(two)).keys()

        # Who dies before its first report is no machine that anybody knows of.
        await cluster.wait_for(all_reported, "all three peers are in the table")

        async def report(name: str, peers: list[str]) -> None:
            for n in range(REPORTS):
                said = await cluster.answer(peers[n % len(peers)], ids[name], name)
                assert (said["State"], said["Id"]) == ("OK", ids[name])
                assert said["Fallback-Server"] == "127.0.0.1"

        await asyncio.gather(
            cluster.kill(server), report("red", [one]), report("green", [two]), report("blue", [one, two])
        )
        async with asyncio.timeout(DEADLINE_S):
            while (table := await cluster.table(two)).get(server) != "silent":
                await asyncio.gather(*(cluster.answer(two, ids[name], name) for name in ids))
                await asyncio.sleep(0.2)
        assert {name: table[name] for name in ids} == dict.fromkeys(ids, "host")
        assert sorted([table[one], table[two]]) == ["client", "server"]
        assert list(table)[-1] == server, "a silent machine ranks behind all"


@contextlib.asynccontextmanager
async def running(folder: Path, name: str, **flags: object) -> AsyncIterator[Peer]:
    given: dict[str, object] = {"data": str(folder / name), "name": name, "pace": "fast", "app": ["hosts"]}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", "preempt": "idle", "preempt_after_s": 1.0}
    async with Peer(load(None, {}, {**given, **flags}).config) as peer:
        yield peer


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_the_best_peer_gets_its_turn_and_equal_ones_leave_each_other_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu = {"a": 45.0, "b": 45.0}

    class Made(machine.Gauge):
        """Figures by the peer's name, which its folder has."""

        def read(self) -> Figures:
            name = Path(self._folder).relative_to(tmp_path).parts[0]
            return Figures(cpu[name], 1000.0, 8000.0, 100.0, 50.0, 50.0)

    monkeypatch.setattr(machine, "Gauge", Made)
    async with running(tmp_path, "a") as a, running(tmp_path, "b", peer=[a.address]) as b:

        def rows() -> list[tuple[str, float, str]]:
            table = b.machine.query("hosts", "table")["clients"]
            return [(row["name"], row["load"]["cpu"], row["status"]) for row in table]

        await until(lambda: len(rows()) == 2)
        ranks = [name for name, _, _ in rows()]
        for cpu["a"], cpu["b"] in ((44.0, 46.0), (46.0, 44.0), (40.1, 49.9), (59.0, 41.0)):
            await until(lambda: {(name, load) for name, load, _ in rows()} == set(cpu.items()))
            assert cpu["a"] == 59.0 or [name for name, _, _ in rows()] == ranks
            assert a.core.role is Role.SERVER
        cpu["b"] = 15.0
        await until(lambda: b.core.role is Role.SERVER)
        await until(lambda: rows()[0] == ("b", 15.0, "server"))
        cpu["a"] = 0.0
        await until(lambda: rows()[0][:2] == ("a", 0.0))
        assert b.core.role is Role.SERVER, "better, and not clearly"
