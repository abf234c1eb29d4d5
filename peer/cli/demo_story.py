"""The story that the demo plays: peers start, the server is killed twice, they come back, one hands over.

The script is the same for both safety modes but for one thing: where the peers that are left could not serve on after
the second death, the first victim comes back before it.
"""

import time
from collections.abc import Sequence
from typing import Any

import aiohttp

from tanist.election.settings import PACES, ElectionSettings, Pace, Safety
from tanist.peer.cli.demo_checks import (
    Change,
    promised_after_kill_s,
    promised_in_handover_s,
    seconds,
)
from tanist.peer.cli.demo_display import Display, Picture, Row
from tanist.peer.cli.demo_peers import DemoPeers
from tanist.peer.cli.demo_watch import StoryFailed, View, Watch
from tanist.peer.cli.demo_writers import Writers, longest_pause_s

WRITES = 200
"""Numbers that clients write between two scenes: about two seconds."""
WAIT_S = 12.0
"""How long a scene may take to come true: longer than the slowest pace needs, and short enough to end in time."""
HANDOVER_S = 8.0
"""How long the server may take to hand over."""
LISTED_MAX = ElectionSettings().fallbacks
"""The longest fallback list that a server publishes."""
STEPS = 7
"""Scenes of the story, for the progress bar; one more where the first victim comes back early."""


