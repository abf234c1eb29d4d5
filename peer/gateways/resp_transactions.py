"""MULTI, EXEC and DISCARD: what was queued is one command of the store, so nobody else's comes in between.

A queued command is tried out at once, on a client that only notes what it asks of the store: that finds wrong
arguments, and says what goes into the one command. When its results are there, each answer is made of its own.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tanist.peer.gateways.resp_commands import READS, WRITES, Client
from tanist.peer.gateways.resp_wire import Error, Simple

QUEUED_MAX = 1024
"""Commands of one transaction."""
QUEUED_BYTES_MAX = 1 << 20
"""Bytes of these: no command of the store is larger."""
QUEUED = Simple("QUEUED")
NOT_QUEUED = frozenset({b"HELLO", b"CLIENT", b"SELECT", b"QUIT", b"WAIT", b"CONFIG", b"COMMAND", b"INFO", b"KEYS"})
"""Reads that are no part of a transaction: of the connection, or of the whole store."""
_NOTHING: dict[str, Any] = {"size": 0}
"""What a query seems to give while a command is tried out; None where no other kind is expected."""

Step = tuple[str, Sequence[Any]]
Answer = Callable[[Iterator[Any]], Any]
"""Makes the answer of a command from the results of its steps, which it takes."""


class Transaction:
    """What one client has queued since MULTI."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._answers: list[Answer] = []
        self._broken = False
        self.size = 0
        """Bytes that were queued."""

    def queue(self, client: Client, name: bytes, given: Sequence[bytes]) -> Simple:
        """Queue a command. Raises Error for one that cannot be; EXEC then does nothing."""
        try:
            self._queue(client, name, given)
        except Error:
            self._broken = True
            raise
        return QUEUED

    def _queue(self, client: Client, name: bytes, given: Sequence[bytes]) -> None:
        self.size += len(name) + sum(map(len, given))
        if len(self._answers) >= QUEUED_MAX or self.size > QUEUED_BYTES_MAX:
            raise Error(f"ERR a transaction has {QUEUED_MAX} commands and {QUEUED_BYTES_MAX} bytes at most")
        noted = _Noted(client)
        if (write := WRITES.get(name)) is not None:
            write(noted, given)
            self._answers.append(noted.then)
        elif (read := READS.get(name)) is not None and name not in NOT_QUEUED:
            read(noted, given)
            self._answers.append(lambda results: read(_Told(client, results), given))
        else:
            raise Error(f"ERR {name[:64].decode(errors='replace')} is not done within MULTI here")
        self._steps += noted.steps

    def take(self) -> tuple[list[Step], Callable[[list[Any]], list[Any]]]:
        """The steps of all that was queued, and what makes the answers of their results. Raises Error."""
        if self._broken:
            raise Error("EXECABORT Transaction discarded because of previous errors.")
        return self._steps, self._answered

    def _answered(self, results: list[Any]) -> list[Any]:
        left = iter(results)
        return [_answer(answer, left) for answer in self._answers]


def _answer(answer: Answer, results: Iterator[Any]) -> Any:
    try:
        return answer(results)
    except Error as error:
        return error


def _result(results: Iterator[Any]) -> Any:
    done, result = next(results)
    if not done:
        raise Error(f"ERR {result}")
    return result


class _Noted:
    """A client that notes what a command asks of the store."""

    def __init__(self, client: Client) -> None:
        self.version, self.name, self.number = client.version, client.name, client.number
        self.channels: dict[str, None] = {}
        self.quitting = False
        self.steps: list[Step] = []
        self.then: Answer = _result
        self.listeners, self.copies = client.listeners, client.copies

    def call(self, command: str, *given: Any, then: Callable[[Any], Any] = lambda result: result) -> Any:
        self.steps.append((command, given))
        self.then = lambda results: then(_result(results))

    def query(self, name: str, *given: Any) -> Any:
        self.steps.append((name, given))
        return _NOTHING.get(name)


class _Told(_Noted):
    """The same client once the results are there."""

    def __init__(self, client: Client, results: Iterator[Any]) -> None:
        super().__init__(client)
        self._results = results

    def query(self, name: str, *given: Any) -> Any:
        return _result(self._results)


__all__ = ["Transaction"]
