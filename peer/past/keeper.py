"""A running peer's part in the record: it hears its own events, and sees to it that its accounts get into the log.

An account is proposed like a command, beside all others and after the clients were answered: nothing waits for it.
It may get lost with a server, or with the side of a split that gives way; so it is proposed again until it is there.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from tanist.election.entries import Kind, Proposal
from tanist.election.events import Event, ReignBegan, ReignOpen, ServerFollowed
from tanist.election.ready import Submit
from tanist.peer import clock
from tanist.peer.calls import Calls
from tanist.peer.driver import Driver
from tanist.peer.electionlog.peer_events import ChangeSettled
from tanist.peer.past.account import Account, encode, term_of
from tanist.peer.past.asking import past_of
from tanist.peer.past.telling import Past, find, history, tell
from tanist.peer.past.views import ReignSummary, Why
from tanist.peer.past.witness import Witness
from tanist.peer.replica import Replica

SETTLE_S = 0.5
"""Seconds after a change before its cost is told: by then those that waited have their answers."""
SETTLE_MAX_S = 10.0
"""Seconds after which it is told although a caller still waits."""
WRITE_WITHIN_S = 3.0
"""Seconds that a new server waits for its first command; one that comes later was not kept waiting."""
LOOK_EVERY_S = 0.25
"""How often a change that goes on is looked at."""
OFFER_EVERY_S = 5.0
"""Seconds until an account that is not in the log is proposed again."""
OFFERS_MAX = 20
"""How often in one go: a log that does not take it has reasons."""
OWN_MAX = 16
"""Own accounts that are kept until they are certainly in the log that goes on."""


class Keeper:
    """Of one peer. `emit` writes the election log, and has this hear what it wrote."""

    def __init__(self, driver: Driver, replica: Replica, calls: Calls, emit: Callable[[Event], None]) -> None:
        self._driver = driver
        self._replica = replica
        self._calls = calls
        self._emit = emit
        me = driver.core.node.me
        self._witness = Witness(me.id, me.name)
        self._loop = asyncio.get_running_loop()
        self._own: deque[Account] = deque(maxlen=OWN_MAX)
        self._term = ""
        self._found_at = 0.0
        self._began_ns = 0
        self._write_ms = -1.0
        self._awaits_write = False
        self._looks: asyncio.TimerHandle | None = None
        self._offers: asyncio.TimerHandle | None = None
        self._offered = 0

    def stop(self) -> None:
        """End."""
        for handle in (self._looks, self._offers):
            if handle is not None:
                handle.cancel()
        self._replica.await_command(None)

    def heard(self, event: Event) -> None:
        """This peer's own event, in order."""
        account = self._witness.take(event, clock.wall_ns() // 1_000_000)
        if account is not None:
            self._own.append(account)
            self.offer()
        match event:
            case ReignBegan(term=term):
                self._began_ns, self._write_ms, self._awaits_write = clock.now_ns(), -1.0, True
                self._replica.await_command(self._first_command, term_of(term)[0])
            case ReignOpen(term=term):
                self._found(term)
            case ServerFollowed(term=term):
                self._write_ms, self._awaits_write = -1.0, False
                self._replica.await_command(None)
                self._found(term)

    def rebuilt(self) -> None:
        """The log became another one, which may lack what was in the old one: seen to when it has been applied."""
        self._offer_later()

    def history(self) -> list[ReignSummary]:
        """All reigns that are known, by number."""
        return history(self._past())

    def why(self, term: str) -> list[Why]:
        """The records of the reigns that `term` means (see `find`)."""
        past = self._past()
        return [tell(past, key) for key in find(past, term)]

    def _past(self) -> Past:
        """All that the log tells, and what this peer has to tell that is not in it yet."""
        present = self._witness.present()
        unrecorded = [*self._missing(), *([present] if present is not None else [])]
        roster = {member.id: member.name for member in self._driver.core.node.log.roster.members}
        return past_of(self._replica.machine, roster, unrecorded)

    def _first_command(self) -> None:
        self._awaits_write = False
        self._write_ms = (clock.now_ns() - self._began_ns) / 1e6

    # When a change is over

    def _found(self, term: str) -> None:
        present = self._witness.present()
        if present is None or present.term != term:
            # Nothing to tell. What was told before may have to be told anew to this server.
            self._offer_later()
            return
        self._term, self._found_at = term, self._loop.time()
        if self._looks is not None:
            self._looks.cancel()
        self._looks = self._loop.call_later(SETTLE_S, self._look)

    def _look(self) -> None:
        """Whether those who waited have their answers."""
        self._looks = None
        present = self._witness.present()
        if present is None or present.term != self._term:
            # Another change has overtaken this one, and was told then.
            return
        waited_s = self._loop.time() - self._found_at
        waits = self._calls.waits
        awaits_write = self._awaits_write and waited_s < WRITE_WITHIN_S
        if (waits.owed or awaits_write) and waited_s < SETTLE_MAX_S:
            self._looks = self._loop.call_later(LOOK_EVERY_S, self._look)
            return
        self._emit(
            ChangeSettled(
                self._term, waits.longest_s * 1000, waits.calls, waits.retried, waits.deduplicated, self._write_ms
            )
        )

    # Into the log

    def offer(self) -> None:
        """Propose what the log lacks, now and again until it is there."""
        self._offered = 0
        self._offer()

    def _offer_later(self) -> None:
        self._offered = 0
        if self._own and self._offers is None:
            self._offers = self._loop.call_later(OFFER_EVERY_S, self._offer)

    def _offer(self) -> None:
        if self._offers is not None:
            self._offers.cancel()
            self._offers = None
        missing = self._missing()
        if not missing or self._offered >= OFFERS_MAX:
            return
        if self._driver.core.server is not None:
            self._offered += 1
            self._driver.feed(Submit(tuple(Proposal(Kind.ACCOUNT, encode(account)) for account in missing)))
        self._offers = self._loop.call_later(OFFER_EVERY_S, self._offer)

    def _missing(self) -> list[Account]:
        records = self._replica.machine.records
        return [account for account in self._own if records.wants(term_of(account.term), account.peer)]
