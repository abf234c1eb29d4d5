"""An event loop in a thread of its own, on which a plain test has a cluster looked after."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")

END_S_MAX = 10.0
"""How long the thread may take to end, once the loop was told to stop."""


class Background:
    """`with Background() as loop: loop.run(coroutine)`. Proxies and clients work on while the test does."""

    def __enter__(self) -> "Background":
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name="tanist-cluster", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(END_S_MAX)

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Have it done there and wait for it; an interrupted wait cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()
