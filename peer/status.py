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
    """One member of the roster: `state` is live, absent or learner; `lag` in entries, -1 when not known here.

    `http` is where its page is, "" while this peer has no link to it.
    """

    id: str
    name: str
    address: str
    state: str
    lag: int
    http: str = ""


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
    heals: int = 0
    """How many heals of splits `GET /heals` tells of."""
    settings_differ: list[str] = []
    """Applications for which this peer is configured with other settings than the cluster uses."""


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


class HealedEntryView(msgspec.Struct, frozen=True):
    """One entry that a heal brought: `index` and `term` are its old ones, `at` is its place in this log.

    `fate` is one of `tanist.peer.application.heals.Fate`; `code` says why, where that is an error's.
    """

    index: int
    term: TermView
    at: int
    kind: str
    app: str
    command: str
    session: str
    sequence: int
    acknowledged: bool
    fate: str
    code: str


class HealView(msgspec.Struct, frozen=True):
    """One heal: a history whose last term was `theirs` gave way, and parts from this one behind index `fork`.

    `members` are the names of those who brought it. `began` and `ended` are RFC 3339 UTC log time, `ended` "" while it
    goes on. `fates` counts all its entries, `unlisted` those that are not in `entries`, `missing` commands that only
    a snapshot held. `entries` is there where one heal was asked for.
    """

    heal: str
    fork: int
    theirs: TermView
    members: list[str]
    index: int
    began: str
    ended: str
    archived: int
    missing: int
    fates: dict[str, int]
    unlisted: int
    entries: list[HealedEntryView] | msgspec.UnsetType = msgspec.UNSET
