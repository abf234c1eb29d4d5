"""The defaults can be used, and what cannot is explained."""

from typing import Any

import pytest

from tanist.transport.settings import TransportSettings, settings_problems


def test_the_defaults_are_sound() -> None:
    assert settings_problems(TransportSettings()) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"links_max": 0}, "links_max must be greater than 0"),
        ({"hello_timeout_ms": -1}, "hello_timeout_ms must be greater than 0"),
        ({"frame_bytes_max": 1 << 20}, "frame_bytes_max must be at least"),
        ({"frame_bytes_max": 1 << 32, "write_buffer_bytes_max": 1 << 33}, "below 4 GiB"),
        ({"write_buffer_bytes_max": 1 << 20}, "at least twice frame_bytes_max"),
        ({"hello_bytes_max": 1 << 30}, "hello_bytes_max must not be above"),
    ],
)
def test_what_cannot_be_used_is_named(changes: dict[str, Any], problem: str) -> None:
    assert any(problem in p for p in settings_problems(TransportSettings(**changes)))
