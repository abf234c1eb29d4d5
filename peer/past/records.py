"""The replicated memory of reigns: of the latest ones, what each peer told of how they came about.

Part of the machine's state, so the same on every peer that applied the same entries; nothing here is decoded, so
peers of different versions agree on it.
"""

from collections.abc import Iterable, Iterator

import msgspec

from tanist.peer.past.account import Statement

RECORDS_MAX = 100
"""Reigns remembered: years of a cluster whose server changes now and then."""
ACCOUNTS_MAX = 16
"""Accounts kept of one reign: its server's, and those of the first of its clients that told theirs."""
RECORDS_BYTES_MAX = 256 * 1024
"""Bytes of all accounts together, so that a snapshot stays small; those of the oldest reigns go first."""

Key = tuple[int, str]
"""A term's number and holder."""


class RecordState(msgspec.Struct, frozen=True, array_like=True):
    """One reign's accounts in a snapshot, by peer."""

    number: int
    holder: str
    accounts: list[tuple[str, bytes]]


class ReignRecords:
    """The accounts of the latest reigns. All limits make it forget the oldest."""

    def __init__(self) -> None:
        self._accounts: dict[Key, dict[str, bytes]] = {}
        self._bytes = 0

    def add(self, statement: Statement, written_in: int) -> None:
        """Take in one account, from an entry written in that number; a later one of a peer replaces the earlier.

        Of a reign that was yet to come nobody can tell: such a one, kept, would be the latest for ever.
        """
        key = statement.number, statement.holder
        if statement.number > written_in:
            return
        accounts = self._accounts.setdefault(key, {})
        if len(accounts) >= ACCOUNTS_MAX and statement.peer not in accounts:
            if statement.peer != statement.holder:
                return
            # The server's own tells the most: the latest of the others makes room for it.
            self._bytes -= len(accounts.popitem()[1])
        account = bytes(statement.account)
        self._bytes += len(account) - len(accounts.get(statement.peer, b""))
        accounts[statement.peer] = account
        while len(self._accounts) > RECORDS_MAX or self._bytes > RECORDS_BYTES_MAX:
            oldest = self._accounts.pop(min(self._accounts))
            self._bytes -= sum(map(len, oldest.values()))

    def wants(self, key: Key, peer: str) -> bool:
        """Whether an account would be kept that is not here yet."""
        accounts = self._accounts.get(key)
        if accounts is not None:
            return peer not in accounts and (len(accounts) < ACCOUNTS_MAX or peer == key[1])
        full = len(self._accounts) >= RECORDS_MAX or self._bytes > RECORDS_BYTES_MAX * 3 // 4
        return not full or key > min(self._accounts)

    def of(self, key: Key) -> list[bytes]:
        """The accounts of a reign, in the order in which they came."""
        return list(self._accounts.get(key, {}).values())

    def terms(self) -> Iterator[Key]:
        """The reigns that something is known of, by number."""
        return iter(sorted(self._accounts))

    def state(self) -> list[RecordState]:
        """All of it, for a snapshot."""
        return [RecordState(*key, list(self._accounts[key].items())) for key in self.terms()]

    def restore(self, state: Iterable[RecordState]) -> None:
        """Become the records that `state` was taken from."""
        self._accounts = {(record.number, record.holder): dict(record.accounts) for record in state}
        self._bytes = sum(len(account) for accounts in self._accounts.values() for account in accounts.values())
