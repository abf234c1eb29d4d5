"""The hello: who is at each end of a connection, and whether these two may talk at all.

The dialer sends its hello first; the listener answers with its own, or with a refusal. Both check. Magic
and protocol version stand first in every version, so that even a stranger version is told plainly.
"""

from enum import StrEnum

import msgspec

from tanist.election.ready import Remote
from tanist.transport.address import parse_address
from tanist.transport.errors import AddressError, ProtocolError
from tanist.transport.frames import encode_frame

HELLO, HELLO_ANSWER, REFUSAL = 1, 2, 3
"""Frame types of the dialer's hello, the listener's, and a refusal by either."""
CONTROL_TYPE_MAX = 15
"""Frame types up to here belong to the hello, never to messages."""

MAGIC = "tanist"
PROTOCOL_VERSION = 1
"""Grows only when old and new peers cannot talk any more; new message types and fields do not need that."""

NAME_CHARS_MAX = 64
"""Characters of a cluster, peer id, peer name or application: they stand in every line of the log."""
APPS_MAX = 256
"""Applications in one hello; a peer runs a handful."""
REFUSAL_CHARS_MAX = 500
"""Characters kept of a refusal's text: a sentence or two, from someone who may mean harm."""


class Code(StrEnum):
    """Why a peer is refused; others may come from newer versions."""

    PROTOCOL = "protocol"
    """Not the protocol of tanist, not this version of it, or a frame that breaks it."""
    NAME = "name"
    """A name that nobody could read in a log, or an address that nobody could dial."""
    CLUSTER = "cluster"
    FOUNDING = "founding"
    """Two quorum clusters of one name, each founded by itself."""
    SAFETY = "safety"
    MYSELF = "myself"
    """This very process answered: the address is this peer's own."""
    CLONE = "clone"
    """Another process runs with this peer's id: its data directory was copied."""
    FULL = "full"
    """No link is free."""
    NO_HELLO = "no_hello"
    """No hello within its deadline; only for the log of the one who turned it away."""
    CROWDED = "crowded"
    """Dropped for a newer connection; only for the log of the one who turned it away."""
    NO_RESOURCES = "no_resources"
    """The system had no file descriptor or memory for a connection; only for this peer's own log."""


