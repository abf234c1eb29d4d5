"""Accounts: small whatever happened, and read by versions that know less or more."""

import msgspec
import pytest

from tanist.peer.past.account import (
    ACCOUNT_BYTES_MAX,
    TEXT_CHARS_MAX,
    Account,
    Ballot,
    Retry,
    Step,
    Stood,
    decode,
    decode_statement,
    encode,
    short,
    term_of,
)

PLAIN = Account("b", "bea", "2@b", "server", "1@a", 1000, evidence="closed", retries=(Retry(1, 3, 50.0, "refused"),))


def test_an_account_comes_back_as_it_was() -> None:
    statement = decode_statement(encode(PLAIN))
    assert (statement.number, statement.holder, statement.peer) == (2, "b", "b")
    assert decode(statement.account) == PLAIN


def test_one_that_is_too_large_keeps_how_it_began_and_how_it_ended() -> None:
    long = "x" * TEXT_CHARS_MAX
    peers = tuple(f"peer{n:012}" for n in range(32))
    huge = msgspec.structs.replace(
        PLAIN,
        retries=tuple(Retry(n, 32, float(n), long, long) for n in range(32)),
        fallbacks=(long,) * 32,
        steps=tuple(Step("struck", peers, long) for _ in range(32)),
        stood=tuple(Stood(n, tuple((p, long) for p in peers), "won", peers, ((long, long),)) for n in range(8)),
        votes=tuple(Ballot(n, long, False, long) for n in range(32)),
    )
    body = encode(huge)
    assert len(body) < ACCOUNT_BYTES_MAX + 100
    kept = decode(decode_statement(body).account)
    assert (kept.term, kept.evidence, kept.lost) == (huge.term, huge.evidence, huge.lost)
    assert {retry.attempt for retry in kept.retries} <= {0, 31} and kept.retries


def test_fields_of_a_later_version_are_skipped_and_those_of_an_earlier_one_default() -> None:
    raw = msgspec.msgpack.encode([*msgspec.structs.astuple(PLAIN), "something new"])
    assert decode(raw) == PLAIN
    assert decode(msgspec.msgpack.encode(["b", "bea", "2@b", "server", "1@a", 1000])).outage_ms == 0


def test_what_none_of_us_wrote_is_not_kept() -> None:
    body = msgspec.msgpack.encode([2, "b", "b", "x" * (ACCOUNT_BYTES_MAX + 1)])
    with pytest.raises(msgspec.MsgspecError, match="at most 4096"):
        decode_statement(body)


def test_terms_and_texts() -> None:
    assert term_of("12@b") == (12, "b")
    assert term_of("none") == term_of("x@b") == term_of("²@b") == (0, "")
    assert short("ok") == "ok" and len(short("x" * 999)) == TEXT_CHARS_MAX
