"""A line of words as people type it, put onto an application's commands; and results as lines.

`SEND anna how are you` is the command `send` with `anna` and `how are you`: the last text argument takes the rest of
the line, others with spaces in them stand in double quotes.
"""

import re
from collections.abc import Sequence
from typing import Any, get_args, get_origin

import msgspec

from tanist.peer.application.hints import choices, encodable
from tanist.peer.application.specification import Operation, Parameter, Specified, describe, find, validate
from tanist.peer.errors import BadRequest, CallError, NotFound

SIZE_DIGITS_MAX = 18
"""Digits of a number of bytes: with more it is over every limit."""
_WORD = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"(?=\s|$)|(\S+))')
_ESCAPED = re.compile(r"\\(.)")


def read(app: Specified, line: str) -> tuple[Operation, list[Any]]:
    """The command or query that a line asks for, and its arguments.

    A line whose first word is none goes, whole, to the operation that the application names in `LINE`. Raises NotFound
    or BadRequest with what would be right.
    """
    word, rest = _first(line)
    name = word.lower()
    whole = getattr(app, "LINE", None)
    if name not in {o.name for o in _offered(app)}:
        if whole is not None and line.strip():
            return find(app, whole), [line.strip()]
        raise _unknown(app, word)
    operation = find(app, name)
    texts: dict[str, Any] = {}
    parameters = operation.parameters
    if operation.blob is not None:
        rest, size = _with_size(operation, rest)
        parameters = parameters[:-1]
        texts[operation.blob.name] = {"hash": "", "size": size}
    texts |= _texts(operation, parameters, rest)
    if missing := [p.name for p in operation.parameters if p.required and p.name not in texts]:
        raise BadRequest(f"{missing[0]} is missing; write {usage(operation)}")
    encoded = validate(app, operation.name, texts, text=True)
    given: dict[str, Any] = msgspec.msgpack.decode(encoded)
    values = []
    for parameter in operation.parameters[: len(texts)]:
        values.append(given.get(parameter.name, parameter.default))
    return operation, values


def asks_for_help(line: str) -> str | None:
    """The word that a HELP line asks about, "" for all; None if it is no such line."""
    word, rest = _first(line)
    return rest.strip() if word.lower() == "help" else None


def _offered(app: Specified) -> list[Operation]:
    offered = describe(app)
    return [*offered.commands, *offered.queries]


def _unknown(app: Specified, word: str) -> NotFound:
    words = ", ".join(o.name.upper() for o in _offered(app))
    return NotFound(f"there is no {word[:40].upper() or 'empty command'}; there are: {words}, HELP, QUIT")


def _first(line: str) -> tuple[str, str]:
    """The first word of a line, and the rest of it."""
    match = _WORD.match(line)
    if match is None:
        return "", ""
    return match[1] if match[1] is not None else match[2], line[match.end() :]


def bytes_after(app: Specified, line: str) -> int | None:
    """How many bytes follow a line as they are: those that a command takes. None if none do, or nobody can tell."""
    try:
        word, rest = _first(line)
        operation = find(app, word.lower())
        return None if operation.blob is None else _with_size(operation, rest)[1]
    except CallError:
        return None


def _with_size(operation: Operation, words: str) -> tuple[str, int]:
    """The last word of a line as the number of bytes that follow it, and what stands before."""
    *before, size = words.rsplit(None, 1) or [""]
    if not (size.isascii() and size.isdecimal()):
        raise BadRequest(f"the size is a whole number of bytes, and they follow; write {usage(operation)}")
    return "".join(before), int(size) if len(size) <= SIZE_DIGITS_MAX else 10**SIZE_DIGITS_MAX


def _texts(operation: Operation, parameters: Sequence[Parameter], rest: str) -> dict[str, str]:
    """The words behind the first, by the names of the arguments that they are for."""
    texts: dict[str, str] = {}
    at = 0
    for place, parameter in enumerate(parameters):
        if place == len(parameters) - 1 and _is_text(parameter.hint):
            text = rest[at:].strip()
            if text:
                texts[parameter.name] = _unquoted(text)
            return texts
        match = _WORD.match(rest, at)
        if match is None:
            return texts
        texts[parameter.name] = _unescaped(match[1]) if match[1] is not None else match[2]
        at = match.end()
    if rest[at:].strip():
        raise BadRequest(f"too many words; write {usage(operation)}")
    return texts


def _is_text(hint: Any) -> bool:
    return (
        hint is str or hint is bytes or str in getattr(hint, "__args__", ()) or bytes in getattr(hint, "__args__", ())
    )


def _unquoted(text: str) -> str:
    match = _WORD.fullmatch(text)
    return _unescaped(match[1]) if match is not None and match[1] is not None else text


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def usage(operation: Operation) -> str:
    """How to type a command: `SEND nick text`, `MOVE rock|paper|scissors`."""
    words = ["|".join(choices(p.hint)) or ("size" if p.is_blob else p.name) for p in operation.parameters]
    words = [word if p.required else f"[{word}]" for word, p in zip(words, operation.parameters, strict=True)]
    return " ".join([operation.name.upper(), *words])


def help_lines(app: Specified, about: str = "") -> list[str]:
    """A line for each command and query, or for the one that is named, from their signatures and docstrings.

    Raises NotFound where there is none of that name.
    """
    chosen = [o for o in _offered(app) if about.lower() in ("", o.name)]
    if not chosen:
        raise _unknown(app, about)
    rows = [(usage(o), o.doc.partition("\n")[0]) for o in chosen]
    if not about:
        rows += [("HELP", "This list."), ("QUIT", "End the connection.")]
    width = max(len(words) for words, _ in rows)
    return [f"{words:{width}}  {doc}".rstrip() for words, doc in rows]


def lines_of(operation: Operation, result: Any) -> list[str] | None:
    """A result as lines for people; None where there is none to show, and [] for an empty list.

    Plain values become what the operation says that it gives, so that their own `str` is used.
    """
    if result is None:
        return None
    shown = msgspec.convert(result, type=encodable(operation.result))
    if isinstance(shown, (list, tuple)) and not hasattr(shown, "_fields"):
        return [line for item in shown for line in _lines(item)]
    if isinstance(shown, dict):
        return [f"{_text(key)} {_text(value)}" for key, value in shown.items()]
    return _lines(shown)


def drawn(operation: Operation, result: Any) -> list[str] | None:
    """The lines of a result that has a form of its own for people: a Struct with a `__str__`, or a list of such.

    None for all others, and for one whose `__str__` fails: the result itself says as much.
    """
    hint = operation.result
    if get_origin(hint) is list:
        (hint,) = get_args(hint)
    if not (isinstance(hint, type) and issubclass(hint, msgspec.Struct)) or hint.__str__ is object.__str__:
        return None
    try:
        return lines_of(operation, result)
    except Exception:
        return None


def _lines(value: Any) -> list[str]:
    return _text(value).splitlines() or [""]


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}" if value != int(value) else str(int(value))
    return str(value)


def is_list(operation: Operation) -> bool:
    """Whether an operation gives a list: shown as several lines, however few there are."""
    return get_origin(operation.result) in (list, tuple, dict)
