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
    until: int = 0
    """When the one that is open runs out of time."""
    done: bool = False

    def due(self, now: int) -> bool:
        """Whether the next retry starts now: the one before has ended."""
        if self.done or self.open or self.started >= self.attempts:
            return False
        return now >= self.begin + (self.started + 1) * self.interval

    def start(self, now: int) -> int:
        """Start the next retry, and return its number, from 1."""
        late = now - self.begin - (self.started + 1) * self.interval
        if late > self.interval // 2:
            # This peer was away: the retry still has its whole interval.
            self.begin += late
        self.started += 1
        self.open = True
        self.until = self.begin + (self.started + 1) * self.interval
        return self.started

    def overdue(self, now: int, dialing: bool) -> bool:
        """Whether the retry that is open has run out of its one interval.

        A dial of as long (`dialing`: it has not ended yet) is about to say why. It is waited for a little longer: else
        what it says would be taken for the answer to the next retry, which then had none of its own time.
        """
        if not self.open or now < self.until:
            return False
        if dialing and self.until == self.begin + (self.started + 1) * self.interval:
            self.until = now + self.interval // 4
            return False
        return True

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
        return self.until if self.open else self.begin + (self.started + 1) * self.interval

    def remaining(self, now: int) -> int:
        """How long until all retries have ended, at most."""
        if self.done:
            return 0
        return max(0, self.begin + (self.attempts + 1) * self.interval - now)
