"""The calls of one peer: sent again in order when the server changes, answered once, never wrongly said undone."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from tanist.election.entries import Command, Entry, Kind, Proposal, SessionOpened
from tanist.election.history import Term
from tanist.election.ready import Apply
from tanist.election.sessions import OUT_OF_ORDER, UNKNOWN_SESSION
from tanist.peer.application.machine import Outcome
from tanist.peer.application.replies import encode_error, encode_result
from tanist.peer.calls import CALLS_MAX, Calls
from tanist.peer.errors import NoServer, Overloaded, Refused, UnknownOutcome
from tanist.peer.status import Reply

ARGUMENTS = msgspec.msgpack.encode({"n": 1})
LONG_S = 60.0


class Rig:
    """Calls with a core that only remembers what it was given."""

    def __init__(self) -> None:
        self.submitted: list[Proposal] = []
        self.waited: list[tuple[int, float]] = []
        self.calls = Calls(
            "me",
            self.submitted.extend,
            lambda _: Term(1, "s"),
            lambda calls, longest: self.waited.append((calls, longest)),
            lambda what, ending: NoServer(f"{what}: two of three are away{ending}"),
            set(),
        )

    def call(self, timeout_s: float = LONG_S) -> "asyncio.Future[Reply]":
        return self.calls.call("counter", "add", ARGUMENTS, "", timeout_s)

    async def sent(self) -> list[int]:
        """The sequences submitted since the last look."""
        await asyncio.sleep(0)
        commands = [msgspec.msgpack.decode(p.body, type=Command) for p in self.submitted if p.kind == Kind.COMMAND]
        self.submitted.clear()
        return [c.sequence for c in commands]

    def answer(self, sequences: Sequence[int], reply: bytes | None = None, session: str = "") -> None:
        entries = tuple(Entry(1, "s", Kind.COMMAND, 0, 0, b"") for _ in sequences)
        outcomes = [
            Outcome(session or self.calls.session, s, 100 + s, reply or encode_result(f"r{s}")) for s in sequences
        ]
        self.calls.answered(outcomes, Apply(101, entries, "heir", 2, 3))


async def test_nothing_is_sent_before_there_is_a_server_then_all_in_order() -> None:
    rig = Rig()
    futures = [rig.call() for _ in range(3)]
    assert await rig.sent() == []
    assert rig.calls.server_changed(True) == 3
    opened = [p for p in rig.submitted if p.kind == Kind.SESSION_OPENED]
    assert rig.submitted[0] is opened[0], "the session is opened before its first command"
    assert msgspec.msgpack.decode(opened[0].body, type=SessionOpened).session == rig.calls.session
    assert await rig.sent() == [1, 2, 3]
    rig.answer([1, 2, 3])
    replies = [await f for f in futures]
    assert [r.result for r in replies] == ["r1", "r2", "r3"]
    assert replies[1].receipt.index == 102
    assert (replies[1].receipt.durability, replies[1].receipt.reach, replies[1].receipt.members) == ("heir", 2, 3)


async def test_calls_of_one_turn_leave_together() -> None:
    rig = Rig()
    rig.calls.server_changed(True)
    for _ in range(3):
        rig.call()
    assert rig.submitted == []
    assert await rig.sent() == [1, 2, 3]


async def test_another_server_gets_what_is_unanswered_again_with_the_floor_of_the_moment() -> None:
    rig = Rig()
    rig.calls.server_changed(True)
    first, second = rig.call(), rig.call()
    await rig.sent()
    rig.answer([1])
    await first
    rig.calls.server_changed(False)
    third = rig.call()
    assert await rig.sent() == []
    assert rig.calls.server_changed(True) == 2
    commands = [msgspec.msgpack.decode(p.body, type=Command) for p in rig.submitted if p.kind == Kind.COMMAND]
    assert [(c.sequence, c.floor) for c in commands] == [(2, 2), (3, 2)]
    rig.answer([2, 3])
    assert [(await f).result for f in (second, third)] == ["r2", "r3"]
    assert rig.waited and rig.waited[0][0] == 2


async def test_an_answer_that_comes_twice_counts_once() -> None:
    rig = Rig()
    rig.calls.server_changed(True)
    future = rig.call()
    rig.answer([1])
    rig.answer([1], encode_result("another"))
    assert (await future).result == "r1"


async def test_a_refusal_of_the_application_is_the_callers() -> None:
    rig = Rig()
    rig.calls.server_changed(True)
    future = rig.call()
    rig.answer([1], encode_error("taken", "Nickname is taken"))
    with pytest.raises(Refused, match="Nickname is taken") as raised:
        await future
    assert raised.value.code == "taken"


async def test_what_arrived_out_of_order_is_sent_again() -> None:
    rig = Rig()
    rig.calls.server_changed(True)
    future = rig.call()
    await rig.sent()
    rig.answer([1], encode_error(OUT_OF_ORDER, "an earlier one is missing"))
    assert not future.done()
    async with asyncio.timeout(5):
        while not (again := await rig.sent()):
            await asyncio.sleep(0)
    assert again == [1]
    rig.answer([1])
    assert (await future).result == "r1"


async def test_a_lost_session_repeats_only_what_was_certainly_not_done() -> None:
    rig = Rig()
    rig.calls.server_changed(True)
    old = rig.call()
    await rig.sent()
    rig.calls.server_changed(False)
    rig.calls.server_changed(True)
    new = rig.call()
    await rig.sent()
    session = rig.calls.session
    rig.answer([1], encode_error(UNKNOWN_SESSION, "not open"))
    assert rig.calls.session != session
    assert rig.calls.local_sessions == {rig.calls.session}
    with pytest.raises(UnknownOutcome):
        await old
    assert await rig.sent() == [1]
    rig.answer([1], session=session)
    assert not new.done(), "an answer to the old session is none to the new one"
    rig.answer([1])
    assert (await new).result == "r1"


async def test_a_time_out_says_whether_it_was_sent() -> None:
    rig = Rig()
    with pytest.raises(NoServer, match=r"two of three are away.*certainly not done"):
        await rig.call(timeout_s=0.001)
    rig.calls.server_changed(True)
    with pytest.raises(UnknownOutcome, match="same idempotency key"):
        await rig.call(timeout_s=0.001)
    assert len(rig.calls) == 0


async def test_calls_waiting_are_bounded() -> None:
    rig = Rig()
    futures = [rig.call() for _ in range(CALLS_MAX)]
    with pytest.raises(Overloaded, match=str(CALLS_MAX)):
        rig.call()
    rig.calls.close()
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert {type(o) for o in outcomes} == {NoServer}


async def test_an_ending_peer_waits_for_answers_and_says_what_is_unknown() -> None:
    rig = Rig()
    rig.calls.server_changed(True)
    answered, open_ = rig.call(), rig.call()
    await rig.sent()
    asyncio.get_running_loop().call_soon(rig.answer, [1])
    await rig.calls.drained(0.01)
    assert (await answered).result == "r1"
    rig.calls.refuse_new()
    with pytest.raises(Overloaded, match="ending"):
        rig.call()
    rig.calls.close()
    with pytest.raises(UnknownOutcome):
        await open_
