"""Passwords as they may be kept: hashed with a salt, slowly, and with few tries."""

import os
from hashlib import scrypt

import msgspec

SALT_BYTES = 16
"""Bytes of a salt: two passwords that are alike get other hashes."""
WORK, BLOCK, LANES = 2**14, 8, 1
"""What scrypt takes: 16 MiB and some 40 ms a try, for us and for who would try them all."""
PASSWORD_LENGTH_MAX = 256
"""Characters of a password: hashing a long one takes longer."""
TRIES_MAX = 5
"""Wrong tries in a row until one has to wait."""
WAIT_S = 30.0
"""How long one waits then, by log time."""


def new_salt() -> bytes:
    """A salt. For preparations: chance of its own has no place in a command."""
    return os.urandom(SALT_BYTES)


def hashed(password: str, salt: bytes) -> bytes:
    """What is kept of a password. For preparations: it takes its time."""
    return scrypt(password.encode(), salt=salt, n=WORK, r=BLOCK, p=LANES)


class Tries(msgspec.Struct):
    """Wrong tries in a row, and the log time until which there is none left."""

    wrong: int = 0
    until_ns: int = 0

    def wait_s(self, now_ns: int) -> float:
        """How long to wait for the next try; 0 if it may be made."""
        return max(0, self.until_ns - now_ns) / 1e9

    def failed(self, now_ns: int) -> None:
        """Count a wrong try."""
        self.wrong += 1
        if self.wrong >= TRIES_MAX:
            self.wrong, self.until_ns = 0, now_ns + int(WAIT_S * 1e9)
