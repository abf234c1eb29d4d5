"""The applications of a peer as a gateway offers them: finding a command or query, and telling what there is."""

from collections.abc import Mapping
from typing import Any

import msgspec

from tanist.peer.application import hints, specification
from tanist.peer.application.specification import Operation
from tanist.peer.errors import NotFound


class Directory:
    """Looks things up in the peer's mapping of names to applications, which may grow."""

    def __init__(self, applications: Mapping[str, Any]) -> None:
        self._applications = applications

    def find(self, app: str, name: str) -> Operation:
        """A command or query that gateways offer; raises `NotFound` saying what there is."""
        return specification.find(self.application(app), name)

    def convert(self, app: str, operation: Operation, texts: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments given as text, by name, converted to their types; raises `BadRequest` naming the wrong one."""
        encoded = specification.validate(self.application(app), operation.name, texts, text=True)
        converted: dict[str, Any] = msgspec.msgpack.decode(encoded)
        return converted

    def describe(self, app: str) -> dict[str, Any]:
        """An application for `GET /apps/APP`; raises `NotFound`."""
        return describe(app, self.application(app))

    def application(self, app: str) -> Any:
        """An application by its name; raises `NotFound`."""
        application = self._applications.get(app)
        if application is None:
            known = ", ".join(self._applications) or "none"
            raise NotFound(f"there is no application {app[:64]!r} at this peer; there are: {known}")
        return application


def describe(name: str, application: Any) -> dict[str, Any]:
    """An application in plain values: its docstring, and its commands and queries with their arguments."""
    offered = specification.describe(application)
    return {
        "name": name,
        "doc": offered.doc,
        "commands": [_describe_operation(o) for o in offered.commands],
        "queries": [_describe_operation(o) for o in offered.queries],
    }


def _describe_operation(operation: Operation) -> dict[str, Any]:
    arguments = []
    for parameter in operation.parameters:
        told: dict[str, Any] = {"name": parameter.name, "type": parameter.type_name, "required": parameter.required}
        if not parameter.required:
            told["default"] = repr(parameter.default)
        if parameter.secret:
            told["secret"] = True
        if words := hints.only_choices(parameter.hint):
            told["choices"] = words
        if parameter.compound and not parameter.is_blob:
            told["json"] = True
        arguments.append(told)
    return {
        "name": operation.name,
        "usage": operation.usage,
        "doc": operation.doc,
        "returns": operation.returns,
        "arguments": arguments,
    }
