"""What should run only on the server: callbacks at the begin and the end of each reign of this peer."""

from collections.abc import Callable

from tanist.election.core import Core
from tanist.election.history import Term
from tanist.election.roles import Role


class Promotions:
    """Callbacks, each with the term as fencing token; a reign ends before the next one begins."""

    def __init__(self) -> None:
        self.promoted: list[Callable[[Term], None]] = []
        self.demoted: list[Callable[[Term], None]] = []
        self._reign: Term | None = None

    def look(self, core: Core) -> None:
        """Whether this peer's reign changed; if so, tell."""
        reign = core.term if core.role is Role.SERVER else None
        if reign == self._reign:
            return
        was, self._reign = self._reign, reign
        if was is not None:
            for demoted in self.demoted:
                demoted(was)
        if reign is not None:
            for promoted in self.promoted:
                promoted(reign)
