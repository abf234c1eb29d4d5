"""Exactly once: one test for each rule of the session table, and a model that random commands are held against."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.election import idempotency, opensession
from tanist.election import sessions as module
from tanist.election.entries import Command, SessionOpened
from tanist.election.idempotency import KEY_LIFE_NS, STEP_NS_MAX, KeysState
from tanist.election.opensession import OpenSession
from tanist.election.sessions import ENDED_LIFE_NS, SessionsState, SessionTable


def error(code: str, text: str) -> bytes:
    return f"!{code}".encode()


class Counting:
    """Executes commands by counting them: an execution too many or too few shows in the replies."""

    def __init__(self) -> None:
        self.executed: list[tuple[str, int]] = []

    def __call__(self, command: Command, session: OpenSession) -> bytes:
        assert session.id == command.session
        self.executed.append((command.session, command.sequence))
        return f"{len(self.executed)}".encode()


def command(
    sequence: int, body: str = "", *, session: str = "s", floor: int = 1, key: str = "", name: str = "do"
) -> Command:
    return Command(session, sequence, floor, "app", name, msgspec.Raw(msgspec.msgpack.encode(body)), key)


def opened(table: SessionTable) -> OpenSession:
    session = table.get("s")
    assert session is not None
    return session


@pytest.fixture
def execute() -> Counting:
    return Counting()


@pytest.fixture
def table() -> SessionTable:
    table = SessionTable(error)
    assert table.open(SessionOpened("s", "peer-1", "ada")) is not None
    return table


def test_commands_in_order_are_executed_once_each(table: SessionTable, execute: Counting) -> None:
    assert [table.once(command(n), 0, execute) for n in (1, 2, 3)] == [b"1", b"2", b"3"]
    assert execute.executed == [("s", 1), ("s", 2), ("s", 3)]


def test_a_command_of_an_unknown_session_is_never_executed(table: SessionTable, execute: Counting) -> None:
    assert table.once(command(1, session="other"), 0, execute) == b"!unknown_session"
    table.close("s", 0)
    assert table.once(command(1), 0, execute) == b"!unknown_session"
    assert execute.executed == []


def test_a_repeated_command_gets_its_first_reply_whatever_its_floor(table: SessionTable, execute: Counting) -> None:
    for n in (1, 2, 3):
        table.once(command(n, "b"), 0, execute)
    assert table.once(command(2, "b", floor=2), 0, execute) == b"2"
    assert len(execute.executed) == 3


@pytest.mark.parametrize("other", [command(1, "other"), command(1, "b", name="undo")])
def test_the_same_sequence_with_another_body_is_an_error(
    table: SessionTable, execute: Counting, other: Command
) -> None:
    table.once(command(1, "b"), 0, execute)
    assert table.once(other, 0, execute) == b"!sequence_reused"
    assert table.once(command(1, "b"), 0, execute) == b"1"


def test_a_gap_is_not_executed_and_expects_the_same_as_before(table: SessionTable, execute: Counting) -> None:
    table.once(command(1), 0, execute)
    assert table.once(command(3), 0, execute) == b"!out_of_order"
    assert table.once(command(4, floor=3), 0, execute) == b"!out_of_order"
    assert [table.once(command(n), 0, execute) for n in (2, 3)] == [b"2", b"3"]


def test_a_floor_above_what_is_expected_is_jumped_to(table: SessionTable, execute: Counting) -> None:
    table.once(command(1), 0, execute)
    assert table.once(command(7, floor=7), 0, execute) == b"2"
    assert table.once(command(5), 0, execute) == b"!forgotten"
    assert table.once(command(8), 0, execute) == b"3"
    assert execute.executed == [("s", 1), ("s", 7), ("s", 8)]


def test_below_the_floor_replies_are_dropped_and_nothing_is_executed_again(
    table: SessionTable, execute: Counting
) -> None:
    for n in (1, 2, 3):
        table.once(command(n), 0, execute)
    table.once(command(4, floor=3), 0, execute)
    assert table.once(command(2), 0, execute) == b"!forgotten"
    assert table.once(command(3), 0, execute) == b"3"
    assert len(opened(table).replies) == 2
    assert len(execute.executed) == 4


@pytest.mark.parametrize("sequence", [0, -5])
def test_sequences_before_the_first_are_never_executed(table: SessionTable, execute: Counting, sequence: int) -> None:
    assert table.once(command(sequence, floor=sequence), 0, execute) == b"!forgotten"
    assert execute.executed == []


def test_a_session_that_never_raises_its_floor_is_stopped_not_forgotten(
    table: SessionTable, execute: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opensession, "WINDOW_MAX", 3)
    for n in (1, 2, 3):
        table.once(command(n), 0, execute)
    assert table.once(command(4), 0, execute) == b"!overloaded"
    assert table.once(command(1), 0, execute) == b"1"
    assert table.once(command(4, floor=2), 0, execute) == b"4"


def test_kept_replies_are_bounded_in_bytes_and_freed_by_the_floor(
    table: SessionTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opensession, "WINDOW_BYTES_MAX", 100)
    for n in (1, 2):
        table.once(command(n), 0, lambda *_: b"x" * 60)
    assert table.once(command(3), 0, lambda *_: b"x") == b"!overloaded"
    assert table.once(command(3, floor=3), 0, lambda *_: b"x") == b"x"
    assert opened(table).bytes_kept == 1


def test_opening_twice_changes_nothing_but_the_peer(table: SessionTable, execute: Counting) -> None:
    table.once(command(1), 0, execute)
    assert table.open(SessionOpened("s", "peer-2", "eve")) is None
    assert (opened(table).peer, opened(table).user) == ("peer-2", "ada")
    assert table.once(command(1), 0, execute) == b"1"
    assert table.of_peer("peer-2") == ["s"]
    assert table.of_peer("peer-1") == []


def test_a_late_copy_of_an_opening_does_not_bring_an_ended_session_back(table: SessionTable, execute: Counting) -> None:
    table.once(command(1), 0, execute)
    assert table.close("s", 5) is not None
    assert table.close("s", 5) is None
    assert table.open(SessionOpened("s", "peer-1")) is None
    assert table.once(command(1), 0, execute) == b"!unknown_session"


def test_ended_sessions_are_forgotten_by_log_time(table: SessionTable) -> None:
    table.close("s", 5)
    table.open(SessionOpened("t", "p"))
    table.close("t", 5 + ENDED_LIFE_NS)
    assert [ended.session for ended in table.state().ended] == ["s", "t"]
    table.open(SessionOpened("u", "p"))
    table.close("u", 6 + ENDED_LIFE_NS)
    assert [ended.session for ended in table.state().ended] == ["t", "u"]


def test_too_many_sessions_are_not_opened(table: SessionTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SESSIONS_MAX", 2)
    assert table.open(SessionOpened("t", "p")) is not None
    assert table.open(SessionOpened("u", "p")) is None
    assert len(table) == 2


# Gaps, and other histories


def test_sequences_that_were_jumped_over_have_no_place_until_they_are_filled(
    table: SessionTable, execute: Counting
) -> None:
    table.once(command(1), 0, execute)
    table.once(command(6, floor=6), 0, execute, 30)
    session = opened(table)
    assert [n for n in range(8) if not session.has(n)] == [2, 3, 4, 5, 7]
    session.fill(3)
    assert [n for n in range(8) if not session.has(n)] == [2, 4, 5, 7]
    # A history that parts behind 29 may have gone on with 2, one that parts behind 30 may not.
    assert (session.expected_after(29), session.expected_after(30)) == (2, 7)


def test_gaps_are_bounded_and_the_oldest_count_as_applied(monkeypatch: pytest.MonkeyPatch, table: SessionTable) -> None:
    monkeypatch.setattr(opensession, "SKIPS_MAX", 2)
    for n in (3, 5, 7):
        table.once(command(n, floor=n), 0, lambda *_: b"")
    assert [n for n in range(8) if not opened(table).has(n)] == [4, 6]
    table.once(command(12, floor=12), 0, lambda *_: b"")
    opened(table).fill(9)
    assert len(opened(table).skipped) == 2


def test_entering_gives_a_command_its_place_once(table: SessionTable, execute: Counting) -> None:
    table.once(command(1), 0, execute)
    assert table.enter(command(1), 0, execute) is None
    assert table.enter(command(1, session="nobody"), 0, execute) is None
    assert table.enter(command(4, floor=2), 0, execute) == b"2"
    assert table.enter(command(4), 0, execute) is None
    assert table.enter(command(3), 0, execute) == b"3"
    assert table.once(command(4), 0, execute) == b"2"
    # What was given its place below what is awaited is forgotten for its client, and done no more.
    assert table.once(command(3), 0, execute) == b"!forgotten"
    assert table.once(command(2), 0, execute) == b"!forgotten"
    assert table.once(command(5), 0, execute) == b"4"
    assert opened(table).expected_after(0) == 6


def test_what_another_history_may_have_gone_on_with() -> None:
    table = SessionTable(error)
    table.open(SessionOpened("s", "p"), 5)
    assert (table.expected_after("s", 4), table.expected_after("s", 5), table.expected_after("t", 5)) == (None, 1, None)
    table.close("s", 0, 8)
    assert (table.expected_after("s", 7), table.expected_after("s", 8)) == (1, None)
    assert (table.ended_by("s", 7), table.ended_by("s", 8), table.ended_by("t", 8)) == (False, True, False)
    reopened = table.reopen("s")
    assert reopened is not None and table.get("s") is reopened
    assert table.reopen("s") is None
    assert table.adopt(SessionOpened("s", "p")) is None
    assert table.expected_after("s", 1) == 1


def test_the_ended_sessions_of_members_are_kept_within_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENDED_MAX", 2)
    table = SessionTable(error)
    table.roster(frozenset({"p"}))
    for name in "stu":
        table.open(SessionOpened(name, "p" if name != "u" else "elsewhere"))
    for name in "stu":
        table.close(name, 0)
    assert [(ended.session, ended.held) for ended in table.state().ended] == [("t", True), ("u", False)]
    assert copy_of(table).state() == table.state()


# Idempotency keys


def test_a_key_gives_the_first_reply_across_sessions(table: SessionTable, execute: Counting) -> None:
    table.open(SessionOpened("t", "peer-2"))
    assert table.once(command(1, "b", key="k"), 0, execute) == b"1"
    assert table.once(command(1, "b", key="k", session="t"), 0, execute) == b"1"
    assert table.once(command(2, "b", key="k"), 0, execute) == b"1"
    assert execute.executed == [("s", 1)]
    # The sequences were used up: the sessions go on after them.
    assert table.once(command(2, session="t"), 0, execute) == b"2"
    assert table.once(command(3), 0, execute) == b"3"


def test_a_key_with_another_body_is_an_error(table: SessionTable, execute: Counting) -> None:
    table.once(command(1, "b", key="k"), 0, execute)
    assert table.once(command(2, "c", key="k"), 0, execute) == b"!key_reused"
    assert table.once(command(3, "b", key="k", name="undo"), 0, execute) == b"!key_reused"
    assert len(execute.executed) == 1


def test_a_key_lives_its_log_time_and_no_longer(table: SessionTable, execute: Counting) -> None:
    table.once(command(1, "b", key="k"), 100, execute)
    steps = KEY_LIFE_NS // STEP_NS_MAX
    for n in range(1, steps + 1):
        assert table.once(command(1 + n, "b", key="k"), 100 + n * STEP_NS_MAX, execute) == b"1"
    assert table.once(command(2 + steps, "b", key="k"), 101 + KEY_LIFE_NS, execute) == b"2"


def test_a_clock_that_leaps_forgets_no_key(table: SessionTable, execute: Counting) -> None:
    """A wall clock was set, or a server with another clock took over: just then callers ask again."""
    table.once(command(1, "b", key="k"), 100, execute)
    for leap in (1, 2, 3):
        assert table.once(command(1 + leap, "b", key="k"), 100 + leap * 3600 * 10**9, execute) == b"1"
    # The age is part of the state: whoever restores it forgets keys when all others do.
    state = table.state()
    table.restore(state)
    assert table.state() == state and state.keys.age_ns == 100 + 3 * STEP_NS_MAX


def test_a_full_key_table_says_so_and_recovers(
    table: SessionTable, execute: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "KEYS_MAX", 2)
    monkeypatch.setattr(idempotency, "STEP_NS_MAX", 2 * KEY_LIFE_NS)
    for n in (1, 2):
        table.once(command(n, key=f"k{n}"), 0, execute)
    assert table.once(command(3, key="k3"), 0, execute) == b"!overloaded"
    assert table.once(command(4, key="k1"), 0, execute) == b"1"
    assert table.once(command(5, key="k5"), 1 + KEY_LIFE_NS, execute) == b"3"


def test_key_bytes_are_bounded(table: SessionTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "KEYS_BYTES_MAX", 50)
    monkeypatch.setattr(idempotency, "STEP_NS_MAX", 2 * KEY_LIFE_NS)
    table.once(command(1, key="k" * 60), 0, lambda *_: b"x")
    assert table.once(command(2, key="k2"), 0, lambda *_: b"x") == b"!overloaded"
    assert table.once(command(3, key="k2"), 1 + KEY_LIFE_NS, lambda *_: b"y") == b"y"


def test_a_key_that_is_too_long_is_refused(table: SessionTable, execute: Counting) -> None:
    assert table.once(command(1, key="k" * 257), 0, execute) == b"!bad_request"
    assert execute.executed == []


# Snapshots


def copy_of(table: SessionTable) -> SessionTable:
    data = msgspec.msgpack.encode(table.state())
    restored = SessionTable(error)
    restored.restore(msgspec.msgpack.decode(data, type=SessionsState))
    return restored


def test_a_restored_table_goes_on_where_it_was(table: SessionTable, execute: Counting) -> None:
    for n in (1, 2, 3):
        table.once(command(n, "b", key=f"k{n}"), 7, execute)
    table.once(command(4, floor=2), 7, execute)
    table.open(SessionOpened("ended", "p"))
    table.close("ended", 8)
    restored = copy_of(table)
    assert restored.state() == table.state()
    assert restored.once(command(1), 9, execute) == b"!forgotten"
    assert restored.once(command(3, "b"), 9, execute) == b"3"
    assert restored.once(command(3, "c"), 9, execute) == b"!sequence_reused"
    assert restored.once(command(5, "b", key="k1"), 9, execute) == b"1"
    assert restored.open(SessionOpened("ended", "p")) is None
    assert opened(restored).user == "ada"
    assert len(execute.executed) == 4


def test_a_state_that_does_not_add_up_is_refused(table: SessionTable) -> None:
    broken = SessionsState([module.SessionRecord("s", "p", "", 1, [1, 2], [b"x"])], KeysState(), [])
    with pytest.raises(ValueError, match="zip"):
        table.restore(broken)
    assert table.get("s") is not None


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.integers(0, 6),
            st.integers(0, 7),
            st.sampled_from("xy"),
            st.sampled_from(["", "k"]),
        ),
        max_size=60,
    ),
    st.integers(0, 60),
)
def test_random_commands_are_executed_in_order_and_at_most_once_also_across_a_restore(
    steps: list[tuple[str, int, int, str, str]], restore_at: int
) -> None:
    table, execute = SessionTable(error), Counting()
    for name in "ab":
        table.open(SessionOpened(name, "p"))
    for position, (session, sequence, floor, body, key) in enumerate(steps):
        if position == restore_at:
            table = copy_of(table)
        sent = command(sequence, body, session=session, floor=floor, key=key)
        first = table.once(sent, position, execute)
        if first not in (b"!out_of_order", b"!forgotten", b"!sequence_reused"):
            assert table.once(sent, position, execute) in (first, b"!forgotten")
    for name in "ab":
        mine = [sequence for session, sequence in execute.executed if session == name]
        assert mine == sorted(set(mine))
