"""How many commands a second: `Peer.call` with 64 in flight on a client peer, fsync before every acknowledgement.

Three peers, each its own process; the caller is one of them, not the server. Beside it, in the same run: one
peer alone, and HTTP. Run it with

    python tests/bench/calls.py [seconds]

Numbers of one run only are comparable; the ratios matter.
"""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import uvloop

from tanist.config import load
from tanist.peer.peer import Peer

IN_FLIGHT = 64
VALUE = "x" * 80
"""With its key and names a command is about 100 bytes."""
WARM_UP_S = 0.5
START_LIMIT_S = 20.0


def started(directory: Path, name: str, peers: list[str]) -> tuple["subprocess.Popen[bytes]", str, str]:
    """A peer process; gives it with its peer and HTTP addresses."""
    command = [sys.executable, "-m", "tanist.peer.cli", "up", "--app", "kv", "--pace", "lan", "--name", name]
    command += ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data", str(directory / name)]
    for peer in peers:
        command += ["--peer", peer]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    peer_address = http_address = ""
    deadline = time.monotonic() + START_LIMIT_S
    while not http_address and time.monotonic() < deadline:
        words = process.stdout.readline().decode().split()
        if words[:1] == ["peers"]:
            peer_address = words[1]
        elif words[:1] == ["page"]:
            http_address = words[1].removeprefix("http://").rstrip("/")
    return process, peer_address, http_address


@contextlib.asynccontextmanager
async def cluster(size: int) -> AsyncIterator[tuple[Peer, str]]:
    """A cluster of so many peers, the last of them in this process, and the HTTP address of the first."""
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        processes = []
        addresses: list[str] = []
        http = ""
        try:
            for i in range(size - 1):
                process, address, page = started(directory, f"p{i}", addresses[:1])
                processes.append(process)
                addresses.append(address)
                http = http or page
            flags = {"name": "caller", "listen": "127.0.0.1:0", "http": "127.0.0.1:0", "app": ["kv"], "pace": "lan"}
            flags |= {"data": str(directory / "caller"), "peer": addresses[:1]}
            async with Peer(load(None, {}, flags).config) as peer:
                async with asyncio.timeout(START_LIMIT_S):
                    while peer.status().server is None or len(peer.status().members) < size:
                        await asyncio.sleep(0.05)
                yield peer, http or peer.http_address
        finally:
            for process in processes:
                process.send_signal(signal.SIGKILL)
                process.wait()


async def called(peer: Peer, seconds: float) -> tuple[float, list[float]]:
    """Commands a second through `Peer.call`, and each one's latency in milliseconds."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def worker(number: int) -> None:
        i = 0
        while (begun := time.perf_counter()) < end:
            i += 1
            await peer.call("kv", "set", f"k{number}-{i % 100}", VALUE)
            latencies.append((time.perf_counter() - begun) * 1000)

    begun = time.perf_counter()
    await asyncio.gather(*(worker(n) for n in range(IN_FLIGHT)))
    return len(latencies) / (time.perf_counter() - begun), latencies


async def posted(http: str, seconds: float) -> float:
    """Commands a second through HTTP, on 64 kept connections."""
    host, _, port = http.rpartition(":")
    body = json.dumps({"key": "k", "value": VALUE}).encode()
    request = b"POST /apps/kv/set HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n" % http.encode()
    request += b"Content-Length: %d\r\n\r\n" % len(body) + body
    count = 0
    end = time.perf_counter() + seconds

    async def worker() -> None:
        nonlocal count
        reader, writer = await asyncio.open_connection(host, int(port))
        while time.perf_counter() < end:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            assert head.startswith(b"HTTP/1.1 200"), head
            count += 1
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return count / (time.perf_counter() - begun)


async def measured(size: int, seconds: float) -> tuple[float, float, float, float]:
    """(calls a second, HTTP commands a second, median and 99th percentile of a call in ms)."""
    async with cluster(size) as (peer, http):
        await called(peer, WARM_UP_S)
        rate, latencies = await called(peer, seconds)
        latencies.sort()
        http_rate = await posted(http, seconds)
        return rate, http_rate, latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]


async def main(seconds: float) -> None:
    """Measure one peer, then three, and print both with their ratio."""
    one = await measured(1, seconds)
    three = await measured(3, seconds)
    say = sys.stdout.write
    say(f"{IN_FLIGHT} in flight, about 100 bytes a command, fsync before every acknowledgement, {seconds:g} s each\n")
    say("                     calls/s   HTTP/s   median ms   p99 ms\n")
    for name, (rate, http, median, p99) in (("one peer alone", one), ("three peers", three)):
        say(f"  {name:<16} {rate:>10,.0f} {http:>8,.0f} {median:>11.2f} {p99:>8.2f}\n")
    say(f"  ratio three/one  {three[0] / one[0]:>10.2f} {three[1] / one[1]:>8.2f}\n")


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
