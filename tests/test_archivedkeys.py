"""The archived keys of a log, against a plain set."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tanist.election.archived import ArchivedEntry, HealBegun, HealEnded, Reported, heal_body
from tanist.election.archivedkeys import REPORTS_MAX, ArchivedKeys, OpenHeal
from tanist.election.entries import Entry, Kind
from tanist.election.history import Term
from tanist.election.log import Log


def entry(kind: Kind, body: bytes = b"", number: int = 9) -> Entry:
    return Entry(number, "z", kind, 0, 0, body)


def archived(index: int, number: int, kind: Kind = Kind.COMMAND) -> Entry:
    kept = ArchivedEntry("h", index, Entry(number, "a", kind, 0, 0, b""), True)
    return entry(Kind.ARCHIVED, heal_body(kept))


KEYS = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 2)), unique=True)


@given(KEYS, st.integers(0, 40))
def test_what_was_taken_is_there_and_what_was_undone_is_not(keys: list[tuple[int, int]], undone: int) -> None:
    found = ArchivedKeys()
    for index, number in keys:
        found.take(archived(index, number))
    gone = keys[max(0, len(keys) - undone) :]
    for index, number in reversed(gone):
        found.undo(archived(index, number))
    left = set(keys) - set(gone)
    again = ArchivedKeys(found.archives())
    for tracked in (found, again):
        for index in range(14):
            for number in (1, 2):
                assert ((index, Term(number, "a")) in tracked) == ((index, number) in left)
                assert tracked.count(Term(number, "a"), 3, index) == sum(
                    1 for i, n in left if n == number and 3 <= i <= index
                )
    runs = found.archives().runs
    for a, b in pairwise(runs):
        assert a.term != b.term or a.last + 1 < b.first, "runs that touch are one"


def test_a_heal_is_open_until_its_end_and_again_when_that_is_cut() -> None:
    log = Log()
    begun = entry(Kind.HEAL, heal_body(HealBegun("h", 3, Term(1, "a"), ("a",))))
    log.append([begun, archived(4, 1), archived(5, 1, Kind.SESSION_OPENED)])
    assert log.archived.archives().open == (OpenHeal("h", 2),)
    assert log.commands == 1, "an archived command counts, an archived session does not"
    log.append([entry(Kind.HEALED, heal_body(HealEnded("h", 2, 0)))])
    assert not log.archived.open
    log.truncate(3)
    assert log.archived.open == {"h": 2}
    log.truncate(2)
    assert log.archived.open == {"h": 1}
    assert not log.holds((5, Term(1, "a")))
    log.truncate(0)
    assert not log.archived.archives().runs
    assert log.commands == 0


def test_what_heals_reported_is_known_until_the_report_is_cut_and_again_from_a_snapshot() -> None:
    found = ArchivedKeys()
    found.take(entry(Kind.HEALED, heal_body(HealEnded("none", 2, 0))))
    assert not found.reported
    nested = entry(Kind.HEALED, heal_body(HealEnded("h", 2, 7, (Reported("g", 3),))))
    found.take(nested)
    assert found.reported == ArchivedKeys(found.archives()).reported == {"h": 4, "g": 3}
    found.undo(nested)
    assert not found.reported
    for i in range(REPORTS_MAX + 5):
        found.take(entry(Kind.HEALED, heal_body(HealEnded(f"{i}", 0, 1))))
    assert len(found.reported) == REPORTS_MAX
    assert "4" not in found.reported and "5" in found.reported


def test_what_would_be_lost_with_a_suffix_is_all_but_bookkeeping_under_its_first_key() -> None:
    log = Log()
    body = heal_body(HealBegun("h", 3, Term(1, "a"), ()))
    log.append([entry(Kind.REIGN), entry(Kind.COMMAND), entry(Kind.HEAL, body), archived(7, 1), entry(Kind.TIMER)])
    z, a = Term(9, "z"), Term(1, "a")
    assert log.keys_after(0) == {(2, z): 2, (7, a): 4, (5, z): 5}
    assert log.keys_after(3) == {(7, a): 4, (5, z): 5}
    assert log.holds((2, z))
    assert log.holds((7, a))
    assert not log.holds((2, a))
    part = log.copy_to(3)
    assert (part.last, part.commands, log.last) == (3, 1, 5)
    assert not part.holds((7, a))
    assert log.archives_at(3).runs == ()
    assert log.archives_at(4).runs == log.archived.archives().runs
