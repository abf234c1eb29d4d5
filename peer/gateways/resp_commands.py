"""The commands of redis clients that the key-value store has, each put onto a command or query of it.

Reads answer at once; writes give a future. What is not here is an unknown command, as a client would be told elsewhere.
"""

import base64
import re
import time
from asyncio import Future
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tanist.peer.apps.values import KEYS_LISTED_MAX
from tanist.peer.gateways import resp_globs
from tanist.peer.gateways.resp_wire import Error, Push, Simple

CHANNELS_MAX = 1024
"""Channels that one connection listens on."""
VERSION = "7.0.0"
"""The redis version that clients are told: what they may expect of the commands here."""

OK = Simple("OK")
WRONG_SYNTAX = "ERR syntax error"
NOT_INTEGER = "ERR value is not an integer or out of range"
_ODD_KEY = "\x00base64:"
"""Begins the name, in the store, of a key that is no UTF-8."""
_PLAIN = re.compile(r"[^*?\[\\]*")


class Client(Protocol):
    """What commands need of their connection."""

    version: int
    name: bytes
    channels: dict[str, None]
    quitting: bool
    number: int

    def call(self, command: str, *given: Any, then: Callable[[Any], Any] = ...) -> "Future[Any]":
        """Have a command of the store done; `then` makes the answer of its result."""

    def query(self, name: str, *given: Any) -> Any:
        """Answer a query of the store."""

    def listeners(self, channel: str) -> int:
        """How many clients of this gateway listen on a channel."""

    def copies(self) -> int:
        """How many other peers had the last write of this connection when it was answered."""


Write = Callable[[Client, Sequence[bytes]], "Future[Any]"]
Read = Callable[[Client, Sequence[bytes]], Any]


