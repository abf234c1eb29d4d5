"""Passwords as they may be kept: hashed with a salt, slowly, and with few tries.

`python -m tanist.peer.apps.passwords` asks for one, and prints its hash for a configuration.
"""

import getpass
import os
import sys
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


def written_hash(password: str) -> str:
    """A password's hash with its salt, as it stands in a configuration."""
    salt = new_salt()
    return f"scrypt:{salt.hex()}:{hashed(password, salt).hex()}"


def read_hash(text: str) -> tuple[bytes, bytes]:
    """The salt and the hash of what `written_hash` made; both empty for "". Raises ValueError for anything else."""
    if not text:
        return b"", b""
    try:
        kind, salt, proof = text.split(":")
        found = bytes.fromhex(salt), bytes.fromhex(proof)
    except ValueError:
        kind, found = "", (b"", b"")
    if kind != "scrypt" or not all(found):
        raise ValueError("this is no password's hash: make one with `python -m tanist.peer.apps.passwords`")
    return found


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


def main() -> None:
    """Ask for a password, and print its hash."""
    password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not 0 < len(password) <= PASSWORD_LENGTH_MAX:
        sys.exit(f"a password has 1 to {PASSWORD_LENGTH_MAX} characters")
    sys.stdout.write(f"{written_hash(password)}\n")


if __name__ == "__main__":
    main()
