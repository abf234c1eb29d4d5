"""A running peer's part in the record: told once a change has settled, and proposed until the log has it."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from past_lines import A1, B2, LIST

from tanist.election.entries import Entry, Kind, Proposal
from tanist.election.events import Event, ReignBegan, ReignOpen, ServerFollowed, ServerLost
from tanist.election.ready import Apply, Submit
from tanist.peer.application.machine import Machine
from tanist.peer.electionlog.peer_events import ChangeSettled
from tanist.peer.past import keeper as keeper_module
from tanist.peer.past.account import decode, decode_statement
from tanist.peer.past.keeper import OFFERS_MAX, OWN_MAX, Keeper
from tanist.peer.replica import Replica
from tanist.peer.waits import Waits

LOST = ServerLost("a", A1, "closed", "", 16.0, 7, LIST)
FOLLOWED = ServerFollowed("b", "h:2", B2, 600.0)


class Rig:
    """A keeper with a core that only remembers what it was given, and a log that a test writes itself."""

    def __init__(self) -> None:
        self.proposed: list[Proposal] = []
        self.emitted: list[Event] = []
        self.waits = Waits()
        self.changed = asyncio.Event()
        me = SimpleNamespace(id="c", name="cyd")
        self.core = SimpleNamespace(
            server="b", node=SimpleNamespace(me=me, log=SimpleNamespace(roster=SimpleNamespace(members=())))
        )
        healing = SimpleNamespace(listen_to=lambda machine: None, flush=lambda: None)
        self.replica = Replica({}, self.emitted.append, lambda *_: None, lambda: None, cast(Any, healing))
        driver = SimpleNamespace(core=self.core, feed=self._feed)
        self.keeper = Keeper(cast(Any, driver), self.replica, cast(Any, SimpleNamespace(waits=self.waits)), self._emit)
        for event in (ServerFollowed("a", "h:1", A1, 3.0), LOST):
            self.keeper.heard(event)

    def _feed(self, submit: Submit) -> None:
        self.proposed += submit.proposals
        self.changed.set()

    def _emit(self, event: Event) -> None:
        self.emitted.append(event)
        self.keeper.heard(event)

    async def until_proposed(self, count: int) -> None:
        """Wait until so many accounts were proposed, over and over."""
        async with asyncio.timeout(10):
            while len(self.proposed) < count:
                self.changed.clear()
                await self.changed.wait()

    async def until_looked(self) -> None:
        """Wait until the keeper has looked some times whether the change is over."""
        looks: list[object] = []
        async with asyncio.timeout(10):
            while len(looks) < 4:
                if self.keeper._looks is not None and self.keeper._looks not in looks:
                    looks.append(self.keeper._looks)
                await asyncio.sleep(0)

    def commit(self, *entries: Entry) -> None:
        """Write entries to the log, and have them applied."""
        self.replica.apply(Apply(self.replica.applied + 1, entries, "heir", 2, 3))

    def written(self) -> Entry:
        """The account that was proposed, as an entry of bea's."""
        return Entry(2, "b", Kind.ACCOUNT, 1, 1, self.proposed[-1].body)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long in these tests."""
    for name in ("SETTLE_S", "LOOK_EVERY_S", "OFFER_EVERY_S"):
        monkeypatch.setattr(keeper_module, name, 0.001)


async def test_an_account_is_proposed_until_the_log_has_it() -> None:
    rig = Rig()
    rig.keeper.heard(FOLLOWED)
    await rig.until_proposed(3)
    assert {p.kind for p in rig.proposed} == {Kind.ACCOUNT} and len({p.body for p in rig.proposed}) == 1
    account = decode(decode_statement(rig.proposed[0].body).account)
    assert (account.peer, account.term, account.lost, account.without_ms) == ("c", B2, A1, 600.0)
    assert [w.recorded for w in rig.keeper.why("last")[0].witnesses] == [False]
    rig.commit(rig.written())
    assert [w.recorded for w in rig.keeper.why("last")[0].witnesses] == [True]
    proposed = len(rig.proposed)
    rig.keeper.offer()
    assert len(rig.proposed) == proposed
    rig.keeper.stop()


async def test_another_log_that_lacks_it_gets_it_too() -> None:
    rig = Rig()
    rig.keeper.heard(FOLLOWED)
    await rig.until_proposed(1)
    rig.commit(rig.written())
    proposed = len(rig.proposed)
    rig.replica.machine = Machine({})
    rig.keeper.rebuilt()
    await rig.until_proposed(proposed + 1)
    rig.keeper.stop()


async def test_nothing_is_proposed_while_nobody_serves_nor_for_ever() -> None:
    rig = Rig()
    rig.core.server = None
    rig.keeper.heard(FOLLOWED)
    async with asyncio.timeout(10):
        while not any(isinstance(event, ChangeSettled) for event in rig.emitted):
            await asyncio.sleep(0)
    assert rig.proposed == []
    rig.core.server = "b"
    await rig.until_proposed(OFFERS_MAX)
    rig.keeper.offer()
    await rig.until_proposed(2 * OFFERS_MAX)
    rig.keeper.stop()


async def test_who_still_waits_is_waited_for() -> None:
    rig = Rig()
    loop = asyncio.get_running_loop()
    rig.waits.asked(loop.time() - 0.8)
    rig.waits.begin()
    rig.waits.found(loop.time(), 2)
    rig.keeper.heard(FOLLOWED)
    await rig.until_looked()
    assert rig.proposed == [] and rig.keeper.why("last")[0].witnesses[0].outage_ms is None
    rig.waits.answered(loop.time(), more=False)
    await rig.until_proposed(1)
    (settled,) = [event for event in rig.emitted if isinstance(event, ChangeSettled)]
    assert settled.calls == 2 and settled.outage_ms >= 800
    rig.keeper.stop()


async def test_a_new_server_waits_for_its_first_command_and_for_no_older_one() -> None:
    rig = Rig()
    rig.keeper.heard(ReignBegan("2@c", 1, 600.0, False))
    rig.keeper.heard(ReignOpen("2@c", 1, "alone", 2.0))
    rig.commit(Entry(1, "a", Kind.COMMAND, 1, 1, b""), Entry(2, "c", Kind.REIGN, 1, 1, b""))
    await rig.until_looked()
    assert rig.proposed == []
    rig.commit(Entry(2, "c", Kind.COMMAND, 1, 1, b""))
    await rig.until_proposed(1)
    (settled,) = [event for event in rig.emitted if isinstance(event, ChangeSettled)]
    assert settled.write_ms > 0
    rig.keeper.stop()


async def test_a_change_that_another_overtakes_is_proposed_and_not_settled() -> None:
    rig = Rig()
    rig.keeper.heard(FOLLOWED)
    rig.keeper.heard(ServerLost("b", B2, "closed", "", 1.0, 8, LIST))
    await rig.until_proposed(1)
    assert not any(isinstance(event, ChangeSettled) for event in rig.emitted)
    rig.keeper.stop()


async def test_own_accounts_are_bounded() -> None:
    rig = Rig()
    rig.core.server = None
    for number in range(2, 60):
        rig.keeper.heard(ServerFollowed("b", "h", f"{number}@b", 1.0))
        rig.keeper.heard(ServerLost("b", f"{number}@b", "closed", "", 1.0, 8, LIST))
    rig.core.server = "b"
    rig.keeper.offer()
    assert len(rig.proposed) == OWN_MAX
    rig.keeper.stop()
