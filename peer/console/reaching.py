"""Reaching one peer: what it says of itself, what the application takes there, and a client's WebSocket."""

from dataclasses import dataclass
from urllib.parse import quote

import aiohttp
import msgspec

from tanist.peer.console.book import Status
from tanist.peer.console.signatures import Signatures

CONNECT_S = 3.0
"""Seconds for each step of connecting: a peer on the same network answers within milliseconds, or not at all."""
PING_EVERY_S = 4.0
"""Seconds between pings: a peer whose process stands still is left after one and a half times that."""
ANSWER_BYTES_MAX = 64 << 20
"""Bytes of one message from a peer, as `tanist call` takes them."""


class Unusable(Exception):
    """No console there; `code` is unreachable, not_peer, other_cluster or no_application."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Before:
    """What a client was at the peer that it lost: it hears events from that position on. "" in the beginning."""

    session: str = ""
    position: str = ""


@dataclass(frozen=True)
class Place:
    """A peer where a client is connected."""

    address: str
    name: str
    app: str
    signatures: Signatures
    status: Status
    socket: aiohttp.ClientWebSocketResponse


async def reach(http: aiohttp.ClientSession, address: str, app: str, cluster: str, before: Before) -> Place:
    """Connect a client of an application at an address, to a peer of that cluster if it is named. Raises `Unusable`."""
    try:
        status = msgspec.json.decode(await _get(http, address, "/status"), type=Status)
        if cluster and status.cluster != cluster:
            raise Unusable("other_cluster", f"at {address} is a peer of another cluster, {status.cluster!r}")
        if app not in status.apps:
            known = ", ".join(status.apps) or "none"
            raise Unusable("no_application", f"there is no application {app!r} at {address}; there are: {known}")
        signatures = msgspec.json.decode(await _get(http, address, f"/apps/{quote(app)}"), type=Signatures)
        query = f"?after={before.position}&instead={quote(before.session)}" if before.session else ""
        timeout = aiohttp.ClientWSTimeout(ws_close=CONNECT_S)
        socket = await http.ws_connect(
            f"http://{address}/client{query}", heartbeat=PING_EVERY_S, max_msg_size=ANSWER_BYTES_MAX, timeout=timeout
        )
    except (aiohttp.ClientConnectionError, TimeoutError, OSError) as error:
        raise Unusable("unreachable", f"no peer answers at {address}: {_why(error)}") from None
    except (aiohttp.ClientError, msgspec.MsgspecError, ValueError):
        text = f"what answers at {address} is no tanist peer's page, or it takes no clients now"
        raise Unusable("not_peer", f'{text}; "tanist up" prints where the page is') from None
    return Place(address, status.name, app, signatures, status, socket)


async def status_at(http: aiohttp.ClientSession, address: str) -> Status | None:
    """What a peer says of itself; None if it does not answer."""
    try:
        return msgspec.json.decode(await _get(http, address, "/status"), type=Status)
    except (aiohttp.ClientError, TimeoutError, OSError, msgspec.MsgspecError, ValueError):
        return None


async def _get(http: aiohttp.ClientSession, address: str, path: str) -> bytes:
    async with http.get(f"http://{address}{path}") as answer:
        answer.raise_for_status()
        body = bytearray()
        async for chunk in answer.content.iter_chunked(1 << 16):
            body += chunk
            if len(body) > ANSWER_BYTES_MAX:
                raise ValueError("an endless answer")
    return bytes(body)


def _why(error: Exception) -> str:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    match cause:
        case ConnectionRefusedError():
            return "nothing listens there"
        case TimeoutError():
            return f"no answer within {CONNECT_S:g} s"
        case OSError(strerror=str(reason)):
            return reason.lower()
    return str(error) or type(error).__name__
