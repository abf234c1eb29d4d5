"""One process with one bug in it: run a probe over seeds until it fails. Prints one line of JSON.

python -m planted.worker BUG PROBE FIRST COUNT SEED_LIMIT_S [shrink]
"""

from __future__ import annotations

import json
import re
import resource
import signal
import sys
import time
from typing import Any

from planted.catalogue import CONTROL, by_name
from planted.planting import plant
from planted.probes import DidNotRun, probe, shrunk_steps

MEMORY_BYTES_MAX = 4 << 30
"""A bug may make a peer send for ever: it shall fail, and not take the machine with it."""

NOT_CAUGHT = (SyntaxError, ImportError, NameError, AttributeError, DidNotRun)
"""The bug, or the probe, is broken itself: that says nothing about whether the bug would be caught."""


class NeverEnds(AssertionError):
    """A run took far more of the processor's time than any takes: the bug made something repeat for ever."""


def main(arguments: list[str]) -> None:
    """Hunt, and say how it went."""
    name, probe_name, first, count, limit_s, *shrink = arguments
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    if name != CONTROL:
        plant(by_name(name))
    run = probe(probe_name)

    signal.signal(signal.SIGPROF, _too_long)
    begun = time.monotonic()
    told: dict[str, Any] = {"killed": False, "seeds": int(count), "by": "", "text": ""}
    for n, seed in enumerate(range(int(first), int(first) + int(count)), 1):
        signal.setitimer(signal.ITIMER_PROF, float(limit_s))
        try:
            run(seed)
        except NOT_CAUGHT:
            raise
        except Exception as error:
            told |= _killed(n, seed, error)
            break
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    if shrink and told["killed"]:
        told["steps"] = shrunk_steps(int(told["seed"]), probe_name)
    told["took_s"] = round(time.monotonic() - begun, 2)
    print(json.dumps(told))


def _too_long(*_: object) -> None:
    raise NeverEnds("the run does not end")


def _killed(n: int, seed: int, error: Exception) -> dict[str, Any]:
    return {
        "killed": True,
        "seeds": n,
        "seed": seed,
        "by": cause(error),
        "text": f"{type(error).__name__}: {error}"[:500],
    }


def cause(error: Exception) -> str:
    """The invariant's name; else what was told, without the names and numbers of this run alone."""
    name = getattr(error, "invariant", "")
    if name:
        return str(name)
    text = str(error).split("\n")[0]
    text = re.sub(r"b'[^']*'|'[^']*'|\(.*\)|\[.*\]|\{.*\}", "…", text)
    text = re.sub(r"(?:id-)?\b[a-g]\b(?!\w)|id-\w+|\d[\w.@-]*|\bnone\b", "…", text)
    text = re.sub(r"…(?:[ ,:;]*…)*", "…", text).partition(": ")[0]
    kind = "" if type(error).__name__ in ("Broken", "Caught") else f"{type(error).__name__}: "
    return (kind + text)[:90].strip()


if __name__ == "__main__":
    main(sys.argv[1:])
