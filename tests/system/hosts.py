"""Hosts with addresses of their own: each a network namespace, all joined by a switch in one more.

The machine's own network is never touched: no interface is made in it, and the test reaches a peer's HTTP through
a socket made inside that peer's host. No namespace has a name, so nothing is left on disk either: a namespace ends with
its last process, and its holder ends when this process does, however that ends.
"""

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Self

import aiohttp

from system.cluster import Cluster
from tanist.peer.drills.process import ENDED_S, PeerProcess

CLONE_NEWNET = 0x40000000
"""From Linux's sched.h: a network namespace, for setns."""
COMMAND_S = 20.0
"""How long ip, nft or tc may take: milliseconds, but for a machine that is very busy."""
PEER_PORT, HTTP_PORT = 7400, 7480
"""The same on every host, as on real ones."""
HOSTS_MAX = 100
"""Hosts of one switch, and addresses that each may move to: so many fit into one network of 254."""


TRIALS = {
    "ip": ["true"],
    "nft": ["nft", "add", "table", "bridge", "tried"],
    "tc": ["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "1mbit", "burst", "16kb", "latency", "1s"],
}
"""Tools, and what shows inside a namespace that they and the kernel can do what is needed."""


@cache
def why_not(tool: str = "ip") -> str:
    """Why hosts cannot be had here, or not what this further tool does to them; empty when they can."""
    if sys.platform != "linux":
        return "network namespaces exist on Linux only"
    for needed in ("unshare", "nsenter", "ip", tool):
        if shutil.which(needed) is None:
            return f"{needed} is not installed (Debian: util-linux, iproute2, nftables)"
    command = ["unshare", "--net", *TRIALS[tool]]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S)
    return f"not permitted here: {' '.join(command)}: {tried.stderr.strip()}" if tried.returncode else ""


class Namespace:
    """A network namespace that lives as long as this process, or until `end`."""

    def __init__(self) -> None:
        # It reads until the end of its input, which comes when the other end is closed: by `end`, or by our own death.
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        self._holder.stdout.readline()
        self.path = Path(f"/proc/{self._holder.pid}/ns/net")
        self.inode = self.path.stat().st_ino

    @property
    def pid(self) -> int:
        """The holder's process id, by which others name the namespace."""
        return self._holder.pid

    def end(self) -> None:
        """Let it go; the interfaces in it go with it, and so do their other ends."""
        self._holder.communicate(timeout=ENDED_S)

    def run(self, *words: str, said: str = "") -> str:
        """Run a command in it with `said` on its stdin; gives its stdout."""
        command = ["nsenter", f"--net={self.path}", *words]
        done = subprocess.run(command, input=said, capture_output=True, text=True, timeout=COMMAND_S)
        assert done.returncode == 0, f"{' '.join(words)} {said!r}: {done.stderr}"
        return done.stdout

    def ip(self, *lines: str) -> None:
        """Run lines of `ip` in it."""
        self.run("ip", "-batch", "-", said="\n".join(lines))

    def socket(self, *kind: int) -> socket.socket:
        """A socket in it. It stays there, whoever uses it."""
        own, there = os.open("/proc/thread-self/ns/net", os.O_RDONLY), os.open(self.path, os.O_RDONLY)
        try:
            _enter(there)
            try:
                return socket.socket(*kind)
            finally:
                _enter(own)
        finally:
            os.close(own)
            os.close(there)


