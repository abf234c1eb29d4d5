"""Planned moves: the reign is handed over, a member is taken out."""

import asyncio
from collections.abc import Callable

from tanist.election.core import Core
from tanist.election.ready import HandOverAsked, LeaveAsked
from tanist.election.reign import Reign
from tanist.election.roles import Role
from tanist.peer.errors import CallError
from tanist.peer.statusview import nobody

HAND_OVER_S = 1.0
"""How long an ending peer hands over. What takes longer goes on by itself: all hear the goodbye, the heir stands."""


class Moves:
    """The moves of one peer. `feed` gives the core something; `role_changed` is set when another server is there."""

    def __init__(
        self, core: Core, feed: Callable[[HandOverAsked | LeaveAsked], None], role_changed: asyncio.Event
    ) -> None:
        self._core = core
        self._feed = feed
        self._role_changed = role_changed
        self._waiting: asyncio.Future[str] | None = None

    async def hand_over(self, to: str | None, timeout_s: float) -> None:
        """Hand this server's reign over; returns when another serves. Raises CallError, TimeoutError if none does."""
        outcome = await self.give(to, timeout_s)
        if outcome != "done":
            raise CallError(f"not handed over: {outcome}", "handover_failed")
        async with asyncio.timeout(timeout_s):
            while self._core.server is None:
                self._role_changed.clear()
                await self._role_changed.wait()

    def outranks(self, peer: str) -> bool:
        """Whether this peer serves, and stands above another by priority or power."""
        behaviour = self._core.behaviour
        return isinstance(behaviour, Reign) and behaviour.preempting.outranks(peer)

    async def give(self, to: str | None, timeout_s: float) -> str:
        """Give the reign to a peer (name or id), or to the heir; "done", or why not."""
        waiting = self._waiting = asyncio.get_running_loop().create_future()
        self._feed(HandOverAsked(to))
        try:
            return await asyncio.wait_for(waiting, timeout_s)
        except TimeoutError:
            return f"no end within {timeout_s:g} s"
        finally:
            self._waiting = None

    async def give_before_the_end(self) -> None:
        """Give the reign to the heir, if this peer has it, in no more time than its clients have."""
        if self._core.role is Role.SERVER:
            await self.give(None, min(2 * self._core.node.times.round / 1e9, HAND_OVER_S))

    def ended(self, outcome: str) -> None:
        """The core says how a hand-over ended."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(outcome)

    def leave(self, peer: str | None) -> None:
        """Take a peer (name or id; by default this one) out of the roster. Raises CallError."""
        me = self._core.node.me.id
        roster = self._core.node.log.roster
        member = roster.get(peer or me) or roster.named(peer or "")
        if member is None:
            raise CallError(f"no member is called {peer!r}", "not_found")
        if self._core.server is None and member.id != me:
            raise nobody(self._core, "a member is taken out by the server")
        self._feed(LeaveAsked(member.id))
