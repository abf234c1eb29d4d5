"""The window of bytes on their way to a client."""

from __future__ import annotations

from tanist.election.window import CHUNK_BYTES_MAX, PROMPT_PARTS, WINDOW_BYTES_MAX, WINDOW_BYTES_MIN, Window

TIMEOUT = 4_000
PROMPT = TIMEOUT // PROMPT_PARTS


def fill(window: Window, last: int, now: int) -> None:
    window.sent(last, window.room(), now)
    window.limited = True


def test_it_doubles_while_it_is_full_and_confirmed_promptly_up_to_its_limit() -> None:
    window, now, sizes = Window(TIMEOUT), 0, []
    for i in range(12):
        fill(window, i, now)
        now += PROMPT
        window.arrived(i, now)
        sizes.append(window.size)
    assert sizes[:3] == [2 * WINDOW_BYTES_MIN, 4 * WINDOW_BYTES_MIN, 8 * WINDOW_BYTES_MIN]
    assert sizes[-1] == WINDOW_BYTES_MAX


def test_it_does_not_grow_when_nothing_waits_for_it() -> None:
    window = Window(TIMEOUT)
    for i in range(5):
        window.sent(i, 100, i)
        window.arrived(i, i + 1)
    assert window.size == WINDOW_BYTES_MIN
    assert window.in_flight == 0


def test_it_halves_once_for_what_was_on_its_way_together_and_never_below_its_least() -> None:
    window = Window(TIMEOUT)
    window.size = 8 * WINDOW_BYTES_MIN
    for i in range(4):
        window.sent(i, WINDOW_BYTES_MIN, 0)
    for i in range(4):
        window.arrived(i, PROMPT + 1 + i)
    assert window.size == 4 * WINDOW_BYTES_MIN
    for i in range(4, 20):
        window.sent(i, 1, i * 10 * PROMPT)
        window.arrived(i, (i * 10 + 2) * PROMPT)
    assert window.size == WINDOW_BYTES_MIN


def test_one_confirmation_may_stand_for_several_messages() -> None:
    window = Window(TIMEOUT)
    for i in range(1, 5):
        window.sent(i, 1000, 0)
    window.arrived(3, 1)
    assert window.in_flight == 1000
    window.arrived(3, 1)
    assert window.in_flight == 1000
    window.reset()
    assert window.room() == window.size


def test_chunks_grow_on_a_quick_link_and_shrink_on_a_slow_one() -> None:
    window, now = Window(TIMEOUT), 0
    quick = []
    for _ in range(8):
        quick.append(window.chunk(now))
        now += 1
    assert quick[0] == WINDOW_BYTES_MIN
    assert quick[-1] == CHUNK_BYTES_MAX
    for _ in range(12):
        now += 2 * PROMPT
        slow = window.chunk(now)
    assert slow == WINDOW_BYTES_MIN