def _enter(namespace: int) -> None:
    """Move this thread, and no other, into a network namespace (os.setns is there from Python 3.12 on)."""
    if ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def inhabitants(inode: int) -> list[int]:
    """The processes that live in a network namespace."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "ns/net").stat().st_ino == inode:
                found.append(int(process.name))
    return found


class Switch:
    """A switch, hosts at its ports, and what may go wrong between them. `async with Hosts` makes one."""

    def __init__(self) -> None:
        self._namespaces: list[Namespace] = []
        self.hosts: dict[str, Namespace] = {}
        self.addresses: dict[str, str] = {}
        self._unrouted: list[tuple[str, str]] = []
        self._switch = self._namespace()
        # Without a spanning tree and its 30 s of silence at each port that comes up.
        self._switch.ip("link add switch type bridge stp_state 0 forward_delay 0", "link set switch up")
        if not why_not("nft"):
            self._switch.run("nft", "-f", "-", said=_DROP_PAIRS)

    def _namespace(self) -> Namespace:
        self._namespaces.append(Namespace())
        return self._namespaces[-1]

    def close(self) -> None:
        """End all namespaces; the processes in them must have ended. Fails when anything is left."""
        for namespace in self._namespaces:
            namespace.end()
        left = {namespace.inode: inhabitants(namespace.inode) for namespace in self._namespaces}
        assert not any(left.values()), f"processes are left in network namespaces: {left}"

    def add(self, name: str) -> None:
        """Another host at the switch, with an address of its own."""
        number = len(self.hosts) + 1
        assert number < HOSTS_MAX
        host = self.hosts[name] = self._namespace()
        address = self.addresses[name] = f"10.77.0.{number}"
        self._switch.ip(
            f"link add port-{name} type veth peer name eth0 netns {host.pid}", f"link set port-{name} master switch up"
        )
        # The way out leads nowhere, and lets a peer that listens everywhere find its own address.
        host.ip("link set lo up", f"addr add {address}/24 dev eth0", "link set eth0 up", "route add default dev eth0")

    # What may go wrong

    def cut(self, sender: str, *receivers: str) -> None:
        """Packets from one host to others are lost without a word; those of the other direction arrive."""
        pairs = ", ".join(f"{self.addresses[sender]} . {self.addresses[to]}" for to in receivers)
        self._switch.run("nft", f"add element bridge faults lost {{ {pairs} }}")

    def partition(self, *sides: Iterable[str]) -> None:
        """Packets from one of these sides to another are lost without a word."""
        every = [list(side) for side in sides]
        for side in every:
            others = [name for other in every if other is not side for name in other]
            for name in side:
                self.cut(name, *others)

    def unplug(self, name: str) -> None:
        """A host's cable is pulled out at the switch: for all others it has vanished in the middle of everything."""
        self._switch.ip(f"link set port-{name} down")

    def unroute(self, at: str, towards: str) -> None:
        """A host has no route to another one, and its kernel says so at each attempt."""
        self._unrouted.append((at, self.addresses[towards]))
        self.hosts[at].ip(f"route add unreachable {self.addresses[towards]}")

    def slow_down(self, name: str, kbit_s: int) -> None:
        """A host's link carries so many kbit/s each way, and queues what is too much for up to 2 s."""
        shape = ["root", "tbf", "rate", f"{kbit_s}kbit", "burst", "16kb", "latency", "2s"]
        self._switch.run("tc", "qdisc", "replace", "dev", f"port-{name}", *shape)
        self.hosts[name].run("tc", "qdisc", "replace", "dev", "eth0", *shape)

    def move(self, name: str) -> str:
        """A host gets another address, as from another lease of DHCP; gives where its peer is to be reached then."""
        old = self.addresses[name]
        new = self.addresses[name] = f"10.77.0.{int(old.rpartition('.')[2]) + HOSTS_MAX}"
        # In this order: with the first address of a network go all others of that network.
        self.hosts[name].ip(
            f"addr del {old}/24 dev eth0", f"addr add {new}/24 dev eth0", "route replace default dev eth0"
        )
        return self.peer_address(name)

    def peer_address(self, name: str) -> str:
        """Where the peer on a host is to be reached."""
        return f"{self.addresses[name]}:{PEER_PORT}"

    def heal(self) -> None:
        """Everything is connected again; slow links stay slow, and addresses where they moved."""
        if not why_not("nft"):
            self._switch.run("nft", "flush set bridge faults lost")
        self._switch.ip(*(f"link set port-{name} up" for name in self.hosts))
        while self._unrouted:
            at, address = self._unrouted.pop()
            self.hosts[at].ip(f"route del unreachable {address}")


_DROP_PAIRS = """
table bridge faults {
    set lost { type ipv4_addr . ipv4_addr; }
    chain forward { type filter hook forward priority 0; ip saddr . ip daddr @lost drop; }
}
"""
"""Drops what goes from one address to another; ARP passes, so that a lost host is silent and not unknown."""


class HostPeer(PeerProcess):
    """A peer on a host of its own, on the usual ports. Its HTTP is at its host's own loopback, which nothing cuts."""

    def __init__(self, name: str, folder: Path, switch: Switch, everywhere: bool) -> None:
        super().__init__(name, folder)
        self._everywhere = everywhere
        # A loopback address of its own, so that a URL says which host is meant.
        self.http = f"127.0.0.{len(switch.hosts)}:{HTTP_PORT}"
        self.url = f"http://{self.http}"
        self.runner = ("nsenter", f"--net={switch.hosts[name].path}")
        self.address = switch.peer_address(name)

    def addresses(self) -> list[str]:
        """The flags that say where it listens."""
        return ["--listen", f"0.0.0.0:{PEER_PORT}" if self._everywhere else self.address, "--http", self.http]


class Hosts(Cluster):
    """A cluster of real processes, each on a host of its own."""

    everywhere = False
    """Whether the peers listen at every interface and find their own address, as `--listen 0.0.0.0:7400` does."""

    async def __aenter__(self) -> Self:
        self._interfaces = socket.if_nameindex()
        self.net = Switch()
        try:
            return await super().__aenter__()
        except BaseException:
            self.net.close()
            raise

    async def __aexit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            await super().__aexit__(kind, *rest)
        finally:
            self.net.close()
        assert socket.if_nameindex() == self._interfaces, "interfaces are left in the machine's own network"

    def add(self, name: str) -> HostPeer:
        """A host with a peer that is not started yet."""
        self.net.add(name)
        peer = self.peers[name] = HostPeer(name, self.folder, self.net, self.everywhere)
        return peer

    def connector(self) -> aiohttp.TCPConnector:
        """Sockets that are made in the host whose loopback address is asked for."""
        return aiohttp.TCPConnector(socket_factory=self._socket)

    def _socket(self, asked: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, (address, *_port) = asked
        name = next(name for name, peer in self.peers.items() if peer.http == f"{address}:{HTTP_PORT}")
        return self.net.hosts[name].socket(family, kind, protocol)

    def evidence(self, name: str) -> list[str]:
        """What a peer saw when it last lost its server, as its log tells: the first, then how each retry went."""
        seen: list[str] = []
        for event in self[name].events("server_lost", "retry_ended"):
            if event["event"] == "server_lost":
                seen = [event["fields"]["evidence"]]
            else:
                seen.append(event["fields"]["outcome"])
        return seen
