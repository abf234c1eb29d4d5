"""A peer's status, its fallback list and the history, for people."""

from collections.abc import Mapping
from typing import Any

from tanist.peer.cli.output import paint, safe, table
from tanist.peer.durations import duration

Answer = Mapping[str, Any]


def status_lines(status: Answer) -> list[str]:
    """`GET /status` as lines: who serves first, the lists after it."""
    server, term = status["server"], status["term"]
    if server is not None:
        headline = paint(f"{safe(server['name'])} serves", "good")
        details = f"{server['address']}, term {term['number']}" + (
            f", since {status['since']}" if status["since"] else ""
        )
    else:
        headline = paint("nobody serves", "bad")
        details = status.get("problem") or "no server is known here"
    lines = [
        f"{headline}  {safe(details)}",
        f"cluster {safe(status['cluster'])} ({status['safety']}), seen from {safe(status['name'])} "
        f"({status['role']}, {status['address']})",
        f"acknowledged as {status['durability'] or 'none'}, reaching {status['reach']} of {len(status['members'])}; "
        f"{status['applied']} of {status['commit']} entries applied; applications: "
        + safe(", ".join(status["apps"]) or "none"),
    ]
    if heals := status.get("heals"):
        lines.append(f"{heals} split{'s' if heals > 1 else ''} healed: tanist heals tells what became of the writes")
    if others := status.get("settings_differ"):
        told = f"configured here with other settings than the cluster uses, which hold: {', '.join(others)}"
        told += " (tanist config use APP changes them for all)"
        lines.append(paint(safe(told), "warn"))
    if server is not None and status.get("problem"):
        lines.append(paint(safe(status["problem"]), "warn"))
    lines += ["", paint("If it dies, who serves on", "strong"), *fallback_lines(status)]
    lines += ["", paint("Members", "strong"), *_member_lines(status)]
    return lines


def fallback_lines(status: Answer) -> list[str]:
    """The fallback list, best first, with the reasons."""
    if not status["fallbacks"]:
        return ["  nobody stands ready"]
    rows = [
        [
            str(rank),
            entry["name"],
            entry["address"],
            "in sync" if entry["in_sync"] else f"{entry['lag']} behind",
            "yes" if entry.get("counts") else "no",
            entry["reason"],
        ]
        for rank, entry in enumerate(status["fallbacks"], 1)
    ]
    return table(["#", "name", "address", "copy", "waited for", "reason"], rows, indent="  ")


def _member_lines(status: Answer) -> list[str]:
    serving = (status["server"] or {}).get("id")
    rows = [
        [
            "*" if member["id"] == serving else "",
            member["name"],
            member["address"],
            member["state"],
            "" if member["lag"] < 0 else str(member["lag"]),
            member["id"],
        ]
        for member in status["members"]
    ]
    if not rows:
        return ["  none known"]
    return table(["", "name", "address", "state", "lag", "id"], rows, indent="  ")


def history_lines(reigns: list[Answer]) -> list[str]:
    """Who served when, oldest first."""
    if not reigns:
        return ["nobody has served yet"]
    rows = [
        [
            str(r["term"]["number"]),
            r["name"],
            r["began"],
            str(r["first_index"] or "-"),
            *("-" if (ms := r.get(key)) is None else duration(ms) for key in ("without_ms", "outage_ms")),
            r.get("because") or "-",
        ]
        for r in reigns
    ]
    return table(["term", "server", "began", "first entry", "nobody for", "callers waited", "because"], rows)


def heal_lines(heals: list[Answer]) -> list[str]:
    """Heals of splits, oldest first; of one that was asked for by its id also the fate of each entry."""
    if not heals:
        return ["no split has healed here"]
    rows = []
    for heal in heals:
        fates = heal["fates"]
        rows.append(
            [
                heal["heal"],
                heal["began"],
                ", ".join(heal["members"]),
                str(heal["archived"]),
                str(fates.get("replayed", 0) + fates.get("done", 0)),
                str(fates.get("archived", 0) + fates.get("refused", 0)),
                str(fates.get("unknown", 0)),
                str(heal["missing"]),
                "" if heal["ended"] else "goes on",
            ]
        )
    lines = table(["heal", "began", "brought by", "entries", "applied", "superseded", "unknown", "missing", ""], rows)
    for heal in heals:
        if "entries" in heal:
            lines += ["", *_fate_lines(heal)]
    return lines


def _fate_lines(heal: Answer) -> list[str]:
    rows = [
        [
            f"{entry['term']['number']}.{entry['index']}",
            " ".join(word for word in (entry["app"], entry["command"]) if word) or entry["kind"],
            entry["session"],
            str(entry["sequence"] or ""),
            "yes" if entry["acknowledged"] else "unknown",
            " ".join(word for word in (entry["fate"], entry["code"]) if word),
        ]
        for entry in heal["entries"]
    ]
    lines = table(["old place", "what", "session", "sequence", "acknowledged", "fate"], rows) if rows else []
    if heal["unlisted"]:
        lines.append(f"and {heal['unlisted']} more, which are not named any more")
    return lines


def application_lines(application: Answer) -> list[str]:
    """An application with its commands and queries."""
    lines = [paint(safe(application["name"]), "strong") + _sentence(application["doc"])]
    for kind in ("commands", "queries"):
        rows = [[o["usage"], o["returns"], _first_line(o["doc"])] for o in application[kind]]
        if rows:
            lines += table([kind, "gives", ""], rows, indent="  ")
    return lines


def _sentence(doc: str) -> str:
    return f"  {safe(_first_line(doc))}" if doc else ""


def _first_line(doc: str) -> str:
    return doc.strip().partition("\n")[0]
