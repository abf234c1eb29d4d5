"""The exit statuses of `tanist`: stable, so that scripts can tell what happened."""

from enum import IntEnum


class Exit(IntEnum):
    """One status a meaning."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NO_SERVER = 3
    UNREACHABLE = 4
    REFUSED = 5
    TIMED_OUT = 124
    INTERRUPTED = 130


MEANINGS = {
    Exit.OK: "done",
    Exit.FAILED: "it failed, or an application refused it",
    Exit.USAGE: "wrong usage or configuration, or no such command",
    Exit.NO_SERVER: "nobody serves; certainly not done",
    Exit.UNREACHABLE: "the peer cannot be reached",
    Exit.REFUSED: "refused: wrong key, identity or cluster",
    Exit.TIMED_OUT: "timed out; may be done",
    Exit.INTERRUPTED: "interrupted",
}


class VerbError(Exception):
    """A verb ends with a sentence on stderr and a status."""

    def __init__(self, status: Exit, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
