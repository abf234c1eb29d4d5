"""Results as lines for people: what a console, `nc` or a log shows of an answer."""

from typing import Any

import msgspec

from tanist.peer.application import hints
from tanist.peer.application.specification import Operation


def result_lines(operation: Operation, value: Any) -> list[str]:
    """The lines of a result: a list's items one by one, a Struct as its `str`, nothing for None.

    `value` is plain, as a reply or a query gives it. Raises msgspec.ValidationError for one that `operation` cannot
    have given.
    """
    typed = msgspec.convert(value, hints.encodable(operation.result), builtin_types=(bytes,))
    items = typed if isinstance(typed, list) else [typed]
    return [line for item in items if item is not None for line in (str(item).splitlines() or [""])]
