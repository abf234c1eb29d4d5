"""Values on their way between JSON, query strings and an application's typed arguments.

Bytes are plain JSON strings where they are UTF-8, and `{"base64": "…"}` where they are not, both ways.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from tanist.peer.application.specification import Operation, Parameter
from tanist.peer.errors import BadRequest

QUERY_ARGUMENTS_MAX = 64
"""Arguments in one query string: no signature has as many, and each costs a conversion."""


def to_json(value: object) -> object:
    """Take plain values (as in `Reply.result`), give what JSON can say."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        try:
            return data.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(data).decode()}
    if isinstance(value, Mapping):
        return {_json_key(k): to_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(v) for v in value]
    return to_json(msgspec.to_builtins(value, builtin_types=(bytes,), str_keys=True))


def _json_key(key: object) -> str:
    if isinstance(key, str):
        return key
    return key.decode(errors="backslashreplace") if isinstance(key, bytes) else str(key)


def from_json(value: object) -> object:
    """Take decoded JSON, give it with every `{"base64": "…"}` as bytes; raise `BadRequest` on broken base64."""
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(coded := value.get("base64"), str):
            try:
                return base64.b64decode(coded, validate=True)
            except (binascii.Error, ValueError) as error:
                raise BadRequest(f'{{"base64": "{coded[:40]}"}} is not base64: {error}') from None
        return {k: from_json(v) for k, v in value.items()}
    if isinstance(value, list):
        return [from_json(v) for v in value]
    return value


def decode_object(body: bytes) -> dict[str, Any]:
    """Take a request's body, give its JSON object (empty for no body); raise `BadRequest` saying what is wrong."""
    if not body:
        return {}
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None
    if not isinstance(decoded, dict):
        kind = {list: "an array", str: "a string", NoneType: "null"}.get(type(decoded), "a plain value")
        raise BadRequest(f'the body is {kind}; the arguments go in an object by name, as in {{"name": value}}')
    return decoded


def parse_query(text: str) -> dict[str, list[bytes]]:
    """Take a raw query string, give each name with its values as bytes, in order; raise `BadRequest` on too many."""
    found: dict[str, list[bytes]] = {}
    if not text:
        return found
    parts = text.split("&", QUERY_ARGUMENTS_MAX)
    if len(parts) > QUERY_ARGUMENTS_MAX:
        raise BadRequest(f"over {QUERY_ARGUMENTS_MAX} arguments in the query string")
    for part in parts:
        name, _, value = part.replace("+", " ").partition("=")
        if name:
            key = unquote_to_bytes(name).decode(errors="replace")
            found.setdefault(key, []).append(unquote_to_bytes(value))
    return found


def from_query(parameter: Parameter, values: Sequence[bytes]) -> object:
    """Take what a query string gives for a parameter, give its text, or bytes where that is no UTF-8.

    A list may be given by naming the argument several times; raises `BadRequest` where there can be one only.
    """
    if len(values) == 1:
        return _text_or_bytes(values[0])
    if not parameter.compound:
        raise BadRequest(f"the argument {parameter.name!r} is given {len(values)} times; it takes one value")
    return [_text_or_bytes(v) for v in values]


def _text_or_bytes(value: bytes) -> object:
    if value.startswith(b'{"base64"'):
        return from_json(decode_object(value))
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def in_order(operation: Operation, given: Mapping[str, object]) -> list[object]:
    """Put arguments by name into the order of the signature, so that no name can collide with a call's own.

    Those left out at the end stay out; in the middle their default is filled in. Raises `BadRequest` naming an
    unknown or a missing argument; their types are the peer's to check.
    """
    parameters = operation.parameters
    ordered: list[object] = []
    used = 0
    for parameter in parameters:
        if parameter.name in given:
            ordered.append(given[parameter.name])
            used += 1
        elif parameter.required:
            raise BadRequest(f"{operation.app} {operation.name} needs the argument {parameter.name!r}")
        elif used == len(given):
            break
        else:
            ordered.append(parameter.default)
    if used < len(given):
        names = [p.name for p in parameters]
        unknown = next(name for name in given if name not in names)
        takes = ", ".join(names) or "none"
        raise BadRequest(f"{operation.app} {operation.name} has no argument {unknown!r}; it takes {takes}")
    return ordered
