"""The encoded answer to a command, as it is kept in the session table and sent to its client.

A reply is part of the replicated state, so nothing stands in it that may differ between peers: of a bug only the
kind of exception, not its text, in which memory addresses may occur.
"""

from typing import Any

import msgspec

from tanist.election.sessions import SESSION_CODES
from tanist.peer.application.reporting import Misuse
from tanist.peer.errors import BY_CODE, CallError, Refused

REPLY_BYTES_MAX = 1 << 20
"""Bytes of one reply, as of one command."""
MESSAGE_LENGTH_MAX = 2000
"""Characters of an error's text: it is for a person."""
RESERVED_CODES = frozenset(BY_CODE) | SESSION_CODES
"""Codes that an application cannot use for its own refusals: they say that a command was not tried."""


class ResultError(Misuse, ValueError):
    """What a command returned is no answer: too large, or of a type that cannot be sent."""


class ResultReply(msgspec.Struct, frozen=True, array_like=True, tag=0, gc=False):
    """The command was done; `value` is what it gave."""

    value: Any


class ErrorReply(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The command was not done, or went wrong."""

    code: str
    message: str


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ResultReply | ErrorReply)


def encode_result(value: Any) -> bytes:
    """A reply with a result. Raises ResultError if it cannot be one."""
    try:
        reply = _encoder.encode(ResultReply(value))
    except Exception as error:
        raise ResultError(f"its result cannot be sent: {error}") from error
    if len(reply) > REPLY_BYTES_MAX:
        raise ResultError(f"its result has {len(reply)} bytes, at most {REPLY_BYTES_MAX}: give it in parts")
    return reply


def encode_error(code: str, message: str) -> bytes:
    """A reply with an error."""
    # Lone surrogates cannot be encoded, and this must not fail.
    text = message[:MESSAGE_LENGTH_MAX].encode(errors="replace").decode()
    return _encoder.encode(ErrorReply(code, text))


def encode_refusal(refused: Refused) -> bytes:
    """A reply with an application's own refusal."""
    code = refused.code
    if not isinstance(code, str) or not code.isascii() or not code or code in RESERVED_CODES:
        code = Refused.code
    message = refused.message if isinstance(refused.message, str) else type(refused).__name__
    return encode_error(code, message)


def error_code(reply: bytes) -> str:
    """The code of the error in a reply, "" if it has a result. Raises ValueError if it is no reply."""
    try:
        decoded = _decoder.decode(reply)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a reply: {error}") from error
    return decoded.code if isinstance(decoded, ErrorReply) else ""


def decode_reply(reply: bytes) -> Any:
    """The value in a reply, in plain types. Raises the CallError that it holds; ValueError if it is no reply."""
    try:
        decoded = _decoder.decode(reply)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a reply: {error}") from error
    if isinstance(decoded, ResultReply):
        return decoded.value
    known: type[CallError] = BY_CODE.get(decoded.code, Refused)
    raise known(decoded.message, decoded.code)
