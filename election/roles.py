"""The roles of a peer, and the one table of how they follow each other.

    SEEKING --found a server--> CLIENT --lost it--> SEEKING --nobody ahead of me--> CANDIDATE --won--> SERVER

Every peer begins SEEKING, also one that served when it was last seen: a restart never continues a reign.
Whoever loses what its role rests on goes back to SEEKING and asks anew; no role is entered from memory.
A CLIENT never stands directly: losing its server makes it SEEKING first, where the retries are counted.
A SERVER may enter SERVER again: a reign renewed in a higher number (survivor mode), with the same log.
"""

from enum import StrEnum


class Role(StrEnum):
    """What a peer is at the moment."""

    SEEKING = "seeking"
    CLIENT = "client"
    CANDIDATE = "candidate"
    SERVER = "server"


class Cause(StrEnum):
    """Why a role is entered: the input of the table."""

    FOUND_SERVER = "found a server"
    LOST_SERVER = "lost the server"
    HANDED_OVER = "the server hands over"
    NOBODY_AHEAD = "nobody ahead of me"
    TOLD_TO_STAND = "the server told me to stand"
    WON = "won the ballot"
    LOST_BALLOT = "gave way in the ballot"
    HIGHER_NUMBER = "met a higher number"
    GAVE_WAY = "gave way to the history that goes on"
    NO_MAJORITY = "lost the majority"
    NOT_PROVED = "could not prove the reign after being away"
    DISK = "the disk failed"
    RENEWED = "goes on in a higher number"
    AWAY = "was away"


TRANSITIONS: dict[tuple[Role, Cause], Role] = {
    (Role.SEEKING, Cause.FOUND_SERVER): Role.CLIENT,
    (Role.SEEKING, Cause.NOBODY_AHEAD): Role.CANDIDATE,
    (Role.SEEKING, Cause.TOLD_TO_STAND): Role.CANDIDATE,
    (Role.CLIENT, Cause.LOST_SERVER): Role.SEEKING,
    (Role.CLIENT, Cause.HANDED_OVER): Role.SEEKING,
    (Role.CLIENT, Cause.HIGHER_NUMBER): Role.SEEKING,
    (Role.CLIENT, Cause.FOUND_SERVER): Role.CLIENT,
    (Role.CANDIDATE, Cause.WON): Role.SERVER,
    (Role.CANDIDATE, Cause.LOST_BALLOT): Role.SEEKING,
    (Role.CANDIDATE, Cause.FOUND_SERVER): Role.CLIENT,
    (Role.CANDIDATE, Cause.DISK): Role.SEEKING,
    (Role.CANDIDATE, Cause.AWAY): Role.SEEKING,
    (Role.SERVER, Cause.HIGHER_NUMBER): Role.SEEKING,
    (Role.SERVER, Cause.GAVE_WAY): Role.SEEKING,
    (Role.SERVER, Cause.NO_MAJORITY): Role.SEEKING,
    (Role.SERVER, Cause.NOT_PROVED): Role.SEEKING,
    (Role.SERVER, Cause.DISK): Role.SEEKING,
    (Role.SERVER, Cause.HANDED_OVER): Role.SEEKING,
    (Role.SERVER, Cause.RENEWED): Role.SERVER,
}
"""(role, cause) -> next role. What is not here does not happen."""
