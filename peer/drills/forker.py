"""The program that peers are forked from: it has imported all that a peer needs, so that one starts in milliseconds.

It reads one request a line from stdin and ends when that ends, and its children with it. What it says on stdout:
`Forked` in answer to each request, and `Ended` when a child has ended. One thread only: that is what makes fork safe.
"""

import gc
import importlib
import os
import select
import signal
import sys
import traceback
from typing import NoReturn

import msgspec

from tanist.peer.cli import main
from tanist.peer.drills.launcher import Ended, Forked, Launch, die_with_parent

PRELOADED = (
    "tanist.peer.cli.verbs",
    "tanist.peer.cli.up",
    "tanist.peer.peer",
    "tanist.peer.cli.quick",
    "tanist.peer.apps.chat",
    "tanist.peer.apps.counter",
    "tanist.peer.apps.kv",
    "tanist.peer.faults.control",
    "tanist.peer.faults.links",
    "encodings.idna",
    "resource",
    "uvloop",
)
"""Whose imports bring in everything that `tanist up` would import by and by."""
READ_BYTES = 65_536
"""Taken from stdin at once; a request is much smaller."""
WAKEUP_BYTES = 512
"""Bytes of pending signals taken at once; each says no more than that children are to be looked after."""


def serve() -> None:
    """Fork what is asked for until stdin ends, then end all children."""
    for module in PRELOADED:
        importlib.import_module(module)
    gc.freeze()  # The collector would touch, and so copy, every page that is shared with the children.
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started this, who then ends it.
    waking, wakeup = os.pipe()
    os.set_blocking(waking, False)
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: set[int] = set()
    try:
        _fork_on_request(children, waking, wakeup)
    except BrokenPipeError:
        # Whoever asked has been killed meanwhile: as if stdin had ended.
        pass
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _fork_on_request(children: set[int], waking: int, wakeup: int) -> None:
    decode, buffer = msgspec.json.Decoder(Launch).decode, b""
    while True:
        ready, _, _ = select.select([0, waking], [], [])
        if waking in ready:
            os.read(waking, WAKEUP_BYTES)
            for ended in _reap(children):
                _say(ended)
        if 0 not in ready:
            continue
        data = os.read(0, READ_BYTES)
        if not data:
            return
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            pid = _fork(decode(line), (waking, wakeup))
            children.add(pid)
            _say(Forked(pid))


def _reap(children: set[int]) -> list[Ended]:
    ended = []
    for pid in list(children):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            children.remove(pid)
            ended.append(Ended(pid, os.waitstatus_to_exitcode(status)))
    return ended


def _say(said: Forked | Ended) -> None:
    os.write(1, msgspec.json.encode(said) + b"\n")


def _fork(launch: Launch, own: tuple[int, int]) -> int:
    pid = os.fork()
    if pid == 0:
        _become(launch, own)
    return pid


def _become(launch: Launch, own: tuple[int, int]) -> NoReturn:
    """In the child: be a process as if `tanist` had been started anew, and end as one."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for descriptor in own:
            os.close(descriptor)
        os.setsid()
        die_with_parent()
        _redirect(launch)
        os.chdir(launch.directory)
        os.environ.clear()
        os.environ.update(launch.environment)
        sys.argv = ["tanist", *launch.arguments]
        # How to start it once more: a crash on request does.
        sys.orig_argv = [sys.executable, "-m", "tanist.peer.cli", *launch.arguments]
        gc.unfreeze()
        status = main(launch.arguments)
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Without the ways out of the forker itself, of which this process is a copy.
        os._exit(status)


def _redirect(launch: Launch) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(launch.stdout, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    err = os.open(launch.stderr, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for descriptor, place in ((nothing, 0), (out, 1), (err, 2)):
        os.dup2(descriptor, place)
        os.close(descriptor)


if __name__ == "__main__":
    serve()
