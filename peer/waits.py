"""What a change of servers costs the callers of one peer: the longest time without an acknowledgement, and retries.

Times in seconds, of the event loop's clock. An acknowledgement is any answer by the log: a refusal is one too.
"""

TRIES_AGAIN_WITHIN_S = 2.0
"""A caller that gave up and comes back within so long was waiting all the time; later it is another one."""


class Waits:
    """Measures while commands wait. `begin` starts the account of one change; all figures are since then."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.calls = 0
        self.retried = 0
        self.deduplicated = 0
        self._since: float | None = None
        self._gave_up_at: float | None = None
        self._owed = False
        self._twice: set[int] = set()

    @property
    def owed(self) -> bool:
        """Whether a caller waited when the change was over, and has had no answer since."""
        return self._owed

    def begin(self) -> None:
        """A change begins: what follows is its cost."""
        self.longest_s, self.calls, self.retried, self.deduplicated = 0.0, 0, 0, 0
        self._owed = False
        self._twice.clear()

    def found(self, now: float, calls: int) -> None:
        """There is a server again, and so many calls wait for it."""
        self.calls = max(self.calls, calls)
        if not calls and self._since is not None:
            # All gave up: whoever comes from now on need not wait any more.
            self.answered(now, more=False)
        self._owed = calls > 0

    def asked(self, now: float) -> None:
        """A call comes, and none was waiting."""
        if self._since is None or (self._gave_up_at is not None and now > self._gave_up_at + TRIES_AGAIN_WITHIN_S):
            self._since = now
        self._gave_up_at = None

    def gave_up(self, now: float) -> None:
        """The last that waited did so in vain."""
        self._gave_up_at = now

    def answered(self, now: float, *, more: bool) -> None:
        """Calls were answered; `more` still wait."""
        if self._since is not None:
            self.longest_s = max(self.longest_s, now - self._since)
        self._since = now if more else None
        self._owed = False

    def sent_again(self, sequence: int) -> None:
        """A command was submitted once more."""
        if sequence not in self._twice:
            self._twice.add(sequence)
            self.retried += 1

    def unknown(self, sequence: int) -> None:
        """A command's caller got no answer: what the log says of it later is its first."""
        self._twice.discard(sequence)

    def answered_before(self, sequence: int) -> None:
        """The log gave the answer to a command whose caller has it already: it was done once."""
        if sequence in self._twice:
            self._twice.discard(sequence)
            self.deduplicated += 1