class Hello(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Who speaks. `incarnation` is the stored counter and the random part of this start.

    `address` is where others reach this peer ("" only for a light one, which follows and holds no log);
    `serve` whether it may become the server; `apps` its applications and their versions; `founding` which founding
    its cluster goes back to (quorum mode, "" before it is founded); `http` where its page is, "" if others cannot know.
    """

    magic: str = MAGIC
    protocol: int = PROTOCOL_VERSION
    cluster: str
    safety: str
    id: str
    name: str
    incarnation: tuple[int, int]
    address: str
    serve: bool = True
    priority: int = 0
    apps: dict[str, str] = {}
    light: bool = False
    founding: str = ""
    http: str = ""

    def as_remote(self) -> Remote:
        """What the core is told of the other end of a link."""
        return Remote(self.id, self.name, self.address, self.incarnation, self.serve, self.priority, self.founding)


class Refusal(msgspec.Struct, frozen=True, array_like=True):
    """Why these two do not talk: a code for programs, a sentence for people, true at both ends."""

    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


class Preamble(msgspec.Struct, frozen=True, array_like=True):
    """The fields of a hello that no version moves."""

    magic: str
    protocol: int


_encoder = msgspec.msgpack.Encoder()
_hello = msgspec.msgpack.Decoder(Hello)
_preamble = msgspec.msgpack.Decoder(Preamble)
_refusal = msgspec.msgpack.Decoder(Refusal)


def encode_hello(frame_type: int, hello: Hello) -> bytes:
    """The frame of a hello: type `HELLO` from the dialer, `HELLO_ANSWER` from the listener."""
    return encode_frame(frame_type, _encoder.encode(hello))


def encode_refusal(refusal: Refusal) -> bytes:
    """The frame of a refusal."""
    return encode_frame(REFUSAL, _encoder.encode(refusal))


def decode_hello(value: bytes) -> Hello | Refusal:
    """The hello in a frame, or the refusal that another protocol or version deserves.

    Raises `ProtocolError` when it is no hello of any version.
    """
    try:
        preamble = _preamble.decode(value)
        if preamble.magic != MAGIC:
            return Refusal(Code.PROTOCOL, "this port speaks the protocol of tanist peers")
        if preamble.protocol != PROTOCOL_VERSION:
            versions = f"protocol version {preamble.protocol} met version {PROTOCOL_VERSION}"
            return Refusal(Code.PROTOCOL, f"{versions}; run the same release of tanist on both")
        return _hello.decode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ProtocolError(f"this is no hello: {error}") from error


def decode_refusal(value: bytes) -> Refusal:
    """The refusal in a frame, made fit for a log. Raises `ProtocolError` when it is none."""
    try:
        refusal = _refusal.decode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ProtocolError(f"this is no refusal: {error}") from error
    return Refusal(printable(refusal.code, NAME_CHARS_MAX), printable(refusal.text, REFUSAL_CHARS_MAX))


def check(mine: Hello, theirs: Hello) -> Refusal | None:
    """Whether two peers may talk: None, or why not. Asked at both ends."""
    # Names first: the sentences below quote them.
    if problem := _unreadable(theirs):
        return Refusal(Code.NAME, problem)
    they, we = f"peer {theirs.name!r} ({theirs.id})", f"peer {mine.name!r} ({mine.id})"
    if theirs.cluster != mine.cluster:
        clusters = f"{they} is of cluster {theirs.cluster!r}, {we} is of cluster {mine.cluster!r}"
        return Refusal(Code.CLUSTER, f"{clusters}; start both with the same --cluster, or use other addresses")
    if theirs.safety != mine.safety:
        modes = f"{they} keeps safety mode {theirs.safety!r}, {we} keeps {mine.safety!r}"
        return Refusal(Code.SAFETY, f"{modes}; a cluster has one mode, start both with the same --safety")
    if mine.founding and theirs.founding and mine.founding != theirs.founding:
        foundings = f"{they} goes back to founding {theirs.founding}, {we} to founding {mine.founding}"
        advice = "they are two clusters of one name; start one of them under another --cluster, with empty directories"
        return Refusal(Code.FOUNDING, f"{foundings}: {advice}")
    if theirs.id == mine.id and theirs.incarnation == mine.incarnation:
        return Refusal(Code.MYSELF, f"{we} dialed itself at {mine.address}")
    if theirs.id == mine.id:
        text = f"id {mine.id} is in use at {mine.address or 'a light peer'} and at {theirs.address or 'a light peer'}"
        return Refusal(Code.CLONE, f"{text}: a data directory was copied; start one of them with an empty one")
    return None


def printable(text: str, chars_max: int) -> str:
    """A text from elsewhere as a log may show it: one line, no control characters, not too long."""
    cut = text if len(text) <= chars_max else text[: chars_max - 1] + "…"
    return "".join(c if c.isprintable() else "�" for c in cut)


def _unreadable(hello: Hello) -> str:
    """What is wrong with the names and the address of a hello, in a sentence; "" when all can be used."""
    named = {"cluster": hello.cluster, "safety mode": hello.safety, "id": hello.id, "name": hello.name}
    for what, text in named.items():
        if not _is_name(text):
            return f"a peer's {what} must be 1 to {NAME_CHARS_MAX} printable characters, not {_shown(text)}"
    if len(hello.apps) > APPS_MAX:
        return f"peer {hello.name!r} names {len(hello.apps)} applications; {APPS_MAX} are allowed"
    for app, version in hello.apps.items():
        if not _is_name(app) or (version and not _is_name(version)):
            return f"peer {hello.name!r} names an application that cannot be read: {_shown(app)} {_shown(version)}"
    if hello.http and (problem := _undialable(hello.http)):
        return f"peer {hello.name!r} says its page is at {problem}"
    if hello.light and not hello.address:
        return ""
    problem = _undialable(hello.address)
    return f"peer {hello.name!r} says it is reached at {problem}" if problem else ""


def _undialable(address: str) -> str:
    """Why nobody can dial an address, to stand behind "at"; "" when it can be dialed."""
    try:
        _, port = parse_address(address)
    except AddressError as error:
        return f"an address that nobody can dial: {error}"
    return "" if port else "port 0, which nobody can dial"


def _is_name(text: str) -> bool:
    return 0 < len(text) <= NAME_CHARS_MAX and text.isprintable() and text == text.strip()


def _shown(text: str) -> str:
    """A text of any length and content, safe to quote."""
    return repr(printable(text, 40))
