"""What a seeking peer has heard from each of the others since it lost its server."""

from dataclasses import dataclass, field

from tanist.election.history import EMPTY, History


@dataclass(slots=True)
class Contact:
    """One peer, as seen in this search. `answered` says that it spoke; `failed` what the last dial gave."""

    answered: bool = False
    asked_at: int | None = None
    unanswered_since: int | None = None
    """Since when it has been asked and says nothing, over a link that stands."""
    counting_until: int | None = None
    fresh: bool = False
    able: bool = True
    history: History = EMPTY
    follows: str = ""
    failed: str = ""
    refusals: int = 0
    """Attempts refused in a row: throughout a whole retry round, and the process is gone for certain."""

    def silent(self, now: int, interval: int) -> bool:
        """Whether it has been asked for a whole interval, and nothing came back."""
        return self.unanswered_since is not None and now - self.unanswered_since >= interval

    def why_not(self) -> str:
        """Why it does not stand before me."""
        return self.failed or self.follows or ("no answer" if self.able else "it cannot stand")


@dataclass(slots=True)
class Contacts:
    """All of them by id; `struck` are out for this round of the list."""

    by_id: dict[str, Contact] = field(default_factory=dict)
    struck: set[str] = field(default_factory=set)
    unheard: frozenset[str] = frozenset()
    """The live servers that others hear and this peer does not, for which they oppose it."""
    opposed_since: int = 0
    """Since when it is no other server but those."""

    def of(self, peer: str) -> Contact:
        """The contact of a peer, made when missing."""
        found = self.by_id.get(peer)
        if found is None:
            found = self.by_id[peer] = Contact()
        return found

    def answered(self, peer: str) -> bool:
        """Whether this peer spoke, and was not lost again since."""
        found = self.by_id.get(peer)
        return found is not None and found.answered

    def lost(self, peer: str, evidence: str, refused: bool) -> None:
        """A dial of this peer failed, or its link ended."""
        contact = self.of(peer)
        contact.answered = False
        contact.asked_at = contact.unanswered_since = None
        contact.counting_until = None
        contact.failed = evidence
        contact.refusals = contact.refusals + 1 if refused else 0
