"""Whom a peer's calls go to: the server, as this peer saw it last."""

from tanist.election.core import Core
from tanist.election.history import NO_TERM, Term


class Served:
    """The server and its term; and the term before, for whoever tells of the change."""

    def __init__(self) -> None:
        self._last: tuple[str, Term] | None = None
        self.term_before = NO_TERM

    def changed(self, core: Core) -> bool:
        """Whether it is another now: another server, another term of the same, or none."""
        now = (core.server, core.term) if core.server is not None else None
        if now == self._last:
            return False
        if self._last is not None:
            self.term_before = self._last[1]
        self._last = now
        return True
