"""What must hold of archived entries once all is quiet: real entries, each once, and nobody's lost without a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tanist.election.archived import archived_entry, heal_begun, heal_ended, key_of
from tanist.election.entries import Entry, Kind
from tanist.election.history import Term
from tanist.election.log import Log
from tanist.election.ready import Archive

Applied = Sequence[tuple[int, Entry]]


def archived_commands(applied: Applied) -> list[bytes]:
    """The bodies of the archived commands in what a peer applied, in order."""
    kept = (archived_entry(entry).entry for _, entry in applied if entry.kind == Kind.ARCHIVED)
    return [entry.body for entry in kept if entry.kind == Kind.COMMAND]


def missing(applied: Applied) -> int:
    """How many commands were reported as held by a snapshot only."""
    return sum(heal_ended(entry).missing for _, entry in applied if entry.kind == Kind.HEALED)


def let_go_problem(archives: Iterable[Archive], log: Log) -> str:
    """What a peer lets go of by changing over to a copy, its log now, that is nowhere in it; or ""."""
    for archive in archives:
        for index, entry in enumerate(archive.entries, archive.first):
            key = key_of(index, entry)
            if key is not None and not log.holds(key):
                return f"lets go of {key}, which its new log has neither live nor archived"
    return ""


def archive_problem(applied: Applied, written: Mapping[tuple[int, int, str], tuple[Entry, Term]]) -> str:
    """What is wrong with the archived entries of one log, or "".

    `written` is every entry ever, by index, number and holder.
    """
    live = {(index, entry.term) for index, entry in applied}
    seen: set[tuple[int, Term]] = set()
    open_heals: set[str] = set()
    for index, entry in applied:
        match entry.kind:
            case Kind.HEAL:
                open_heals.add(heal_begun(entry).heal)
            case Kind.HEALED:
                heal = heal_ended(entry).heal
                if heal not in open_heals:
                    return f"heal {heal} ends at {index} and was not open"
                open_heals.remove(heal)
            case Kind.ARCHIVED:
                kept = archived_entry(entry)
                if kept.heal not in open_heals:
                    return f"{kept.key} is archived at {index} under {kept.heal}, which is not open"
                if kept.key in seen:
                    return f"{kept.key} is archived twice, again at {index}"
                if kept.key in live:
                    return f"{kept.key} is archived at {index} and live too"
                at, term = kept.key
                known = written.get((at, term.number, term.holder), (None,))[0]
                if kept.entry.kind == Kind.ARCHIVED or known != kept.entry:
                    return f"what is archived at {index} is not the entry {kept.key}"
                seen.add(kept.key)
    return f"never ended: {sorted(open_heals)}" if open_heals else ""
