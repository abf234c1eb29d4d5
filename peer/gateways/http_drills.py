"""The addresses for injecting failures: `POST /drills/fault`, `GET` and `DELETE /drills/faults`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tanist.peer.errors import BadRequest, NotFound, Overloaded
from tanist.peer.gateways.http_answers import JsonAnswer, json_answer

if TYPE_CHECKING:
    from tanist.peer.faults.control import Drills


def inject(drills: Drills, fields: dict[str, Any]) -> JsonAnswer:
    """Begin a fault; answers with it. Raises `BadRequest`, `Overloaded`."""
    # Here, since a peer that allows no drills imports nothing of them.
    from tanist.peer.faults.control import TooMany
    from tanist.peer.faults.requests import fault_from

    try:
        return json_answer({"fault": drills.inject(fault_from(fields))})
    except ValueError as error:
        raise BadRequest(str(error)) from None
    except TooMany as error:
        raise Overloaded(str(error)) from None


def in_force(drills: Drills) -> JsonAnswer:
    """Answers with all faults of now."""
    return json_answer({"faults": drills.in_force()})


def end(drills: Drills, query: Mapping[str, list[bytes]]) -> JsonAnswer:
    """End all faults, or with `?id=` that one; answers with those that were in force. Raises `NotFound`."""
    if "id" not in query:
        return json_answer({"ended": drills.end_all()})
    name = query["id"][-1].decode(errors="replace")
    try:
        return json_answer({"ended": [drills.end(name)]})
    except KeyError:
        raise NotFound(f"there is no fault {name[:20]!r} in force; GET /drills/faults lists them") from None
