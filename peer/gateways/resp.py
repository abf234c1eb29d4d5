"""Redis clients in front of the key-value store: `--gateway kv=resp:6380`, for redis-cli, redis-benchmark, redis-py.

A pipeline goes out as it comes, and its answers come back in order. A read waits for the writes before it on the same
connection, and looks at this peer's state. Writes ride through a failover: they are late at worst.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from typing import Any

from tanist.peer.application.events import Published
from tanist.peer.errors import CallError, NoServer, UnknownOutcome
from tanist.peer.gateways.resp_commands import LISTENING, OK, READS, WHILE_LISTENING, WRITES, bytes_of
from tanist.peer.gateways.resp_transactions import Transaction
from tanist.peer.gateways.resp_wire import Commands, Error, ProtocolError, Push, encode
from tanist.peer.gateways.tcp import SILENT_S, Connection, TcpGateway

PIPELINE_MAX = 1024
"""Commands of one connection under way; more are read when these are answered."""
ASKED_BYTES_MAX = 4 << 20
"""Bytes of such commands, as many as one may have: while nobody serves, they all wait in memory."""
WAITING_BYTES_MAX = 1 << 20
"""Bytes of answers that wait for those before them, or for the client to read; no more is read until these are sent."""
TRANSACTIONS = frozenset({b"MULTI", b"EXEC", b"DISCARD"})
"""What begins and ends a transaction."""


class RespClient:
    """One redis client: what it has asked and is not answered yet, in order, and what it listens on."""

    def __init__(self, connection: Connection, number: int, listeners: Callable[[str], int]) -> None:
        self.number = number
        self.listeners = listeners
        self.version = 2
        self.name = b""
        self.channels: dict[str, None] = {}
        self.quitting = False
        self._connection = connection
        self._answers: deque[asyncio.Future[Any] | bytes] = deque()
        """In the order of the commands: what is under way, or is encoded and waits for its turn."""
        self._writes = 0
        """How many of them are under way."""
        self._asked_bytes = 0
        self._transaction: Transaction | None = None
        self._waiting_bytes = 0
        self._changed = asyncio.Event()
        self._progress = asyncio.Event()
        self._sending = asyncio.create_task(self._send())

    # What commands do

    def call(
        self, command: str, *given: Any, then: Callable[[Any], Any] = lambda result: result
    ) -> "asyncio.Future[Any]":
        """Have a command of the store done, in its turn."""
        return asyncio.ensure_future(self._called(command, given, then))

    async def _called(self, command: str, given: tuple[Any, ...], then: Callable[[Any], Any]) -> Any:
        try:
            return then(await self._connection.call(command, *given))
        except (NoServer, UnknownOutcome) as error:
            return Error(f"TRYAGAIN {error.message}")
        except CallError as error:
            return Error(f"ERR {error.message}")

    def query(self, name: str, *given: Any) -> Any:
        """A query's answer."""
        return self._connection.query(name, *given)

    def copies(self) -> int:
        """How many other peers had the last write of this connection when it was answered."""
        receipt = self._connection.receipt
        return max(0, receipt.reach - 1) if receipt is not None else 0

    # Commands and answers

    async def take(self, command: list[bytes]) -> None:
        """Begin with a command. Waits for the writes before it where it reads, and where too much is under way."""
        name, given = command[0].upper(), command[1:]
        try:
            if self.channels and self.version == 2 and name not in WHILE_LISTENING:
                allowed = "only SUBSCRIBE, UNSUBSCRIBE, PING and QUIT while listening"
                raise Error(f"ERR Can't execute '{_shown(name)}': {allowed}")
            while self._full():
                await self._sent()
            if name in TRANSACTIONS or self._transaction is not None:
                self._in_transaction(name, given)
                return
            if (write := WRITES.get(name)) is not None:
                self._put_write(write(self, given), sum(map(len, given)))
                return
            while self._writes:
                await self._sent()
            answers = self._answered_at_once(name, given)
        except Error as error:
            answers = [error]
        except CallError as error:
            answers = [Error(f"ERR {error.message}")]
        self._put(b"".join(encode(answer, self.version) for answer in answers))

    def _answered_at_once(self, name: bytes, given: list[bytes]) -> list[Any]:
        if (listen := LISTENING.get(name)) is not None:
            return listen(self, given)
        if (read := READS.get(name)) is not None:
            return [read(self, given)]
        begin = " ".join(f"'{_shown(word)}'" for word in given[:3])
        raise Error(f"ERR unknown command '{_shown(name)}', with args beginning with: {begin}")

    def _in_transaction(self, name: bytes, given: list[bytes]) -> None:
        """Begin, end, or go on with what is to be done at one moment."""
        transaction = self._transaction
        if name in TRANSACTIONS and given:
            raise Error(f"ERR wrong number of arguments for '{_shown(name).lower()}' command")
        if transaction is None and name != b"MULTI":
            raise Error(f"ERR {_shown(name)} without MULTI")
        if name in (b"EXEC", b"DISCARD"):
            self._transaction = None
        if transaction is None:
            self._transaction = Transaction()
            self._put(encode(OK, self.version))
        elif name == b"EXEC":
            steps, answered = transaction.take()
            if steps:
                self._put_write(self.call("together", steps, then=answered), transaction.size)
            else:
                self._put(encode(answered([]), self.version))
        elif name == b"DISCARD":
            self._put(encode(OK, self.version))
        elif name == b"MULTI":
            raise Error("ERR MULTI calls can not be nested")
        else:
            self._put(encode(transaction.queue(self, name, given), self.version))

    def _full(self) -> bool:
        """Whether no more is taken before something of it is answered and sent."""
        asked = len(self._answers) >= PIPELINE_MAX or self._asked_bytes > ASKED_BYTES_MAX
        return asked or self._waiting_bytes > WAITING_BYTES_MAX

    def _put(self, answer: bytes) -> None:
        self._answers.append(answer)
        self._waiting_bytes += len(answer)
        self._changed.set()

    def _put_write(self, answer: "asyncio.Future[Any]", size: int) -> None:
        self._answers.append(answer)
        self._writes += 1
        self._asked_bytes += size
        answer.add_done_callback(lambda _: self._done(size))
        self._changed.set()

    def _done(self, size: int) -> None:
        self._asked_bytes -= size

    async def drained(self) -> None:
        """Return when everything before is answered and sent."""
        while self._answers or self._waiting_bytes:
            await self._sent()

    async def _sent(self) -> None:
        """Return when something was sent."""
        self._progress.clear()
        await self._progress.wait()

    async def _send(self) -> None:
        """Send the answers in the order of the commands, for as long as the connection lasts."""
        while True:
            while not self._answers:
                self._changed.clear()
                await self._changed.wait()
            first = self._answers[0]
            if isinstance(first, asyncio.Future):
                await asyncio.wait([first])
            out = []
            while self._answers and (answer := self._answers[0]):
                if isinstance(answer, bytes):
                    out.append(answer)
                elif answer.done():
                    out.append(encode(answer.result(), self.version))
                    self._writes -= 1
                else:
                    break
                self._answers.popleft()
            await self._connection.send_all(b"".join(out))
            self._waiting_bytes = sum(len(answer) for answer in self._answers if isinstance(answer, bytes))
            self._progress.set()

    def close(self) -> None:
        """It is gone: nothing is waited for."""
        self._sending.cancel()
        for answer in self._answers:
            if isinstance(answer, asyncio.Future):
                answer.cancel()


