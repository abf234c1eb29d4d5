"""The dynamic server: every machine reports its load, and the best may serve."""

import uuid

from tanist.peer.application import Application, Context, Event, Here, Refused, command, local, query
from tanist.peer.apps.checks import HOST_NAME_LENGTH_MAX, checked_name
from tanist.peer.apps.hostpoints import Load, checked, checked_ip, points
from tanist.peer.apps.hoststate import CLIENT, HOST, NEW, PULSES_MISSED, SERVER, SILENT, Host, rank
from tanist.peer.apps.hosttable import Answer, Device, Devices

REPORT_S = 2.0
"""How often each peer reports."""
PULSE_S = 3.0
"""Seconds in which a machine is expected to report."""
KEPT_S = 86_400.0
"""Seconds for which a silent machine is known: it may sleep at night, but one that is gone clears the table."""
HOSTS_MAX = 1000
"""Machines known: each has a timer, and a row of the table."""
CLEARLY = 3
"""Points by which a peer must be better to take over: serving itself costs one or two."""


class Reports(Event):
    """A machine is there that was not, or is again."""

    template = "{name} reports"
    name: str


class Silent(Event):
    """A machine missed two pulses."""

    template = "{name} is silent"
    name: str


class Hosts(Application, on_heal="archive"):
    """Every machine reports its load; all are ranked, the one that serves too, and the best may take over (`preempt`).

    Points count what a machine has to do and lacks: one for each full 10 % of CPU and of RAM in use (9 at most), and
    one for each of 1, 10, 100 and 1000 MB of bandwidth and GB of disk that it has not free. The fewest rank first,
    equal ones by their ids. A machine that misses two pulses of 3 s, by log time, is silent and ranks behind all.
    """

    hosts: dict[str, Host]
    """By id: a peer's, or the one that a foreign host was given."""

    @command
    def load(self, ctx: Context, id: str, ip: str, name: str, load: Load, serves: bool) -> None:
        """Report a peer of the cluster, and whether it serves."""
        self._take(ctx, id, ip, name, load, SERVER if serves else CLIENT)
        for other, host in self.hosts.items():
            if serves and host.role == SERVER and other != id:
                host.role, host.replaced = CLIENT, True

    @command
    def report(self, ctx: Context, id: str, ip: str, name: str, load: Load) -> Answer:
        """Report a foreign host, under the id that it was given; an unknown id is answered with a new one."""
        before = self.hosts.get(id)
        known = before is not None and before.role in (NEW, HOST)
        if not known:
            id = str(uuid.UUID(int=ctx.random.getrandbits(128), version=4))
        self._take(ctx, id, ip, name, load, HOST if known else NEW)
        return Answer(known, id, self._fallback(id) if known else "")

    @query
    def table(self, ctx: Context) -> Devices:
        """The server's device, and all machines, the best first."""
        ranked = []
        for place, (_, host) in enumerate(self._ranked(), 1):
            status = SILENT if host.silent else host.role
            ranked.append(Device(place, host.name, host.load, sum(host.points), status))
        return Devices(next((device for device in ranked if device.status == SERVER), None), ranked)

    @query(internal=True)
    def better(self, ctx: Context, id: str) -> str:
        """The best peer, if it is clearly better than this one."""
        peers = [(other, sum(h.points)) for other, h in self._ranked() if h.role in (CLIENT, SERVER) and not h.silent]
        mine = dict(peers).get(id)
        return peers[0][0] if mine is not None and peers[0][1] <= mine - CLEARLY else ""

    @command(internal=True)
    def pulse(self, ctx: Context, id: str) -> None:
        """A machine did not report for a pulse. Pulses are counted, so that a failover is one and not several."""
        host = self.hosts[id]
        host.missed += 1
        if host.missed > PULSES_MISSED:
            del self.hosts[id]
            return
        host.timer = ctx.after(KEPT_S if host.silent else PULSE_S, self.pulse, id)
        if host.silent and host.role != NEW:
            ctx.publish(Silent(host.name))

    @local(every=REPORT_S)
    def tell(self, here: Here) -> None:
        """Each peer reports its machine, and the server says who had better serve."""
        # Here, since it takes a while to load, and only a running peer needs it.
        from tanist.peer.machine import Gauge, ip_of

        gauge: Gauge = here.kept.get("gauge") or here.kept.setdefault("gauge", Gauge(here.folder))
        f = gauge.read()
        load = Load(f.cpu, f.ram_mb, f.ram_total_mb, f.bandwidth_mb, f.disk_gb)
        here.call("load", here.id, ip_of(here.address), here.name, load, here.serves)
        here.prefer(here.query("better", here.id))

    def _take(self, ctx: Context, id: str, ip: str, name: str, load: Load, role: str) -> None:
        """Keep a report, if it is one, and wait for the next pulse."""
        ip, name, load = checked_ip(ip), checked_name(name, length_max=HOST_NAME_LENGTH_MAX), checked(load)
        before = self.hosts.get(id)
        if before is None and len(self.hosts) >= HOSTS_MAX:
            silent = [(host.role != NEW, other) for other, host in self.hosts.items() if host.silent]
            if not silent:
                raise Refused(f"{HOSTS_MAX} machines report: no more", "too_many_hosts")
            ctx.cancel(self.hosts.pop(min(silent)[1]).timer)
        if before is not None:
            ctx.cancel(before.timer)
        if role != NEW and (before is None or before.silent or before.role == NEW):
            ctx.publish(Reports(name))
        timer = ctx.after(PULSE_S, self.pulse, id)
        self.hosts[id] = Host(name, ip, role, load, points(load, before.points if before else []), timer)

    def _ranked(self) -> list[tuple[str, Host]]:
        return sorted(((id, host) for id, host in self.hosts.items() if host.role != NEW), key=rank)

    def _fallback(self, asker: str) -> str:
        """A peer that does not serve now: it answers reports; else another live host, else the asker itself."""
        live = [(id, h) for id, h in self.hosts.items() if not h.silent and h.ip and h.role in (CLIENT, HOST)]
        best = min(live, key=lambda o: (o[1].replaced, o[0] == asker, o[1].role != CLIENT, *rank(o)), default=None)
        return best[1].ip if best else ""
