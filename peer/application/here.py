"""What an application does at one peer, apart from the log: work that each peer does by itself, and effects of events.

    @local(every=1.0)
    def report(self, here: Here) -> None:
        here.call("push", here.name, psutil.cpu_percent())

    def effect(self, here: Here, happened: Published) -> None:
        (here.folder / "lines.txt").open("a").write(happened.line + "\\n")

Both run in a thread of that peer, one at a time for each application. They may use clock, files and network, and see
the state through queries alone. What they do is not replicated, but for the commands that they have done.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from tanist.peer.application.blob import Blob

LOCAL = "__tanist_local__"
"""The attribute by which a method says how often each peer runs it, in seconds."""
EVERY_S_MIN = 0.1
"""The shortest interval of local work: it may propose a command each time, at each peer."""


class Ways(Protocol):
    """How a `Here` reaches its peer, from a thread."""

    def call(self, app: str, command: str, arguments: tuple[Any, ...]) -> Any:
        """Have a command done; its result."""

    def address(self) -> str:
        """Where other peers reach the peer."""

    def prefer(self, app: str, peer: str) -> None:
        """Have another peer serve, if that is said for long enough."""

    def query(self, app: str, query: str, arguments: tuple[Any, ...]) -> Any:
        """A query's answer."""

    def serves(self) -> bool:
        """Whether the peer serves."""

    def upload(self, file: BinaryIO) -> Blob:
        """Have a file's bytes kept."""

    def settings(self, app: str) -> Any:
        """The settings of an application, with what is this peer's own."""


class Here:
    """One peer, as local work and effects of one application see it."""

    def __init__(self, app: str, peer: str, name: str, folder: Path, ways: Ways) -> None:
        self._app = app
        self._ways = ways
        self.id = peer
        """The peer's id."""
        self.name = name
        """The peer's name."""
        self._folder = folder
        self.kept: dict[str, Any] = {}
        """Whatever is to be kept from one run to the next, until the peer ends."""

    @property
    def folder(self) -> Path:
        """A folder of this application's own in the peer's data, there from the first time on that it is asked for."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    @property
    def settings(self) -> Any:
        """The settings of the application, with what is this peer's own; None if it declares none."""
        return self._ways.settings(self._app)

    @property
    def serves(self) -> bool:
        """Whether this peer serves at the moment."""
        return self._ways.serves()

    @property
    def address(self) -> str:
        """Where other peers reach this one, "host:port"."""
        return self._ways.address()

    def prefer(self, peer: str) -> None:
        """Say, at the server and round after round, which peer (id) had better serve; "" if none.

        With `preempt: idle` it takes over when that was said without a break for `preempt_after_s`, and for twice as
        long each time this server gave way so within the last hour. Otherwise nothing comes of it.
        """
        self._ways.prefer(self._app, peer)

    def call(self, command: str, *arguments: Any) -> Any:
        """Have a command of this application done, one that gateways offer; its result. Raises `CallError`."""
        return self._ways.call(self._app, command, arguments)

    def upload(self, file: BinaryIO) -> Blob:
        """Have the rest of an open file kept, for a command that names it next. Raises `CallError`."""
        return self._ways.upload(file)

    def query(self, name: str, *arguments: Any) -> Any:
        """A query's answer from this peer's state, in plain values; internal ones too. Raises `CallError`."""
        return self._ways.query(self._app, name, arguments)


def local(*misused: object, every: float = 0.0) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes a method local work: each peer runs it by itself, every so many seconds, from its start to its end.

    A run that takes longer puts off the next one. A failure is told in the election log, and the work goes on.
    Raises TypeError if it is not told how often.
    """
    if misused:
        raise TypeError("local work says how often it is done: write `@local(every=1.0)`")

    def mark(function: Callable[..., None]) -> Callable[..., None]:
        setattr(function, LOCAL, every)
        return function

    return mark