def key_of(raw: bytes) -> str:
    """A key of any bytes as the store has it: text."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return _ODD_KEY + base64.b64encode(raw).decode()
    return _ODD_KEY + base64.b64encode(raw).decode() if text.startswith(_ODD_KEY) else text


def bytes_of(key: str) -> bytes:
    """A key of the store as its bytes."""
    return base64.b64decode(key[len(_ODD_KEY) :]) if key.startswith(_ODD_KEY) else key.encode()


def _integer(raw: bytes) -> int:
    digits = raw.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 19 or abs(int(raw)) >= 2**63:
        raise Error(NOT_INTEGER)
    return int(raw)


def _takes(name: str, given: Sequence[bytes], least: int, most: int | None = None) -> None:
    if len(given) < least or (most is not None and len(given) > most):
        raise Error(f"ERR wrong number of arguments for '{name}' command")


# Writes


def _set(client: Client, given: Sequence[bytes]) -> "Future[Any]":
    _takes("set", given, 2)
    ttl_ms: int | None = None
    only, keep = "any", False
    words = iter(given[2:])
    for word in words:
        match word.upper():
            case b"NX" | b"XX" as condition if only == "any":
                only = "new" if condition == b"NX" else "old"
            case b"KEEPTTL" if ttl_ms is None:
                keep = True
            case b"EX" | b"PX" | b"EXAT" | b"PXAT" as unit if ttl_ms is None and not keep:
                ttl_ms = _lifetime(unit, next(words, None))
            case _:
                raise Error(WRONG_SYNTAX)
    if only == "any" and ttl_ms is None and not keep:
        return client.call("set", key_of(given[0]), given[1], then=lambda _: OK)
    put = key_of(given[0]), given[1], ttl_ms, only, keep
    return client.call("put", *put, then=lambda done: OK if done else None)


def _lifetime(unit: bytes, raw: bytes | None) -> int:
    if raw is None:
        raise Error(WRONG_SYNTAX)
    amount = _integer(raw)
    ms = amount if unit.startswith(b"P") else amount * 1000
    if unit.endswith(b"AT"):
        ms -= time.time_ns() // 1_000_000
    if amount <= 0 or ms <= 0:
        raise Error("ERR invalid expire time in 'set' command")
    return ms


def _set_for(unit: bytes) -> Write:
    def write(client: Client, given: Sequence[bytes]) -> "Future[Any]":
        _takes("setex" if unit == b"EX" else "psetex", given, 3, 3)
        return _set(client, [given[0], given[2], unit, given[1]])

    return write


def _setnx(client: Client, given: Sequence[bytes]) -> "Future[Any]":
    _takes("setnx", given, 2, 2)
    return client.call("put", key_of(given[0]), given[1], None, "new", then=int)


def _del(client: Client, given: Sequence[bytes]) -> "Future[Any]":
    _takes("del", given, 1)
    return client.call("remove", [key_of(raw) for raw in given])


def _incr(sign: int, *, by: bool) -> Write:
    def write(client: Client, given: Sequence[bytes]) -> "Future[Any]":
        _takes("incrby" if by else "incr", given, 1 + by, 1 + by)
        amount = sign * (_integer(given[1]) if by else 1)
        return client.call("incr", key_of(given[0]), amount)

    return write


def _expire(unit_ms: int) -> Write:
    def write(client: Client, given: Sequence[bytes]) -> "Future[Any]":
        _takes("expire", given, 2, 2)
        return client.call("expire", key_of(given[0]), max(0, _integer(given[1]) * unit_ms), then=int)

    return write


def _flush(client: Client, given: Sequence[bytes]) -> "Future[Any]":
    if [word.upper() for word in given] not in ([], [b"ASYNC"], [b"SYNC"]):
        raise Error(WRONG_SYNTAX)
    return client.call("clear", then=lambda _: OK)


def _publish(client: Client, given: Sequence[bytes]) -> "Future[Any]":
    _takes("publish", given, 2, 2)
    channel = key_of(given[0])
    # As in a cluster of redis: those who listen at other peers hear it too, and are not counted.
    return client.call("publish", channel, given[1], then=lambda _: client.listeners(channel))


WRITES: dict[bytes, Write] = {
    b"SET": _set,
    b"SETEX": _set_for(b"EX"),
    b"PSETEX": _set_for(b"PX"),
    b"SETNX": _setnx,
    b"DEL": _del,
    b"UNLINK": _del,
    b"INCR": _incr(1, by=False),
    b"DECR": _incr(-1, by=False),
    b"INCRBY": _incr(1, by=True),
    b"DECRBY": _incr(-1, by=True),
    b"EXPIRE": _expire(1000),
    b"PEXPIRE": _expire(1),
    b"FLUSHALL": _flush,
    b"FLUSHDB": _flush,
    b"PUBLISH": _publish,
}

# Reads


def _get(client: Client, given: Sequence[bytes]) -> Any:
    _takes("get", given, 1, 1)
    return client.query("get", key_of(given[0]))


def _mget(client: Client, given: Sequence[bytes]) -> Any:
    _takes("mget", given, 1)
    return [client.query("get", key_of(raw)) for raw in given]


def _exists(client: Client, given: Sequence[bytes]) -> Any:
    _takes("exists", given, 1)
    return sum(client.query("get", key_of(raw)) is not None for raw in given)


def _ttl(unit_ms: int) -> Read:
    def read(client: Client, given: Sequence[bytes]) -> Any:
        _takes("ttl", given, 1, 1)
        at_ns = client.query("lapses_at", key_of(given[0]))
        if not at_ns:
            return -2 if at_ns is None else -1
        left_ms = max(0, (at_ns - time.time_ns()) // 1_000_000)
        return left_ms if unit_ms == 1 else (left_ms + 500) // 1000

    return read


def _keys(client: Client, given: Sequence[bytes]) -> Any:
    _takes("keys", given, 1, 1)
    pattern = given[0].decode("latin-1")
    # Only what is plain text in the store can be narrowed down by a prefix there.
    prefix = _PLAIN.match(pattern)
    plain = prefix[0] if prefix is not None and prefix[0].isascii() else ""
    found = client.query("keys", plain)
    if len(found) >= KEYS_LISTED_MAX:
        raise Error(f"ERR {KEYS_LISTED_MAX} keys or more begin so: use a pattern with a longer beginning")
    raw = [bytes_of(key) for key in found]
    glob = resp_globs.compiled(pattern)
    return [key for key in raw if glob.fullmatch(key.decode("latin-1"))]


def _ping(client: Client, given: Sequence[bytes]) -> Any:
    _takes("ping", given, 0, 1)
    if client.channels and client.version == 2:
        return [b"pong", given[0] if given else b""]
    return given[0] if given else Simple("PONG")


def _echo(client: Client, given: Sequence[bytes]) -> Any:
    _takes("echo", given, 1, 1)
    return given[0]


def _hello(client: Client, given: Sequence[bytes]) -> Any:
    words = list(given)
    if words:
        if words[0] not in (b"2", b"3"):
            raise Error("NOPROTO unsupported protocol version")
        version = int(words.pop(0))
        while words:
            match words.pop(0).upper():
                case b"SETNAME" if words:
                    client.name = words.pop(0)
                case b"AUTH":
                    raise Error("ERR this store has no passwords: call HELLO without AUTH")
                case _:
                    raise Error(WRONG_SYNTAX)
        client.version = version
    told = {"server": "redis", "version": VERSION, "proto": client.version, "id": client.number}
    return {**told, "mode": "standalone", "role": "master", "modules": []}


def _client(client: Client, given: Sequence[bytes]) -> Any:
    _takes("client", given, 1)
    match [given[0].upper(), *given[1:]]:
        case [b"ID"]:
            return client.number
        case [b"GETNAME"]:
            return client.name or None
        case [b"SETNAME", name]:
            client.name = name
            return OK
        case [b"SETINFO", _, _] | [b"NO-EVICT" | b"NO-TOUCH", _]:
            return OK
        case [b"INFO"]:
            return f"id={client.number} name={client.name.decode(errors='replace')} resp={client.version}\n"
    raise Error("ERR unknown subcommand of CLIENT; there are ID, GETNAME, SETNAME, SETINFO, INFO, NO-EVICT, NO-TOUCH")


def _config(client: Client, given: Sequence[bytes]) -> Any:
    _takes("config", given, 1)
    if given[0].upper() != b"GET":
        raise Error("ERR CONFIG has GET here: what a peer is told stands in its own configuration")
    known = {"save": "", "appendonly": "yes", "databases": "1"}
    asked = [resp_globs.compiled(word.decode("latin-1").lower()) for word in given[1:]]
    return {name: value for name, value in known.items() if any(glob.fullmatch(name) for glob in asked)}


def _command(client: Client, given: Sequence[bytes]) -> Any:
    match [word.upper() for word in given[:1]]:
        case [b"COUNT"]:
            return len(READS) + len(WRITES) + len(LISTENING)
        case [b"DOCS"]:
            return {}
    return []


def _info(client: Client, given: Sequence[bytes]) -> Any:
    keys = client.query("size")
    return f"# Server\r\nredis_version:{VERSION}\r\n# Replication\r\nrole:master\r\n# Keyspace\r\ndb0:keys={keys}\r\n"


def _select(client: Client, given: Sequence[bytes]) -> Any:
    _takes("select", given, 1, 1)
    if _integer(given[0]):
        raise Error("ERR DB index is out of range")
    return OK


def _quit(client: Client, given: Sequence[bytes]) -> Any:
    client.quitting = True
    return OK


def _wait(client: Client, given: Sequence[bytes]) -> Any:
    _takes("wait", given, 2, 2)
    return client.copies()


def _type(client: Client, given: Sequence[bytes]) -> Any:
    _takes("type", given, 1, 1)
    return Simple("none" if client.query("get", key_of(given[0])) is None else "string")


READS: dict[bytes, Read] = {
    b"GET": _get,
    b"MGET": _mget,
    b"EXISTS": _exists,
    b"TTL": _ttl(1000),
    b"PTTL": _ttl(1),
    b"TYPE": _type,
    b"KEYS": _keys,
    b"DBSIZE": lambda client, given: client.query("size"),
    b"PING": _ping,
    b"ECHO": _echo,
    b"HELLO": _hello,
    b"CLIENT": _client,
    b"CONFIG": _config,
    b"COMMAND": _command,
    b"INFO": _info,
    b"SELECT": _select,
    b"QUIT": _quit,
    b"WAIT": _wait,
}

# Listening: one answer for each channel


def _subscribe(client: Client, given: Sequence[bytes]) -> list[Any]:
    _takes("subscribe", given, 1)
    told = []
    for raw in given:
        if len(client.channels) >= CHANNELS_MAX:
            raise Error(f"ERR a connection listens on {CHANNELS_MAX} channels at most")
        client.channels[key_of(raw)] = None
        told.append(Push(("subscribe", raw, len(client.channels))))
    return told


def _unsubscribe(client: Client, given: Sequence[bytes]) -> list[Any]:
    told = []
    for raw in given or [bytes_of(channel) for channel in client.channels]:
        client.channels.pop(key_of(raw), None)
        told.append(Push(("unsubscribe", raw, len(client.channels))))
    return told or [Push(("unsubscribe", None, 0))]


LISTENING: dict[bytes, Callable[[Client, Sequence[bytes]], list[Any]]] = {
    b"SUBSCRIBE": _subscribe,
    b"UNSUBSCRIBE": _unsubscribe,
}
WHILE_LISTENING = frozenset({b"SUBSCRIBE", b"UNSUBSCRIBE", b"PING", b"QUIT"})
"""What a client of version 2 may say while it listens."""
