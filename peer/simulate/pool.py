"""Many lives on all cores: seeds are handed out in small blocks, and what comes of them is added up.

The processes that live the lives have one and the same hash order, so that a replay repeats what was found; a mirror
of each has another.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing.synchronize import Event
from typing import Any

from tanist.election.simulation.outcome import Options
from tanist.peer.simulate.lives import Lives
from tanist.peer.simulate.totals import Found, Totals

BLOCK_SEEDS = 8
"""Seeds a process is given at a time: a second of work, so that progress is seen and a failure stops the others."""
AHEAD = 2
"""Blocks waiting for each process."""
HASH_SEED = "0"

_lives: Lives | None = None
"""In a worker: what it runs lives with."""
_stopped: Event | None = None
"""In a worker: set when nobody waits for it any more."""


def processes_there() -> int:
    """How many processes can run at a time here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begin(specs: tuple[str, ...], stopped: Event) -> None:
    global _lives, _stopped
    # Ctrl-C goes to the whole group of processes; the one that was started by a person tells the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _lives, _stopped = Lives(specs), stopped


def _end_with_parent() -> None:
    """A parent that is killed says nothing: its workers would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run_block(first: int, stop: int, options: Options) -> Totals:
    assert _lives is not None and _stopped is not None
    totals = Totals()
    for seed in range(first, stop):
        if _stopped.is_set():
            break
        totals.add(_lives.live(seed, options))
        if totals.failures:
            break
    return totals


def _shrink(seed: int, options: Options, runs_max: int) -> Found | None:
    assert _lives is not None
    return _lives.shrink(seed, options, runs_max)


class Pool:
    """The processes. A context manager; `specs` are the applications under test, as `--app` takes them."""

    def __init__(self, specs: tuple[str, ...], processes: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._stopped = context.Event()
        with _environment("PYTHONHASHSEED", HASH_SEED):
            self._executor = ProcessPoolExecutor(
                processes, context, initializer=_begin, initargs=(specs, self._stopped)
            )
            # Processes are started by the first tasks, and take the environment of that moment.
            for future in [self._executor.submit(os.getpid) for _ in range(processes)]:
                future.result()
        self._processes = processes

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def run(self, seeds: range, options: Options, on_progress: Callable[[Totals], None]) -> Totals:
        """Live all lives, until one fails: the blocks under way are still waited for. Gives the sums."""
        totals, began = Totals(), time.monotonic()
        blocks = (range(at, min(at + BLOCK_SEEDS, seeds.stop)) for at in range(seeds.start, seeds.stop, BLOCK_SEEDS))
        under_way: set[Future[Totals]] = set()
        while True:
            while not totals.failures and len(under_way) < self._processes * AHEAD:
                block = next(blocks, None)
                if block is None:
                    break
                under_way.add(self._executor.submit(_run_block, block.start, block.stop, options))
            if not under_way:
                return totals
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                totals.add(future.result())
            totals.took_s = time.monotonic() - began
            on_progress(totals)
            if totals.failures:
                under_way = {future for future in under_way if not future.cancel()}

    def shrink(self, seed: int, options: Options, runs_max: int) -> Found | None:
        """Live one life again and make what fails in it small; None if it does not fail."""
        return self._executor.submit(_shrink, seed, options, runs_max).result()


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before: Any = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
