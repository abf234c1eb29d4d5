"""Preparing a command at the peer that was asked, before it enters the log: hashing a password, reading a file.

    @command
    def login(self, ctx: Context, user: str, proof: bytes) -> str: ...

    @prepare("login")
    def prove(self, asking: Asking, user: str, password: Secret[str]) -> tuple[str, bytes]:
        return user, scrypt(password.encode(), salt=asking.query("salt", user), n=16384, r=8, p=1)

Callers give what the preparation takes. What it returns, the command's arguments in their order, is all that the log
gets. It runs once, in a thread, and may take its time and use clock, chance and files.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from hashlib import scrypt
from typing import Annotated, Any, BinaryIO, TypeVar

import msgspec

from tanist.peer.application.blob import Blob
from tanist.peer.application.files import read_file
from tanist.peer.application.reporting import without_message
from tanist.peer.application.specification import Operation, Specified, describe
from tanist.peer.errors import ApplicationFailed, CallError, Overloaded

PREPARING_MAX = 64
"""Preparations that run or wait at one peer: each may hold a thread for tens of milliseconds, and 16 MiB of memory."""
ASK_TIMEOUT_S = 10.0
"""How long a preparation waits for a query's answer: the loop that answers does nothing that takes so long."""

Given = TypeVar("Given")


Upload = Callable[[AsyncIterator[bytes]], Coroutine[Any, Any, Blob]]
"""Has bytes kept, and gives the blob."""


class SecretMark:
    """Marks an argument that must reach no log, journal or hash."""


Secret = Annotated[Given, SecretMark()]
"""`Secret[str]`: an argument that only a preparation takes; consoles do not show it, and no log gets it."""


class Asking:
    """What a preparation may do besides computing: ask queries of its application, internal ones too."""

    def __init__(
        self, query: Callable[[str, Sequence[Any]], Any], loop: asyncio.AbstractEventLoop, settings: Any, upload: Upload
    ) -> None:
        self._query = query
        self._upload = upload
        self._loop = loop
        self.settings = settings
        """The settings of the application, with what is this peer's own; None if it declares none."""

    def query(self, name: str, *arguments: Any) -> Any:
        """A query's answer from the state as it is here and now, in plain values.

        Raises what the query raises: `Refused`, NotFound, BadRequest, ApplicationFailed.
        """
        asked = asyncio.run_coroutine_threadsafe(self._ask(name, arguments), self._loop)
        return asked.result(ASK_TIMEOUT_S)

    def upload(self, file: BinaryIO) -> Blob:
        """Have the rest of an open file kept, for the command that is prepared to name it.

        Raises what keeps that from being done: Refused when there is no room, NoServer, TooLarge.
        """
        return asyncio.run_coroutine_threadsafe(self._upload(read_file(file)), self._loop).result()

    async def _ask(self, name: str, arguments: Sequence[Any]) -> Any:
        return self._query(name, arguments)


class Preparations:
    """Runs the preparations of one peer."""

    def __init__(self) -> None:
        self._running = 0

    async def run(
        self, application: Specified, operation: Operation, given: bytes, asking: Asking, key: str
    ) -> tuple[Sequence[Any], bytes]:
        """The arguments of a command, from what its caller gave (encoded, and checked already), and `digest_of` that.

        `operation` is the preparation, which gets `asking`; `key` is the idempotency key or "". Raises the
        preparation's own `Refused`, Overloaded, or ApplicationFailed, which tells nothing of the arguments: one may be
        a secret.
        """
        if self._running >= PREPARING_MAX:
            raise Overloaded(f"{PREPARING_MAX} commands are prepared at this peer already: certainly not done")
        self._running += 1
        method = getattr(_stateless(application), operation.method)
        try:
            arguments = msgspec.msgpack.decode(given, type=operation.arguments)
            values = [getattr(arguments, parameter.name) for parameter in operation.parameters]
            prepared: object = await asyncio.to_thread(method, asking, *values)
            digest = await asyncio.to_thread(digest_of, given, key) if key else b""
        except CallError:
            raise
        except Exception as error:
            # Not its text, nor the error as the cause: what it worked on may be a secret.
            what = f"{operation.app} {operation.name}: {operation.method}() failed"
            where = without_message(error, method.__func__.__code__.co_filename)
            raise ApplicationFailed(f"{what}: {where}; certainly not done") from None
        finally:
            self._running -= 1
        return (prepared if isinstance(prepared, (tuple, list)) else (prepared,)), digest


def digest_of(given: bytes, key: str) -> bytes:
    """By what a repetition under an idempotency key is known: by what its caller gave, since a salt differs each time.

    As slow as the hash of a password: there may be one in it, and this enters the log.
    """
    return scrypt(given, salt=key.encode(), n=2**14, r=8, p=1, dklen=16)


def _stateless(application: Specified) -> Any:
    """An application of the same class without state, which a thread must not look at: only queries may."""
    return type(application).__new__(type(application))


def prepares(application: Specified, name: str) -> Operation | None:
    """The preparation of a command, if it has one."""
    return describe(application).prepared.get(name)
