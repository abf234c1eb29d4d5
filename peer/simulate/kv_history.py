"""What clients of the application `kv` saw, as operations for the check of linearizability."""

from collections.abc import Sequence
from math import inf

import msgspec

from tanist.election.entries import Command
from tanist.election.linearizability.operations import Operation, Outcome, operation
from tanist.election.simulation.machine import Seen
from tanist.peer.application.replies import ErrorReply, ResultReply

APP = "kv"
_ORDER = {"set": ("value",), "cas": ("old", "new"), "incr": ("by",), "del": (), "get": ()}
"""The operations on one key, and their arguments besides it in the order of the model."""
_DEFAULTS = {"by": 1}
MODELLED = frozenset({*_ORDER, "publish"})
"""What the model knows, or need not know. The other commands change keys by time, by condition or many at once."""

_decode_command = msgspec.msgpack.Decoder(Command).decode
_decode_query = msgspec.msgpack.Decoder(tuple[str, str, bytes]).decode
_decode_reply = msgspec.msgpack.Decoder(ResultReply | ErrorReply).decode


def kv_history(history: Sequence[Seen]) -> list[Operation]:
    """The operations on keys. Those of other applications, and queries over many keys, are left out.

    It ends where somebody first asked for what the model does not know: what keys hold from then on, it cannot tell,
    and an answer that came later may be due to that. (What is linearizable is so up to any moment.)
    """
    found, until = [], inf
    for seen in sorted(history, key=lambda seen: seen.invoked_at):
        if seen.name == "read":
            app, call, raw = _decode_query(seen.body)
        else:
            command = _decode_command(seen.body)
            app, call, raw = command.app, command.name, bytes(command.arguments)
            if app == APP and call not in MODELLED:
                until = seen.invoked_at
                break
        if app == APP and call in _ORDER:
            found.append((seen, call, raw))
    return [
        _operation(seen, call, raw, answered=seen.outcome == "ok" and seen.returned_at < until)
        for seen, call, raw in found
    ]


def _operation(seen: Seen, call: str, raw: bytes, *, answered: bool) -> Operation:
    given = msgspec.msgpack.decode(raw)
    outcome, result = Outcome.UNKNOWN, None
    if answered:
        reply = _decode_reply(seen.reply)
        # What the application refused is certainly not done.
        outcome = Outcome.OK if isinstance(reply, ResultReply) else Outcome.FAIL
        result = reply.value if isinstance(reply, ResultReply) else None
    return operation(
        seen.process,
        call,
        *(given.get(name, _DEFAULTS.get(name)) for name in _ORDER[call]),
        key=given["key"],
        result=result,
        began=seen.invoked_at,
        ended=seen.returned_at if answered else None,
        outcome=outcome,
    )
