"""Planted bugs of planned moves: when a better-ranked peer takes over from a live server."""

from __future__ import annotations

from planted.bug import Bug, bug

_PREEMPTING = "election/preempting.py"
_TESTS = "tests/test_core_preempt.py"

MOVING: tuple[Bug, ...] = (
    bug(
        "busy-for-ever",
        "steady traffic puts off a better-ranked peer, and not for ever",
        _PREEMPTING,
        "if self.node.now < self._since + WAITS_MAX * wait:",
        "if True:",
        f"{_TESTS}::test_steady_traffic_puts_it_off_for_twice_its_time_and_not_for_ever",
    ),
    bug(
        "busy-is-interrupted",
        "a better-ranked peer takes over in an idle moment, if there is one in its time",
        _PREEMPTING,
        "return self.node.now >= self._since + wait and self._idle()",
        "return self.node.now >= self._since + wait",
        f"{_TESTS}::test_who_is_busy_is_not_interrupted",
    ),
    bug(
        "preempted-for-one-that-is-behind",
        "a better-ranked peer takes over only when it has caught up",
        _PREEMPTING,
        "return self.reign.open and client is not None and client.match >= last",
        "return self.reign.open",
        f"{_TESTS}::test_one_that_does_not_catch_up_does_not_take_over",
    ),
    bug(
        "better-at-once",
        "a better-ranked peer takes over only when it has been better for a while",
        _PREEMPTING,
        "        wait = self._wait_ns(found.id)\n",
        "        wait = 0\n",
        f"{_TESTS}::test_the_better_one_takes_over_after_its_time_by_a_hand_over",
    ),
)
