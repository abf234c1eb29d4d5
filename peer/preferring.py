"""A better server, as an application sees it: with `preempt: idle` it takes over when it has been better for long.

The election itself lets only priority and power count, since load follows from who serves. An application that knows
more of the machines says so here, among those who do not stand below this server by these: they would lose the reign
again. What keeps two of them from taking the reign from each other for ever: it must be
said without a break, and for twice as long each time that this server gave way.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tanist.config import PeerConfig
from tanist.config.sections import Preempt

REMEMBERED_S = 3600.0
"""For how long a server remembers that it gave way."""
DOUBLINGS_MAX = 6
"""How often the wait doubles: with a minute, to about an hour."""
BREAK_S = 10.0
"""Silence that counts as a break: several rounds of local work were missed."""
GIVE_S = 10.0
"""Seconds in which the other must have taken over; else the whole wait begins again."""


class Preferring:
    """Who had better serve than this peer, and since when, as each application says."""

    def __init__(
        self,
        config: PeerConfig,
        give: Callable[[str, float], Awaitable[str]],
        outranks: Callable[[str], bool],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`give` hands this server's reign to a peer, within so many seconds. `outranks`: it would take it back."""
        self._wanted = config.preempt is Preempt.IDLE
        self._after_s = config.preempt_after_s
        self._give, self._outranks, self._now = give, outranks, now
        self._said: dict[str, tuple[str, float, float]] = {}
        """By application: the peer, since when, and when that was said last."""
        self._gave: list[float] = []
        self._giving: asyncio.Future[str] | None = None

    @property
    def wait_s(self) -> float:
        """For how long it must have been said."""
        now = self._now()
        self._gave = [at for at in self._gave if at > now - REMEMBERED_S]
        return self._after_s * float(1 << min(len(self._gave), DOUBLINGS_MAX))

    def said(self, app: str, peer: str) -> None:
        """An application says who had better serve; "" for nobody."""
        now = self._now()
        before, since, last = self._said.get(app, ("", now, now))
        peer = "" if peer and self._outranks(peer) else peer
        if not peer or peer != before or now - last > BREAK_S:
            since = now
        self._said[app] = (peer, since, now)
        giving = self._giving is not None and not self._giving.done()
        if not peer or not self._wanted or giving or now < since + self.wait_s:
            return
        self._gave.append(now)
        self._said.clear()
        self._giving = asyncio.ensure_future(self._give(peer, GIVE_S))

    def stop(self) -> None:
        """End."""
        if self._giving is not None:
            self._giving.cancel()
