"""Errors of applications told without what users entered, for logs that people pass on."""

import traceback
from pathlib import Path


class Misuse(Exception):
    """An application broke a rule of the API. The message says what to write, and quotes nothing that users entered."""


def without_message(error: BaseException, file: str = "") -> str:
    """An error's type and the line of the application that it came from; its message may quote an argument.

    That of a `Misuse` does not, and comes along.
    `file` is the application's, where other code than this package called it.
    """
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = Path(__file__).parent
    outside = [frame for frame in frames if (frame[0] == file if file else Path(frame[0]).parent != own)]
    told = str(error) if isinstance(error, Misuse) else type(error).__name__
    if not outside:
        return told
    # What the application calls in turn may lie in a library: the last line of its own file says more.
    name, line = [frame for frame in outside if frame[0] == outside[0][0]][-1]
    return f"{told} at {Path(name).name}:{line}"
