"""The three retries: when each starts, and what it was answered. A pure count; who dials is not its business."""

from dataclasses import dataclass


@dataclass(slots=True)
class Retries:
    """Retry k of `attempts` starts k intervals after the loss, and has one interval to be answered."""

    begin: int
    interval: int
    attempts: int
    started: int = 0
    """Retries started so far."""
    open: bool = False
    """Whether the last one started has had no answer yet."""
    done: bool = False

    def due(self, now: int) -> bool:
        """Whether the next retry starts now (the one before has ended or run out of time by then)."""
        return not self.done and self.started < self.attempts and now >= self.begin + (self.started + 1) * self.interval

    def start(self, now: int) -> int:
        """Start the next retry, and return its number, from 1."""
        late = now - self.begin - (self.started + 1) * self.interval
        if late > self.interval // 2:
            # This peer was away: the retry still has its whole interval.
            self.begin += late
        self.started += 1
        self.open = True
        return self.started

    def overdue(self, now: int) -> bool:
        """Whether the retry that is open has run out of its one interval."""
        return self.open and now >= self.begin + (self.started + 1) * self.interval

    def ended(self) -> bool:
        """The open retry ended without the server. Returns whether it was the last."""
        self.open = False
        if self.started >= self.attempts:
            self.done = True
        return self.done

    def deadline(self) -> int | None:
        """When the next retry starts, or the open one runs out."""
        if self.done:
            return None
        return self.begin + (self.started + 1) * self.interval

    def remaining(self, now: int) -> int:
        """How long until all retries have ended, at most."""
        if self.done:
            return 0
        return max(0, self.begin + (self.attempts + 1) * self.interval - now)
