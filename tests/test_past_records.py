"""The replicated memory of reigns: bounded, the same everywhere, and in snapshots."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tanist.election.archived import is_command, key_of
from tanist.election.entries import Entry, Kind
from tanist.peer.application.machine import Machine
from tanist.peer.past.account import Account, Statement, encode
from tanist.peer.past.records import ACCOUNTS_MAX, RECORDS_BYTES_MAX, RECORDS_MAX, ReignRecords


def statement(number: int, peer: str, size: int = 10, holder: str = "s") -> Statement:
    return Statement(number, holder, peer, msgspec.Raw(msgspec.msgpack.encode("x" * size)))


def entry(account: Account) -> Entry:
    return Entry(9, "s", Kind.ACCOUNT, 1, 1, encode(account))


def test_the_oldest_reigns_are_forgotten() -> None:
    records = ReignRecords()
    for number in range(1, RECORDS_MAX + 6):
        records.add(statement(number, "s"), 1000)
    assert [number for number, _ in records.terms()] == list(range(6, RECORDS_MAX + 6))
    assert not records.wants((3, "s"), "s") and records.wants((200, "s"), "s")
    # One that comes too late is not kept, and drives nobody out.
    records.add(statement(1, "s"), 1000)
    assert (1, "s") not in records.terms() and len(list(records.terms())) == RECORDS_MAX


def test_bytes_are_bounded_too() -> None:
    records = ReignRecords()
    for number in range(1, 60):
        for peer in range(5):
            records.add(statement(number, f"p{peer}", 4000), 1000)
    kept = sum(len(account) for key in records.terms() for account in records.of(key))
    assert RECORDS_BYTES_MAX - 20_100 < kept <= RECORDS_BYTES_MAX
    assert (59, "s") in records.terms() and (1, "s") not in records.terms()


def test_the_servers_own_account_always_finds_room() -> None:
    records = ReignRecords()
    for n in range(ACCOUNTS_MAX + 3):
        records.add(statement(1, f"p{n}"), 1000)
    assert len(records.of((1, "s"))) == ACCOUNTS_MAX
    assert not records.wants((1, "s"), "late") and records.wants((1, "s"), "s")
    records.add(statement(1, "s", 77), 1000)
    assert len(records.of((1, "s"))) == ACCOUNTS_MAX
    assert max(map(len, records.of((1, "s")))) > 77


def test_a_later_account_of_a_peer_replaces_its_earlier_one() -> None:
    records = ReignRecords()
    records.add(statement(1, "a", 100), 1000)
    records.add(statement(1, "a", 10), 1000)
    assert [len(account) for account in records.of((1, "s"))] == [11]
    assert not records.wants((1, "s"), "a")


def test_nobody_tells_of_a_reign_that_is_yet_to_come() -> None:
    records = ReignRecords()
    records.add(statement(8, "a"), 7)
    assert not list(records.terms())
    records.add(statement(7, "a"), 7)
    assert list(records.terms()) == [(7, "s")]


@given(st.lists(st.tuples(st.integers(1, 130), st.integers(0, 20), st.integers(1, 4000)), max_size=200), st.data())
def test_a_snapshot_anywhere_on_the_way_makes_no_difference(
    told: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    statements = [statement(number, f"p{peer}" if peer else "s", size) for number, peer, size in told]
    cut = data.draw(st.integers(0, len(statements)))
    straight, first = ReignRecords(), ReignRecords()
    for one in statements:
        straight.add(one, 1000)
    for one in statements[:cut]:
        first.add(one, 1000)
    second = ReignRecords()
    second.restore(first.state())
    for one in statements[cut:]:
        second.add(one, 1000)
    assert second.state() == straight.state()
    kept = [account for record in straight.state() for _, account in record.accounts]
    assert sum(map(len, kept)) <= RECORDS_BYTES_MAX and len(straight.state()) <= RECORDS_MAX


def test_machines_agree_on_them_and_a_snapshot_has_them() -> None:
    told = [Account("s", "sam", "2@s", "server", "1@a", 5), Account("b", "bea", "2@s", "client", "1@a", 4)]
    one, other = Machine({}), Machine({})
    for machine in (one, other):
        machine.apply(1, [entry(account) for account in told])
    assert one.digest() == other.digest() != Machine({}).digest()
    restored = Machine({})
    restored.restore(one.snapshot())
    assert restored.digest() == one.digest()
    assert list(restored.records.terms()) == [(2, "s")] and len(restored.records.of((2, "s"))) == 2
    restored.apply(3, [entry(msgspec.structs.replace(told[0], outage_ms=9.0))])
    assert len(restored.records.of((2, "s"))) == 2


def test_bytes_that_are_no_account_change_nothing_anywhere() -> None:
    machine = Machine({})
    machine.apply(1, [Entry(1, "s", Kind.ACCOUNT, 1, 1, b"\xc1"), Entry(1, "s", Kind.ACCOUNT, 1, 1, b"")])
    assert machine.applied == 2 and not list(machine.records.terms())
    assert len(machine.take_failures()) == 2


def test_an_account_is_no_command_and_is_archived_by_no_heal() -> None:
    told = entry(Account("s", "sam", "2@s", "server", "1@a", 5))
    assert not is_command(told)
    assert key_of(7, told) is None
