"""Has logs applied once more in another process, where the order of hashes and the time of day are others.

All virtual peers live in one process. What is the same all over a process, above all the order in which a set of texts
comes, they would agree on, and real peers would not.
"""

import os
import subprocess
import sys
from collections.abc import Sequence

import msgspec

from tanist.election.simulation.broken import Broken
from tanist.peer.simulate.difference import differences
from tanist.peer.simulate.elsewhere import Asked, Parted, read_frame, write_frame
from tanist.peer.simulate.referee import INVARIANT, RULE, Referee, different

HASH_SEED = "4177"
"""Any other than that of the process in which the virtual peers live (see `pool`)."""
ENDS_WITHIN_S = 5.0
"""How long that process may take to end when it has been told to."""

_decode = msgspec.msgpack.Decoder(Parted).decode


class Mirror:
    """The other process. Close it."""

    def __init__(self, specs: Sequence[str]) -> None:
        command = [sys.executable, "-m", "tanist.peer.simulate.elsewhere", *specs]
        environment = {**os.environ, "PYTHONHASHSEED": HASH_SEED}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)

    def look(self, referee: Referee) -> None:
        """Have the longest log applied there. Raises Broken if that comes to another state."""
        log = referee.log()
        if not log:
            return
        asked = Asked([entry for entry, _ in log], [digest for _, digest in log])
        assert self._process.stdin is not None and self._process.stdout is not None
        write_frame(self._process.stdin, msgspec.msgpack.encode(asked))
        answer = read_frame(self._process.stdout)
        if answer is None:
            raise RuntimeError("the process that applies logs again ended: see what it wrote above")
        found = _decode(answer)
        if found.index:
            entry, _ = log[found.index - 1]
            state = referee.state_after(found.index, entry)
            here, there = "the virtual peers", "a process with other hashes and another clock"
            if found.began:
                there = f"a process that began with the snapshot at {found.began}"
            shown = differences(state, found.state, here, "it") if state else ["(no longer kept)"]
            raise Broken(INVARIANT, "\n".join([different(found.index, entry, there, here, "state"), *shown, RULE]))

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
