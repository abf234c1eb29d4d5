"""What `GET /why` and `GET /history` say of reigns: stable, documented in docs/reference/why.md.

Peers are told by name where one is known, else by id. Durations are null where nobody measured them.
"""

import msgspec

from tanist.peer.status import TermView


class RetryView(msgspec.Struct, frozen=True):
    """One retry: begun `after_ms` after the loss, and how it ended ("answered", its evidence, or "")."""

    attempt: int
    attempts: int
    after_ms: float
    outcome: str
    detail: str


class StepView(msgspec.Struct, frozen=True):
    """What a peer made of the list: `what` is struck, chosen or waited."""

    what: str
    peers: list[str]
    reason: str


class WitnessView(msgspec.Struct, frozen=True):
    """One peer's account: how it lost the server before, what it tried, how long it had none, what its callers saw.

    `lost` is the term that it lost, null after a start. `at` is RFC 3339 UTC by its own clock; `heard_ms` ago was the
    last heartbeat. `outage_ms` is the longest time between two answers while calls waited; null if none did.
    `archived` entries left its log and are kept in a file there. `recorded` is false while only this peer knows it.
    """

    id: str
    name: str
    role: str
    lost: TermView | None
    at: str
    cause: str
    evidence: str
    detail: str
    heard_ms: float | None
    retries: list[RetryView]
    retries_ms: float | None
    steps: list[StepView]
    without_ms: float | None
    away_ms: float | None
    outage_ms: float | None
    calls: int
    retried: int
    deduplicated: int
    archived: int
    recorded: bool = True


class PlaceView(msgspec.Struct, frozen=True):
    """One place of a fallback list: whether acknowledgements waited for that peer, and why it stood there."""

    name: str
    counts: bool
    reason: str


class OpposedView(msgspec.Struct, frozen=True):
    """Who was against a candidate, and why."""

    name: str
    reason: str


class StoodView(msgspec.Struct, frozen=True):
    """One ballot: who stood for which number, who supported and opposed it, who was left out on what evidence."""

    name: str
    number: int
    outcome: str
    support: list[str]
    opposed: list[OpposedView]
    left_out: dict[str, str]
    took_ms: float | None


class TimesView(msgspec.Struct, frozen=True):
    """How long each part took at the new server; `write_ms` and `open_ms` count from the reign's begin.

    `detection_ms` is the time since the last heartbeat when it suspected the server: the death lies within it.
    """

    detection_ms: float | None
    retries_ms: float | None
    ballot_ms: float | None
    without_ms: float | None
    open_ms: float | None
    write_ms: float | None


class EndView(msgspec.Struct, frozen=True):
    """The reign that came next, and why."""

    term: TermView
    name: str
    because: str


class ReignSummary(msgspec.Struct, frozen=True):
    """One reign of the past. `began` is RFC 3339 UTC ("" where unknown), `first_index` 0 where it is in no log here.

    `because` says why it began. `outage_ms` is the longest that any peer's callers waited for it, `without_ms` how long
    the new server had none.
    """

    term: TermView
    name: str
    first_index: int
    began: str
    because: str = ""
    outage_ms: float | None = None
    without_ms: float | None = None


class Why(msgspec.Struct, frozen=True):
    """One reign as a record: how it came about. `complete` once its server's own account is there.

    `before` is the reign that it followed; `fallbacks` is the list of that reign when `fallbacks_of` lost it.
    `outage_ms` is the longest of all peers but a server that was away; `calls`, `retried` and `deduplicated` are sums.
    `archived` entries of histories that ended entered the log in this reign.
    """

    term: TermView
    name: str
    first_index: int
    began: str
    because: str
    complete: bool
    before: TermView | None
    before_name: str
    witnesses: list[WitnessView]
    fallbacks: list[PlaceView]
    fallbacks_of: str
    stood: list[StoodView]
    times: TimesView
    outage_ms: float | None
    calls: int
    retried: int
    deduplicated: int
    archived: int
    ended: EndView | None
