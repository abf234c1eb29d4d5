"""Where peers listen: what was given is used or refused, what was not given moves on."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

from system.cluster import Cluster
from system.process import tanist
from system.writer import Writer
from tanist.peer.drills.ports import Port, is_free
from tanist.peer.drills.process import PeerProcess

PEER_PORT, HTTP_PORT = 7400, 7480
"""The defaults, as documented."""


async def test_a_given_address_is_the_one_that_is_used_and_shown(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        peer = cluster.launch("a")
        await cluster.until_serves("a")
        status = await cluster.status("a")
        assert status is not None
        assert (status["address"], status["http"]) == (peer.address, peer.http)
        assert status["server"]["address"] == peer.address
        assert f"peers  {peer.address}" in peer.stdout
        assert f"http://{peer.http}/" in peer.stdout


async def test_a_busy_given_address_is_named_and_ends_with_status_2(tmp_path: Path) -> None:
    busy, free = Port(), Port()
    try:
        with listening(busy.number):
            for mine, other in (("--listen", "--http"), ("--http", "--listen")):
                words = ("up", "--name", "a", "--data", "data", mine, busy.address, other, free.address)
                code, said, why = await tanist(*words, folder=tmp_path)
                assert (code, said) == (2, "")
                assert re.search(rf"cannot listen on {busy.address}: .*(in use|listens there)", why), why
                assert free.address not in why
                last = (tmp_path / "data" / "election.jsonl").read_text().splitlines()[-1]
                assert json.loads(last)["fields"]["code"] == 2
    finally:
        busy.release()
        free.release()


async def test_defaults_move_to_the_next_free_port(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        with listening(PEER_PORT), listening(HTTP_PORT):
            peer = DefaultAddresses("a", tmp_path)
            cluster.peers["a"] = peer
            peer.start("--cluster", "defaults", "--app", "kv", "--pace", "fast")

            async def up() -> bool:
                assert peer.running, peer.stderr
                return "page" in peer.stdout

            await cluster.wait_for(up, "it introduces itself")
        ports = re.search(r"peers\s+127\.0\.0\.1:(\d+)\n\s+page\s+http://127\.0\.0\.1:(\d+)/", peer.stdout)
        assert ports is not None, peer.stdout
        assert PEER_PORT < int(ports[1]) < PEER_PORT + 100
        assert HTTP_PORT < int(ports[2]) < HTTP_PORT + 100
        assert not is_free(int(ports[1])) and not is_free(int(ports[2]))


class DefaultAddresses(PeerProcess):
    """A peer that is not told where to listen."""

    def addresses(self) -> list[str]:
        """None."""
        return []


@contextlib.contextmanager
def listening(port: int) -> Iterator[None]:
    """See to it that a port of 127.0.0.1 is in use; another process may have it already."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            sock.listen(1)
        yield


async def test_status_answers_within_half_a_second_under_write_load(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        await cluster.found()
        server, other = await cluster.server(), await cluster.bystander()
        async with contextlib.AsyncExitStack() as writers:
            every = [await writers.enter_async_context(Writer(cluster, at)) for at in (server, other)]
            for name in (server, other):
                before = sum(len(writer.acks) for writer in every)
                begun = asyncio.get_running_loop().time()
                code, said, _ = await tanist("status", "--at", cluster[name].url, folder=tmp_path)
                took_s = asyncio.get_running_loop().time() - begun
                assert code == 0
                assert said.startswith(f"{server} serves")
                assert took_s < 0.5
                assert sum(len(writer.acks) for writer in every) > before
