"""`tanist status` and `tanist fallbacks` in their plain forms, without the command line's library.

These are typed again and again, and by scripts on busy machines: loading the library takes as long as all the
rest. Whatever is not one of the plain forms is left to it, with its help and its errors.
"""

import os
from collections.abc import Callable, Sequence

from tanist.peer.cli.client import DEFAULT_AT
from tanist.peer.cli.exits import VerbError
from tanist.peer.cli.output import complain


def quick(arguments: Sequence[str]) -> int | None:
    """Run a plain `status` or `fallbacks`; gives its exit status, or None when the arguments are anything else."""
    if not arguments or arguments[0] not in ("status", "fallbacks"):
        return None
    if "TANIST_JSON" in os.environ or "TANIST_WATCH" in os.environ:
        return None
    at, json = os.environ.get("TANIST_AT", DEFAULT_AT), False
    rest = list(arguments[1:])
    while rest:
        word = rest.pop(0)
        if word == "--json":
            json = True
        elif word == "--at" and rest and not rest[0].startswith("-"):
            at = rest.pop(0)
        else:
            return None
    from tanist.peer.cli import asking

    show: Callable[[str, bool], int] = asking.show_status if arguments[0] == "status" else asking.show_fallbacks
    try:
        return show(at, json)
    except VerbError as error:
        complain(error.message)
        return error.status