class Story:
    """One telling of the story, with peers that may have played it before. What it changed is in `changes`."""

    def __init__(
        self,
        peers: DemoPeers,
        watch: Watch,
        writers: Writers,
        display: Display,
        session: aiohttp.ClientSession,
        *,
        pace: str,
        safety: str,
    ) -> None:
        self.changes: list[Change] = []
        self._peers = peers
        self._watch = watch
        self._writers = writers
        self._display = display
        self._session = session
        self._pace_name = pace
        self._pace: Pace = PACES[pace]
        self._safety = Safety(safety)
        self._done = 0
        self._back_early = not self._go_on_without(2)
        self._steps = STEPS + self._back_early

    async def play(self) -> None:
        """Play it; afterwards all peers run and hold the same. Raises `StoryFailed`."""
        await self._begin()
        first = await self._kill(f"Now {self._server().name} is killed (SIGKILL: no goodbye, no cleaning up).")
        if self._back_early:
            await self._bring_back([first])
        second = await self._kill(f"The new server, {self._server().name}, is killed too.")
        await self._bring_back([second] if self._back_early else [first, second])
        await self._hand_over()
        await self._finish()

    # The scenes

    async def _begin(self) -> None:
        names = [peer.name for peer in self._peers.all]
        if not self._peers.running():
            self._say(f"{_listed(names)} start on this machine: {len(names)} equal peers, pace {self._pace_name}.")
            await self._start(names)
        self._step()
        await self._watch.until("a server that all follow", WAIT_S, self._settled)
        server = self._server()
        self._say(f"{server.name} serves. Should it die, {_then(server.heirs)}: every heartbeat carries this list.")
        self._say("Clients write numbers, through any peer, and note each one that is acknowledged.")
        self._writers.start()
        await self._write_on()
        self._step()

    async def _start(self, names: Sequence[str]) -> None:
        """Start all for the first time; in survivor mode one of them first, so that they need not find each other."""
        first, *others = names
        if self._safety is Safety.SURVIVOR:
            self._peers.start(first, first=True)
            await self._watch.until(f"{first} serves", WAIT_S, lambda: self._watch.server is not None)
        else:
            others = list(names)
        for name in others:
            self._peers.start(name)

    async def _kill(self, announcement: str) -> str:
        """Kill the server, and wait for the next; gives the victim's name."""
        old = self._server()
        self._say(f"{len(self._writers.acks):,} numbers are acknowledged. {announcement}", "yellow")
        change = Change(f"death of {old.name}", time.monotonic(), old.term, promised_after_kill_s(self._pace))
        self._peers[old.name].kill()
        new = await self._next_server(change)
        place = _place(new.name, old.heirs)
        rest = [name for name in self._peers.running() if name != new.name]
        self._say(
            f"{new.name}{place} serves on after {self._waited(change)}: term {new.term}, "
            + (f"and {_listed(rest)} follow{'' if len(rest) > 1 else 's'} it." if rest else "the last one standing."),
            "bold green",
        )
        await self._watch.until(f"all follow {new.name}", WAIT_S, self._settled)
        await self._write_on()
        self._step()
        return old.name

    async def _bring_back(self, names: Sequence[str]) -> None:
        both = len(names) > 1
        self._say(
            f"{_listed(names)} {'come' if both else 'comes'} back, with what {'they' if both else 'it'} "
            "had on disk, and must learn the rest."
        )
        for name in names:
            self._peers.start(name)
        await self._watch.until(f"{_listed(names)} caught up", WAIT_S, self._settled)
        server = self._server()
        self._say(f"{_listed(names)} caught up and follow{'' if both else 's'} {server.name}. No server changed.")
        await self._write_on()
        self._step()

    async def _hand_over(self) -> None:
        old = self._server()
        self._say(f"{old.name} is asked to hand over while clients go on writing (tanist handover).")
        change = Change(f"hand-over by {old.name}", time.monotonic(), old.term, promised_in_handover_s(self._pace))
        limit = aiohttp.ClientTimeout(total=HANDOVER_S + 1)
        address = f"http://{self._peers[old.name].http}/cluster/handover?timeout={HANDOVER_S:g}"
        async with self._session.post(address, json={}, timeout=limit) as answer:
            said: dict[str, Any] = await answer.json()
            if answer.status != 200:
                raise StoryFailed(f"{old.name} did not hand over: {said['error']['message']}")
        new = await self._next_server(change)
        self._say(
            f"{new.name} serves after {self._waited(change)}, and {old.name} is its client: term {new.term}.",
            "bold green",
        )
        await self._write_on()
        self._step()

    async def _finish(self) -> None:
        await self._writers.stop()
        count = len(self._writers.acks)
        self._say(f"The clients stop at {count:,} acknowledged numbers. Do all peers have them?")
        await self._watch.until("all peers hold the same", WAIT_S, lambda: self._settled() and self._all_applied())
        self._done = self._steps

    # What is waited for

    async def _next_server(self, change: Change) -> View:
        """The server after `change`, as soon as a client was answered by it."""
        self.changes.append(change)
        await self._watch.until(
            f"a server after the {change.what}",
            WAIT_S,
            lambda: (
                (server := self._watch.server) is not None
                and server.term > change.term
                and longest_pause_s(self._writers.acks, change.at_s, change.term) is not None
            ),
        )
        return self._server()

    async def _write_on(self) -> None:
        goal = len(self._writers.acks) + WRITES
        await self._watch.until(
            f"{WRITES} more numbers",
            WAIT_S,
            lambda: len(self._writers.acks) >= goal or bool(self._writers.problems),
        )
        if self._writers.problems:
            raise StoryFailed(f"a client cannot write: {self._writers.problems[0]}")

    def _settled(self) -> bool:
        """Whether all that run follow one server, and it could be replaced by any of them at once."""
        running = self._peers.running()
        server, views = self._watch.server, self._watch.views
        if server is None or set(views) != set(running):
            return False
        followed = all(view.server == server.name and view.term == server.term for view in views.values())
        listed = min(len(running) - 1, LISTED_MAX)
        counted = self._safety is Safety.QUORUM or server.counting > 0 or listed == 0
        return followed and server.ready >= listed and counted

    def _all_applied(self) -> bool:
        views = self._watch.views.values()
        top = max(view.commit for view in views)
        return all(view.applied == top for view in views) and len({view.count for view in views}) == 1

    def _go_on_without(self, dead: int) -> bool:
        """Whether the others can serve after so many deaths."""
        members = len(self._peers.all)
        if self._safety is Safety.QUORUM:
            return members - dead > members // 2
        return members - dead >= 1

    def _server(self) -> View:
        server = self._watch.server
        if server is None:
            raise StoryFailed("the server is gone, although nobody killed it")
        return server

    # Telling

    def picture(self) -> Picture:
        """What the display shows at this moment."""
        rows = []
        for peer in self._peers.all:
            view = self._watch.views.get(peer.name)
            if peer.process is None:
                rows.append(Row(peer.name, "dead", 0, 0, ""))
            elif view is None:
                rows.append(Row(peer.name, "starting", 0, 0, ""))
            else:
                rows.append(Row(peer.name, view.role, view.term, view.count, f"http://{peer.http}/"))
        return Picture(rows, self._done, self._steps, len(self._writers.acks), self._writers.silent_s())

    def _waited(self, change: Change) -> str:
        pause_s = longest_pause_s(self._writers.acks, change.at_s, change.term)
        assert pause_s is not None
        return seconds(pause_s)

    def _say(self, sentence: str, style: str = "") -> None:
        self._display.say(sentence, style)

    def _step(self) -> None:
        self._done += 1


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _then(heirs: Sequence[str]) -> str:
    first, *others = heirs or ("nobody",)
    return f"{first} serves on" + (f", then {', then '.join(others)}" if others else "")


def _place(name: str, heirs: Sequence[str]) -> str:
    """What the list had said of the new server."""
    if not heirs or name not in heirs:
        return ""
    return ", first of the list," if heirs[0] == name else f", number {heirs.index(name) + 1} of the list,"
