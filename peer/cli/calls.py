"""`tanist call`: from words on a command line to the arguments of a command or query."""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tanist.peer.cli.client import SPARE_S, Client, path_of
from tanist.peer.cli.exits import Exit, VerbError

Described = Mapping[str, Any]
BLOB = "Blob"
"""The type of what is bytes: a file on the command line."""


def call(
    client: Client, app: str, name: str, words: Sequence[str], *, timeout_s: float, key: str = "", read: str = ""
) -> dict[str, Any] | bytes:
    """Have a command done, or a query answered; gives the peer's answer, or the bytes of one. Raises `VerbError`.

    `words` are values in order, or name=value; of an argument that is bytes, the path of a file. `key` makes a retry
    safe and is made up where there is none.
    """
    described = client.get(path_of("apps", app))
    operation, is_command = _find(described, name)
    arguments = _by_name(operation, words, f"{app} {name}")
    path = path_of("apps", app, name)
    if is_command:
        if read:
            raise VerbError(Exit.USAGE, f"{app} {name} is a command; --read is for queries")
        if (file := _file(operation)) in arguments:
            return _put(client, path, arguments, file, timeout_s, key or secrets.token_hex(16))
        body = {n: _typed(operation, n, text) for n, text in arguments.items()}
        answer: dict[str, Any] = client.post(path, body, timeout_s, key or secrets.token_hex(16))
        return answer
    declared = {a["name"] for a in operation["arguments"]}
    # A parameter of the application goes before one of the gateway that has the same name.
    own = {"timeout": f"{timeout_s:g}", "read": read or "local"}
    asked = {n: v for n, v in own.items() if n not in declared} | arguments
    if BLOB in operation["returns"].split(" | "):
        return client.get_bytes(path, asked, timeout_s + SPARE_S)
    found: dict[str, Any] = client.get(path, asked, timeout_s + SPARE_S)
    return found


def _file(operation: Described) -> str:
    """The name of the argument that is bytes; "" if there is none."""
    return next((a["name"] for a in operation["arguments"] if a["type"] == BLOB), "")


def _put(client: Client, path: str, arguments: dict[str, str], file: str, timeout_s: float, key: str) -> dict[str, Any]:
    place = Path(arguments.pop(file))
    try:
        with place.open("rb") as opened:
            answer: dict[str, Any] = client.put(path, arguments, opened, timeout_s, key)
    except OSError as error:
        raise VerbError(Exit.USAGE, f"{place} cannot be read: {error.strerror or error}") from None
    return answer


def _find(described: Described, name: str) -> tuple[Described, bool]:
    for kind in ("commands", "queries"):
        for operation in described[kind]:
            if operation["name"] == name:
                return operation, kind == "commands"
    known = ", ".join(o["name"] for kind in ("commands", "queries") for o in described[kind])
    raise VerbError(Exit.USAGE, f"{described['name']} has no {name!r}; it has: {known}")


def _by_name(operation: Described, words: Sequence[str], title: str) -> dict[str, str]:
    """Words by the argument they are for: name=value where that is a name, else the next in order."""
    names = [a["name"] for a in operation["arguments"]]
    given: dict[str, str] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not (equals and name in names and name not in given):
            free = [n for n in names if n not in given]
            if not free:
                raise VerbError(Exit.USAGE, f"{title} takes no argument for {word!r}; usage: {operation['usage']}")
            name, text = free[0], word
        given[name] = text
    return given


def _typed(operation: Described, name: str, text: str) -> object:
    """A word as the JSON value its parameter takes: text stays text wherever text is taken."""
    (declared,) = (a["type"] for a in operation["arguments"] if a["name"] == name)
    members = {member.strip() for member in declared.split("|")}
    if members & {"str", "bytes", "Any", "object"}:
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return text
