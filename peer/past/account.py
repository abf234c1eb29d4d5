"""An account: what one peer saw of one change of servers, small enough to be an entry of the log.

Moments are the peer's own wall clock, in milliseconds since 1970; durations are measured by its steady clock. Peers are
ids, terms "number@holder". New fields go last, with a default, so that older peers read newer accounts.
"""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

ACCOUNT_BYTES_MAX = 4096
"""Bytes of an encoded account: that of a usual failover has some 500, and none may make the log grow."""
ITEMS_MAX = 32
"""Items of each list in an account, at first; halved until it fits."""
TEXT_CHARS_MAX = 160
"""Characters kept of a text from elsewhere, such as a system's error message."""
NO_TERM_TEXT = "none"
"""How a term is written that there is not."""

_Item = TypeVar("_Item")


class Retry(msgspec.Struct, frozen=True, array_like=True):
    """One retry to reach the lost server, begun `after_ms` after the loss: "answered", or its evidence."""

    attempt: int
    attempts: int
    after_ms: float
    outcome: str = ""
    detail: str = ""


class Step(msgspec.Struct, frozen=True, array_like=True):
    """What this peer made of the list: `what` is struck, chosen or waited, of whom, and why."""

    what: str
    peers: tuple[str, ...]
    reason: str


class Stood(msgspec.Struct, frozen=True, array_like=True):
    """That this peer stood for a number: what each answered, "support" or why not, and how the ballot ended."""

    number: int
    answers: tuple[tuple[str, str], ...] = ()
    outcome: str = ""
    support: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    took_ms: float = 0.0


class Ballot(msgspec.Struct, frozen=True, array_like=True):
    """This peer's answer to one that asked for its vote."""

    number: int
    candidate: str
    granted: bool
    reason: str


class Account(msgspec.Struct, frozen=True, array_like=True):
    """How `peer` lost the reign `lost` ("none" after a start) and came to the reign `term`, in `role` (server, client).

    `cause` is why it had no server any more; `evidence` is empty where it lost none but was told, or served itself.
    `fallbacks` is the list at that moment ("name counts|waits (reason)", best first). Durations are -1 where there is
    none: `heard_ms` since the last heartbeat, `retries_ms` until the retries were over, `without_ms` without a server,
    `open_ms` and `write_ms` from the reign's begin to its first acknowledgement and its first command.
    """

    peer: str
    name: str
    term: str
    role: str
    lost: str
    at_ms: int
    cause: str = ""
    evidence: str = ""
    detail: str = ""
    heard_ms: float = -1.0
    retries: tuple[Retry, ...] = ()
    retries_ms: float = -1.0
    fallbacks: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    stood: tuple[Stood, ...] = ()
    votes: tuple[Ballot, ...] = ()
    without_ms: float = -1.0
    first: bool = False
    open_ms: float = -1.0
    write_ms: float = -1.0
    away_ms: float = 0.0
    archived: int = 0
    outage_ms: float = 0.0
    calls: int = 0
    retried: int = 0
    deduplicated: int = 0


class Statement(msgspec.Struct, frozen=True, array_like=True):
    """Body of an entry of `Kind.ACCOUNT`: whose account of which reign, and the account as it was encoded."""

    number: int
    holder: str
    peer: str
    account: msgspec.Raw


_encoder = msgspec.msgpack.Encoder()
_account_decoder = msgspec.msgpack.Decoder(Account)
_statement_decoder = msgspec.msgpack.Decoder(Statement)


def term_of(text: str) -> tuple[int, str]:
    """The number and holder of a term written "number@holder"; (0, "") for none."""
    number, at, holder = text.partition("@")
    return (int(number), holder) if at and number.isascii() and number.isdecimal() else (0, "")


def short(text: str) -> str:
    """A text from elsewhere, cut to what an account keeps."""
    return text if len(text) <= TEXT_CHARS_MAX else text[: TEXT_CHARS_MAX - 1] + "…"


def encode(account: Account) -> bytes:
    """The body of the entry that tells an account; of one that is too large, less of each list."""
    number, holder = term_of(account.term)
    items = ITEMS_MAX
    body = _encoder.encode(account)
    while len(body) > ACCOUNT_BYTES_MAX and items:
        items //= 2
        body = _encoder.encode(_with_less(account, items))
    return _encoder.encode(Statement(number, holder, account.peer, msgspec.Raw(body)))


def decode_statement(body: bytes) -> Statement:
    """What an entry of `Kind.ACCOUNT` says. Raises msgspec.MsgspecError."""
    statement = _statement_decoder.decode(body)
    if len(statement.account) > ACCOUNT_BYTES_MAX:
        raise msgspec.ValidationError(
            f"an account of {len(statement.account)} bytes; at most {ACCOUNT_BYTES_MAX} are kept"
        )
    return statement


def decode(account: bytes) -> Account:
    """An account from its encoded form. Raises msgspec.MsgspecError."""
    return _account_decoder.decode(account)


def _with_less(account: Account, items: int) -> Account:
    return msgspec.structs.replace(
        account,
        retries=_ends(account.retries, items),
        fallbacks=account.fallbacks[:items],
        steps=_ends(
            [msgspec.structs.replace(step, peers=step.peers[:items]) for step in account.steps],
            items,
        ),
        stood=_ends([_stood_with_less(stood, items) for stood in account.stood], items),
        votes=_ends(account.votes, items),
    )


def _stood_with_less(stood: Stood, items: int) -> Stood:
    return msgspec.structs.replace(
        stood, answers=stood.answers[:items], support=stood.support[:items], left_out=stood.left_out[:items]
    )


def _ends(items: Sequence[_Item], count: int) -> tuple[_Item, ...]:
    """The first and the last of a list: how it began, and how it ended."""
    if len(items) <= count:
        return tuple(items)
    head = count // 2
    return (*items[:head], *items[len(items) - (count - head) :])