class RespGateway(TcpGateway):
    """RESP in front of the key-value store."""

    protocol = "resp"
    _numbers = itertools.count(1)

    async def serve(self, connection: Connection) -> None:
        """Read commands and answer them, until the client goes or breaks the protocol."""
        client = RespClient(connection, next(self._numbers), self._listeners)
        connection.state = client
        try:
            await _converse(connection, client)
            await client.drained()
        except ProtocolError as error:
            await client.drained()
            connection.send(encode(Error(f"ERR Protocol error: {error}"), client.version))
            await connection.linger()
        finally:
            client.close()

    def _listeners(self, channel: str) -> int:
        """How many clients of this gateway listen on a channel."""
        states = (connection.state for connection in self.connections)
        return sum(isinstance(client, RespClient) and channel in client.channels for client in states)

    def told(self, connection: Connection, happened: Published) -> bytes:
        """A message on a channel that the client listens on."""
        client = connection.state
        if not isinstance(client, RespClient) or happened.event != "message":
            return b""
        channel = happened.fields["channel"]
        if channel not in client.channels:
            return b""
        return encode(Push(("message", bytes_of(channel), happened.fields["message"])), client.version)


async def _converse(connection: Connection, client: RespClient) -> None:
    """Take commands until the client goes, or says that it has had enough. Raises ProtocolError."""
    commands = Commands()
    async with asyncio.timeout(SILENT_S):
        data = await connection.some()
    while data:
        for command in commands.feed(data):
            await connection.give_way()
            await client.take(command)
            if client.quitting:
                return
        data = await connection.some()


def _shown(raw: bytes) -> str:
    return raw[:64].decode(errors="replace")
