"""The verbs that ask a running peer over HTTP and show what it says."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tanist.peer.cli.client import SPARE_S, Client
from tanist.peer.cli.exits import Exit, VerbError
from tanist.peer.cli.output import complain, paint, safe, say, say_json
from tanist.peer.cli.show import application_lines, fallback_lines, heal_lines, history_lines, status_lines
from tanist.peer.cli.why import why_lines

WATCH_EVERY_S = 1.0
"""Seconds between two looks of `status --watch`: as often as the slowest pace has heartbeats."""


def show_status(at: str, json: bool) -> int:
    """`tanist status`."""
    client = Client(at)
    if json:
        sys.stdout.write(client.get_raw("/status").decode())
        return Exit.OK
    say("\n".join(status_lines(client.get("/status"))))
    return Exit.OK


def watch_status(at: str, json: bool) -> int:
    """`tanist status --watch`: until interrupted. A terminal is redrawn, else each change is a block or line."""
    client = Client(at)
    redraw = sys.stdout.isatty() and not json
    shown = None
    while True:
        try:
            status = client.get("/status")
            said: Any = status if json else "\n".join(status_lines(status))
        except VerbError as error:
            # A peer that is restarted comes back; a watch that had ended would be missed just then.
            said = {"error": {"code": "unreachable", "message": error.message}} if json else paint(error.message, "bad")
        if redraw:
            sys.stdout.write(f"\x1b[H\x1b[2J{said}\n")
        elif said != shown:
            say_json(said) if json else say(f"{said}\n")
        shown = said
        sys.stdout.flush()
        time.sleep(WATCH_EVERY_S)


def show_fallbacks(at: str, json: bool) -> int:
    """`tanist fallbacks`."""
    status = Client(at).get("/status")
    if json:
        say_json({"term": status["term"], "server": status["server"], "fallbacks": status["fallbacks"]})
    else:
        say("\n".join(line.removeprefix("  ") for line in fallback_lines(status)))
    if status["server"] is None:
        raise VerbError(Exit.NO_SERVER, status.get("problem") or "nobody serves; the list is the last one known")
    return Exit.OK


def show_history(at: str, json: bool) -> int:
    """`tanist history`."""
    client = Client(at)
    if json:
        sys.stdout.write(client.get_raw("/history").decode())
        return Exit.OK
    say("\n".join(history_lines(client.get("/history")["reigns"])))
    return Exit.OK


def show_why(at: str, term: str, json: bool) -> int:
    """`tanist why`: from a running peer."""
    found = Client(at).get("/why", {"term": term})
    say_json(found) if json else say("\n\n".join("\n".join(why_lines(reign)) for reign in found["reigns"]))
    return Exit.OK


def show_why_of_logs(paths: Sequence[Path], term: str, json: bool) -> int:
    """`tanist why --log`: the same, from election logs alone."""
    from tanist.peer.electionlog.reader import read
    from tanist.peer.errors import CallError
    from tanist.peer.past.fromlogs import past_of_logs
    from tanist.peer.past.telling import find, tell

    past = past_of_logs(read(paths, lambda problem: complain(str(problem))))
    try:
        found = [msgspec.to_builtins(tell(past, key)) for key in find(past, term)]
    except CallError as error:
        raise VerbError(Exit.USAGE if error.code == "bad_request" else Exit.FAILED, str(error)) from None
    say_json({"reigns": found}) if json else say("\n\n".join("\n".join(why_lines(reign)) for reign in found))
    return Exit.OK


def show_heals(at: str, heal: str | None, json: bool) -> int:
    """`tanist heals`: all of them, or the fates of one's entries."""
    found = Client(at).get("/heals", {"heal": heal} if heal else None)
    if json:
        say_json(found)
    else:
        say("\n".join(heal_lines(found["heals"])))
    return Exit.OK


def show_applications(at: str, specs: Sequence[str], json: bool) -> int:
    """`tanist apps`: those of a peer, or those named, which need none."""
    found = [_load(spec) for spec in specs] if specs else Client(at).get("/apps")["apps"]
    if json:
        say_json({"apps": found})
    elif found:
        say("\n\n".join("\n".join(application_lines(application)) for application in found))
    else:
        say("no applications; a peer runs those named with --app")
    return Exit.OK


def _load(spec: str) -> dict[str, Any]:
    from tanist.peer.application.loading import LoadError, load_application
    from tanist.peer.gateways.directory import describe

    try:
        name, application = load_application(spec)
    except LoadError as error:
        raise VerbError(Exit.USAGE, str(error)) from None
    return describe(name, application)


def hand_over(at: str, to: str | None, timeout_s: float, json: bool) -> int:
    """`tanist handover`."""
    body = {} if to is None else {"to": to}
    answer = Client(at).post("/cluster/handover", body, timeout_s + SPARE_S)
    say_json(answer) if json else say(f"{safe(answer['server'])} serves now")
    return Exit.OK


def abandon_founding(at: str, timeout_s: float, json: bool) -> int:
    """`tanist abandon-founding`."""
    answer = Client(at).post("/cluster/abandon-founding", {}, timeout_s)
    names = ", ".join(safe(name) for name in answer["waited_for"]) or "nobody"
    say_json(answer) if json else say(f"the founding attempt that waited for {names} is given up")
    return Exit.OK


def accept_loss(at: str, timeout_s: float, json: bool) -> int:
    """`tanist accept-loss`."""
    answer = Client(at).post("/cluster/accept-loss", {}, timeout_s)
    say_json(answer) if json else say(f"the peer goes on from entry {answer['last']}, the last that is sound")
    return Exit.OK


def use_settings(at: str, app: str, timeout_s: float, json: bool) -> int:
    """`tanist config use`."""
    answer = Client(at).post("/cluster/settings", {"app": app}, timeout_s)
    changed = ", ".join(map(safe, answer["changed"]))
    told = f"all peers use {changed} of {safe(app)} as this peer has them" if changed else "they are in use already"
    say_json(answer) if json else say(told)
    return Exit.OK


def leave(at: str, peer: str | None, timeout_s: float, json: bool) -> int:
    """`tanist leave`."""
    body = {} if peer is None else {"peer": peer}
    answer = Client(at).post("/cluster/leave", body, timeout_s)
    say_json(answer) if json else say(f"{safe(answer['left'])} has left the cluster")
    return Exit.OK
