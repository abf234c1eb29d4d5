"""Roles: the words by which a drill names peers, whatever they are called, and whom each means.

Roles are given before the first step that needs one, and stay until the drill says `recast`: `kill server`, `wait
server heir`, `start server` speak of the same two peers throughout.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

ROLES = {
    "server": "the peer that serves",
    "heir": "the first of the server's fallback list",
    "other": "the second of the list",
    "last": "the last of the list; with three peers the same as `other`",
    "peer": "in a block with `each`: the peer that it is done for",
}
"""Words for one peer."""
GROUPS = {
    "all": "every peer",
    "clients": "all but the server",
    "others": "all but the server and its heir",
    "minority": "the server and the last of the list, as many as are less than half",
    "majority": "all that are not in the minority",
}
"""Words for several peers."""


class Cast(msgspec.Struct, frozen=True):
    """Whom the words mean: the server, then the fallback list in its order, then peers that are not on it."""

    order: tuple[str, ...]
    here: str = ""
    """The `peer` of a block, "" outside of one."""

    def within(self, peer: str) -> Cast:
        """The same roles, with this peer as `peer`."""
        return Cast(self.order, peer)

    def peers(self, word: str) -> tuple[str, ...]:
        """The peers that a word means: of a role one, of a group several, any other word is a peer's own name."""
        match word:
            case "server":
                return self.order[:1]
            case "heir":
                return self.order[1:2]
            case "other":
                return self.order[2:3] or self.order[-1:]
            case "last":
                return self.order[-1:]
            case "peer":
                return (self.here,) if self.here else ()
            case "all":
                return self.order
            case "clients":
                return self.order[1:]
            case "others":
                return self.order[2:]
            case "minority":
                return self._minority()
            case "majority":
                less = self._minority()
                return tuple(name for name in self.order if name not in less)
            case name:
                return (name,)

    def many(self, words: Sequence[str]) -> tuple[str, ...]:
        """The peers that several words mean, each once, in order."""
        return tuple(dict.fromkeys(name for word in words for name in self.peers(word)))

    def _minority(self) -> tuple[str, ...]:
        size = max(1, (len(self.order) - 1) // 2)
        return (self.order[0], *self.order[len(self.order) - size + 1 :]) if size > 1 else self.order[:1]


__all__ = ["GROUPS", "ROLES", "Cast"]
