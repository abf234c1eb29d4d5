"""Whether something is so in a cluster of real peers: by what they say of themselves, their logs, and the clients."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from tanist.election.events import ReignBegan
from tanist.election.settings import Pace
from tanist.election.simulation import conditions
from tanist.election.simulation.conditions import SIGNS, Condition
from tanist.election.simulation.forms import read_time
from tanist.peer.drills import words
from tanist.peer.drills.asking import Status
from tanist.peer.drills.chronicle import Chronicle
from tanist.peer.drills.conditions import agreed
from tanist.peer.drills.target import Target
from tanist.peer.electionlog.catalogue import CATALOGUE

ALLOWANCE_S = 1.5
"""What a busy machine may add to an outage: new processes start and work on it at the same time, clients ask again."""


class CannotTell(Exception):
    """A condition makes no sense here; the message says why."""


class Clients(Protocol):
    """What the clients of a drill were answered."""

    def answered_since(self, began_s: float) -> bool:
        """Whether a write was acknowledged that was asked for after this moment of the monotonic clock."""
        ...

    def longest_silence_s(self) -> float:
        """The longest time in which no client was answered, the present one included."""
        ...


def promised_s(pace: Pace, of: str) -> float:
    """How long clients wait at most, by a pace, when a server dies, freezes or hands over; or a time as written."""
    if of not in words.PROMISES:
        return read_time(of) / 1000
    match of:
        case "death":
            promised_ms = pace.retry_attempts * pace.retry_interval_ms + pace.ballot_ms
        case "freeze":
            # Nothing refuses: the silence has to be noticed first, and the last attempt has its deadline too.
            round_ms = (pace.retry_attempts + 1) * pace.retry_interval_ms
            promised_ms = pace.heartbeat_timeout_ms + round_ms + pace.ballot_ms
        case _:
            promised_ms = pace.heartbeat_every_ms + pace.ballot_ms
    return promised_ms / 1000 + ALLOWANCE_S


class Facts:
    """Answers for one performance. Looks anew at each question, but for what happened since it was made."""

    def __init__(self, target: Target, clients: Clients, chronicle: Chronicle, pace: Pace) -> None:
        self._target = target
        self._clients = clients
        self._chronicle = chronicle
        self._pace = pace
        self._waiting_since_s = time.monotonic()

    def waiting_begins(self) -> None:
        """What is waited for from now on, as `served`, must come after this moment."""
        self._waiting_since_s = time.monotonic()

    async def holds(self, fact: Condition) -> bool:
        """Whether it is so now. Raises `CannotTell`."""
        match fact:
            case words.Not(inner):
                return not await self.holds(inner)
            case words.Served():
                return self._clients.answered_since(self._waiting_since_s)
            case words.OutageWithin(bound):
                return self._clients.longest_silence_s() <= promised_s(self._pace, bound)
            case words.Running(peer):
                return self._target.running(self._one(peer))
            case words.Reigns(sign, count):
                return SIGNS[sign](len(self.reigns()), count)
            case conditions.Happened():
                return self._happened(fact)
            case _:
                return self._say(fact, await self._target.statuses())

    async def told(self, fact: Condition) -> str:
        """What is so, for whoever wonders why a condition holds or does not."""
        match fact:
            case words.Not(inner):
                return await self.told(inner)
            case words.OutageWithin(bound):
                longest_s, most_s = self._clients.longest_silence_s(), promised_s(self._pace, bound)
                return f"clients waited {longest_s:.2f} s at most; promised are {most_s:.2f} s"
            case words.Reigns():
                began = self.reigns()
                return f"{len(began)} began{': ' if began else ''}{', '.join(began)}"
            case _:
                return await self.seen()

    async def seen(self) -> str:
        """Who is what at this moment, in a line."""
        told = []
        for name, status in (await self._target.statuses()).items():
            if status is None:
                told.append(f"{name} does not answer")
            elif status["role"] == "server":
                listed = ", ".join(f"{e['name']}{'' if e['in_sync'] else ' (behind)'}" for e in status["fallbacks"])
                told.append(f"{name} serves (list: {listed or 'nobody'})")
            else:
                server = status["server"]
                told.append(f"{name} is {status['role']}{' of ' + server['name'] if server else ''}")
        return "; ".join(told) or "nobody runs"

    # By statuses

    def _say(self, fact: Condition, statuses: Mapping[str, Status | None]) -> bool:
        known = {name: status for name, status in statuses.items() if status is not None}
        servers = [name for name, status in known.items() if status["role"] == "server"]
        match fact:
            case words.Settled():
                return bool(agreed(list(statuses.values())))
            case conditions.Server(peer):
                return servers == [self._one(peer)]
            case conditions.Serves(peer):
                return self._one(peer) in servers
            case conditions.NoServer():
                return not servers
            case conditions.Follows(peer, server):
                of = known.get(self._one(peer), {}).get("server")
                return of is not None and of["name"] == self._one(server) and peer not in servers
            case conditions.Plays(peer, role):
                return known.get(self._one(peer), {}).get("role") == role
            case conditions.Listed(peers):
                return len(servers) == 1 and _names(known[servers[0]]["fallbacks"]) == [*peers]
            case conditions.Members(peers):
                return len(servers) == 1 and {*_names(known[servers[0]]["members"])} == {*peers}
            case _:
                raise CannotTell(f"{type(fact).__name__} is nothing that can be told of real peers")

    def _one(self, peer: str) -> str:
        if peer not in self._target.names:
            raise CannotTell(f"{peer} is no peer here, or several: there are {', '.join(self._target.names)}")
        return peer

    # By election logs

    def reigns(self) -> list[str]:
        """The terms that began since the drill did, each as "number@name"."""
        self._chronicle.read_on()
        began = (line for line in self._chronicle.lines if isinstance(line.body, ReignBegan))
        return list(dict.fromkeys(f"{line.fields['term'].partition('@')[0]}@{line.name}" for line in began))

    def _happened(self, fact: conditions.Happened) -> bool:
        kind = CATALOGUE.get(fact.event)
        if kind is None:
            raise CannotTell(f"there is no event {fact.event!r}: see docs/reference/events.md")
        asked = [field.partition("=")[::2] for field in fact.fields]
        unknown = [name for name, _ in asked if name not in kind.__struct_fields__]
        if unknown:
            raise CannotTell(f"{fact.event} has no {unknown[0]!r}; it has: {', '.join(kind.__struct_fields__)}")
        self._chronicle.read_on()
        return any(
            all(str(line.fields.get(name)).replace(" ", "_") == value for name, value in asked)
            for line in self._chronicle.lines
            if line.event == fact.event and fact.peer in ("*", line.name)
        )


def _names(entries: list[dict[str, str]]) -> list[str]:
    return [entry["name"] for entry in entries]


__all__ = ["ALLOWANCE_S", "CannotTell", "Clients", "Facts", "promised_s"]
