"""The command line, `tanist`. Heavy packages are imported by the verbs that use them, never here."""

import os
import signal
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; gives the exit status (see `tanist.peer.cli.exits`). `arguments` default to the process's own."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["up"]:
        # A stop during the imports below is a clean stop: this peer has done nothing yet.
        _end_cleanly_until_running()
    from tanist.peer.cli.quick import quick

    try:
        status = quick(arguments)
        if status is None:
            from tanist.peer.cli.verbs import run

            status = run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Whoever read (`| head`) has enough; the interpreter must not complain about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _end_cleanly_until_running() -> None:
    def end(number: int, frame: object) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
