"""What clients of the application `kv` saw, as operations for the check of linearizability."""

from collections.abc import Sequence

import msgspec

from tanist.election.entries import Command
from tanist.election.linearizability.operations import Operation, Outcome, operation
from tanist.election.simulation.machine import Seen
from tanist.peer.application.replies import ErrorReply, ResultReply

APP = "kv"
_ORDER = {"set": ("value",), "cas": ("old", "new"), "incr": ("by",), "del": (), "get": ()}
"""The operations on one key, and their arguments besides it in the order of the model."""
_DEFAULTS = {"by": 1}

_decode_command = msgspec.msgpack.Decoder(Command).decode
_decode_query = msgspec.msgpack.Decoder(tuple[str, str, bytes]).decode
_decode_reply = msgspec.msgpack.Decoder(ResultReply | ErrorReply).decode


def kv_history(history: Sequence[Seen]) -> list[Operation]:
    """The operations on keys. Those of other applications, and queries over many keys, are left out."""
    found = []
    for seen in history:
        if seen.name == "read":
            app, call, raw = _decode_query(seen.body)
        else:
            command = _decode_command(seen.body)
            app, call, raw = command.app, command.name, bytes(command.arguments)
        if app == APP and call in _ORDER:
            found.append(_operation(seen, call, raw))
    return found


def _operation(seen: Seen, call: str, raw: bytes) -> Operation:
    given = msgspec.msgpack.decode(raw)
    answered = seen.outcome == "ok"
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
