"""Planted bugs of founding a quorum cluster."""

from planted.bug import Bug, bug

_FOUNDING = "election/founding.py"

FOUNDING: tuple[Bug, ...] = (
    bug(
        "founded-by-a-majority",
        "founding is unanimous",
        _FOUNDING,
        "        if missing:\n",
        "        if len(missing) > len(attempt.members.members) // 2:\n",
        "life/quorum",
        mark="D15",
    ),
    bug(
        "accepts-two-foundings",
        "one acceptance is open at a time",
        _FOUNDING,
        "if mine is None and included and not refused:",
        "if (mine is None or not mine.names(number, members)) and included and not refused:",
        "tests/test_rules.py::test_one_acceptance_of_a_founding_is_open_at_a_time_and_a_refusal_is_for_good",
        "life/quorum",
        mark="D15",
    ),
    bug(
        "founding-accepted-before-disk",
        "an acceptance is on disk before it is spoken",
        _FOUNDING,
        "node.send_after_disk(peer, FoundAnswer(number, members, agreed))",
        "node.send(peer, FoundAnswer(number, members, agreed))",
        "life/quorum",
        mark="D15",
    ),
    bug(
        "refused-founding-accepted-later",
        "a refusal is for good",
        _FOUNDING,
        "refused = any(r.refuses(number, members) for r in node.refused_foundings)",
        "refused = False",
        "tests/test_rules.py::test_one_acceptance_of_a_founding_is_open_at_a_time_and_a_refusal_is_for_good",
        "life/quorum",
        mark="D15",
    ),
    bug(
        "founding-accepted-is-forgotten",
        "an acceptance is kept over a restart",
        "election/records.py",
        "                self.founding = record\n",
        "                self.founding = None\n",
        "life/quorum",
        "tests/test_records.py",
        mark="D15",
    ),
    bug(
        "foundings-open-alike",
        "two attempts open with entries of two terms",
        "election/records.py",
        'return f"{self.number}@{ids[0]}#{digest}"',
        "return ids[0]",
        "tests/test_rules.py::test_two_attempts_never_open_with_the_same_entry",
    ),
)
