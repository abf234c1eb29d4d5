"""Several commands and queries of the key-value store at one moment: nobody else's come in between."""

from collections.abc import Sequence
from typing import Any

import msgspec

from tanist.peer.application import Application, Context, Refused
from tanist.peer.application.specification import describe

STEPS = ("set", "put", "get", "remove", "clear", "incr", "cas", "expire", "publish", "size", "lapses_at")
"""What may be a step: all that touches few keys."""
STEPS_MAX = 1024  # Steps of one command: nobody else's is done meanwhile.
RESULTS_BYTES_MAX = 900 << 10  # Bytes of values in one answer, which has 1 MiB at most.

Argument = str | bytes | int | bool | list[str] | None
"""What a step is given."""
Step = tuple[str, list[Argument]]
"""The name of a command or query, and what it is given, in order."""
Done = tuple[bool, Any]
"""Whether a step was done, and its result; or why it was not, or cannot be told."""


def done_together(app: Application, ctx: Context, steps: Sequence[Step]) -> list[Done]:
    """Do the steps in order. One that is refused changes nothing, and the others are done all the same.

    Raises Refused, before anything is done, when a step is not known, or there are too many.
    """
    if len(steps) > STEPS_MAX:
        raise Refused(f"At most {STEPS_MAX} steps go into one command", "too_many")
    for name, _ in steps:
        if name not in STEPS:
            raise Refused(f"There is no step {name[:64]!r}; there are: {', '.join(STEPS)}", "bad_step")
    results: list[Done] = []
    left = RESULTS_BYTES_MAX
    for name, given in steps:
        try:
            result = _step(app, ctx, name, given)
        except Refused as refused:
            results.append((False, refused.message))
            continue
        left -= len(result.encode() if isinstance(result, str) else result) if isinstance(result, str | bytes) else 9
        results.append((True, result) if left >= 0 else (False, "The results are too large for one answer"))
    return results


def _step(app: Application, ctx: Context, name: str, given: Sequence[Argument]) -> Any:
    operation = describe(app).operations[name]
    named = dict(zip(operation.arguments.__struct_fields__, given, strict=False))
    try:
        if len(named) < len(given):
            raise msgspec.ValidationError
        arguments = msgspec.convert(named, operation.arguments, builtin_types=(bytes,))
    except msgspec.ValidationError:
        raise Refused(f"{name} does not take what it was given", "bad_step") from None
    return getattr(app, operation.method)(ctx, **msgspec.structs.asdict(arguments))
