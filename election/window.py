"""How many bytes may be on their way to one client: few enough that heartbeats do not wait behind them for long.

It begins with what a very slow link carries well within a heartbeat's time-out, doubles while what was sent is
confirmed promptly and there is more to send, and halves when it is not.
"""

from collections import deque

WINDOW_BYTES_MIN = 32 << 10
"""What 100 kbit/s carry in under three seconds: less than the heartbeat's time-out at the usual pace."""
WINDOW_BYTES_MAX = 8 << 20
"""Enough for a gigabit link with 60 ms to and fro; far below what a connection may buffer."""
CHUNK_BYTES_MAX = 256 << 10
"""Bytes of a snapshot in one message, on the quickest of links."""
ENTRY_OVERHEAD_BYTES = 64
"""What an entry takes on the wire besides its body, about."""
PROMPT_PARTS = 8
"""A confirmation is prompt within this part of a heartbeat's time-out."""


class Window:
    """The bytes on their way to one client. `prompt_ns` is how soon a confirmation is expected."""

    def __init__(self, timeout_ns: int) -> None:
        self.prompt_ns = timeout_ns // PROMPT_PARTS
        self.size = WINDOW_BYTES_MIN
        self.in_flight = 0
        self.limited = False
        """Whether something waits because the window is full."""
        self._sent: deque[tuple[int, int, int]] = deque()
        """Last index, bytes and time of each message with entries that is not confirmed yet."""
        self._changed_at = 0
        self._chunk_at: int | None = None

    def room(self) -> int:
        """How many more bytes may be sent; an empty window always has room."""
        return self.size - self.in_flight

    def sent(self, last: int, size: int, now: int) -> None:
        """Entries up to index `last` are on their way."""
        self.in_flight += size
        self._sent.append((last, size, now))

    def arrived(self, index: int, now: int) -> None:
        """Everything up to `index` has arrived."""
        sent_at = None
        while self._sent and self._sent[0][0] <= index:
            _, size, sent_at = self._sent.popleft()
            self.in_flight -= size
        if sent_at is not None:
            self._measured(sent_at, now)

    def _measured(self, sent_at: int, now: int) -> None:
        if sent_at < self._changed_at:
            # It was on its way before the last change, and says nothing of what that led to.
            return
        if now - sent_at > self.prompt_ns:
            self.size = max(self.size // 2, WINDOW_BYTES_MIN)
            self._changed_at = now
        elif self.limited:
            self.size = min(2 * self.size, WINDOW_BYTES_MAX)
            self._changed_at = now
        self.limited = False

    def reset(self) -> None:
        """What is on its way fits nowhere, and is sent anew from another place."""
        self._sent.clear()
        self.in_flight = 0

    def chunk(self, now: int) -> int:
        """How large the next chunk of a snapshot may be; it is asked for when the one before has arrived."""
        if self._chunk_at is not None:
            self.limited = True
            self._measured(self._chunk_at, now)
        self._chunk_at = now
        return min(self.size, CHUNK_BYTES_MAX)
