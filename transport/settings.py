"""The settings of the transport: limits and deadlines, each with its unit and its reason.

There is no limit per source address: on a laptop, behind one router or in containers honest peers share
one address, and the cap on connections without a hello already keeps strangers from shutting others out.
"""

import msgspec

from tanist.election.entries import BODY_BYTES_MAX
from tanist.election.settings import APPEND_BYTES_MAX


class TransportSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much a connection may cost, and how long it may take."""

    frame_bytes_max: int = 16 << 20
    """Bytes of one frame's value, in and out. Far above the largest message (entries of 2 MiB); a greater
    announced length is damage or malice and ends the connection before memory is set aside."""
    hello_bytes_max: int = 16 << 10
    """Bytes of one frame before the hello is done: a stranger makes this peer hold no more than this."""
    hello_timeout_ms: float = 2000
    """Milliseconds in which a connection that was accepted must have sent its hello. A peer sends it at once,
    so this covers a round trip and a busy sender, no more."""
    unauthenticated_max: int = 128
    """Accepted connections without a hello, or being closed, at once. When one more comes the oldest is
    dropped, so that idle connections never keep a real peer out."""
    links_max: int = 512
    """Open links at once: a cluster's members and its light peers, with room. Further peers are refused."""
    dials_max: int = 128
    """Dials under way at once: a retry round asks every member and every given address, with room."""
    write_buffer_bytes_max: int = 32 << 20
    """Bytes that wait for one slow reader. Beyond it the link is cut, never waited for: it comes back and
    gets what it lacks. At least two full frames, so that a burst is no reason."""
    close_timeout_ms: float = 2000
    """Milliseconds a closed link may take to hand over what was sent before; then it is cut."""
    accept_pause_ms: float = 100
    """Milliseconds without accepting after the system had no file descriptor or memory left, so that the
    listener neither spins nor dies."""
    listen_backlog: int = 512
    """Connections that the system holds until this peer accepts them; all members may come in one moment."""
    rejected_notices_max: int = 10
    """Notices of turned-away connections in one second; the rest are counted, so that nobody fills a log."""


def settings_problems(settings: TransportSettings) -> list[str]:
    """What is wrong with the settings, in sentences; empty when they can be used."""
    problems = [
        f"{field.name} must be greater than 0"
        for field in msgspec.structs.fields(TransportSettings)
        if getattr(settings, field.name) <= 0
    ]
    largest = BODY_BYTES_MAX + APPEND_BYTES_MAX
    if settings.frame_bytes_max < 2 * largest:
        problems.append(f"frame_bytes_max must be at least {2 * largest}: entries travel in messages of half of that")
    if settings.frame_bytes_max >= 1 << 32:
        problems.append("frame_bytes_max must be below 4 GiB: a frame's length has 4 bytes")
    if settings.write_buffer_bytes_max < 2 * settings.frame_bytes_max:
        problems.append("write_buffer_bytes_max must be at least twice frame_bytes_max, or a burst cuts a link")
    if settings.hello_bytes_max > settings.frame_bytes_max:
        problems.append("hello_bytes_max must not be above frame_bytes_max")
    return problems
