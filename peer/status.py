"""What a peer says of itself: the answer to `GET /status`, stable and documented."""

import msgspec


class TermView(msgspec.Struct, frozen=True):
    """A term: its number, and the id of its holder ("" for none)."""

    number: int
    holder: str


class ServerView(msgspec.Struct, frozen=True):
    """The server, as this peer knows it."""

    id: str
    name: str
    address: str


class FallbackView(msgspec.Struct, frozen=True):
    """One entry of the fallback list. `lag` in entries."""

    id: str
    name: str
    address: str
    in_sync: bool
    lag: int
    counts: bool
    reason: str


class MemberView(msgspec.Struct, frozen=True):
    """One member of the roster: `state` is live, absent or learner; `lag` in entries, -1 when not known here."""

    id: str
    name: str
    address: str
    state: str
    lag: int


class Status(msgspec.Struct, frozen=True):
    """`GET /status`. `since` is RFC 3339 UTC, the begin of the present term ("" without one)."""

    cluster: str
    id: str
    name: str
    address: str
    http: str
    role: str
    safety: str
    term: TermView
    server: ServerView | None
    fallbacks: list[FallbackView]
    members: list[MemberView]
    commit: int
    applied: int
    durability: str
    reach: int
    since: str
    version: str
    apps: list[str]
    problem: str = ""
    """Why nobody serves, in a sentence; empty while all is well."""


class Receipt(msgspec.Struct, frozen=True):
    """How safely an acknowledged command is kept: `reach` of `members` peers hold it, as far as the server knows."""

    term: TermView
    index: int
    durability: str
    reach: int
    members: int


class Reply(msgspec.Struct, frozen=True):
    """The answer to a call: plain values (dicts, lists, strings, numbers, bytes, None), and the receipt."""

    result: object
    receipt: Receipt


class ReignView(msgspec.Struct, frozen=True):
    """One reign of the past, from the replicated log. `began` is RFC 3339 UTC log time."""

    term: TermView
    name: str
    first_index: int
    began: str
