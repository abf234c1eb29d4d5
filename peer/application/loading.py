"""Finding applications: built-in ones by name, a user's own in a file or a module."""

import importlib
import importlib.util
import inspect
import sys
import traceback
from pathlib import Path
from types import ModuleType

from tanist.peer.application.api import Application
from tanist.peer.application.definition import DefinitionError
from tanist.peer.application.specification import describe

BUILT_IN = {
    "auction": "tanist.peer.apps.auction:Auction",
    "auth": "tanist.peer.apps.auth:Auth",
    "board": "tanist.peer.apps.board:Board",
    "booking": "tanist.peer.apps.booking:Booking",
    "calculator": "tanist.peer.apps.calculator:Calculator",
    "chat": "tanist.peer.apps.chat:Chat",
    "counter": "tanist.peer.apps.counter:Counter",
    "direct": "tanist.peer.apps.direct:Direct",
    "files": "tanist.peer.apps.files:Files",
    "guess": "tanist.peer.apps.guess:Guess",
    "hosts": "tanist.peer.apps.hosts:Hosts",
    "kv": "tanist.peer.apps.kv:Kv",
    "lantern": "tanist.peer.apps.lantern:Lantern",
    "logs": "tanist.peer.apps.logs:Logs",
    "monitor": "tanist.peer.apps.monitor:Monitor",
    "notifications": "tanist.peer.apps.notifications:Notifications",
    "packets": "tanist.peer.apps.visitors:Packets",
    "poll": "tanist.peer.apps.poll:Poll",
    "positions": "tanist.peer.apps.positions:Positions",
    "presence": "tanist.peer.apps.presence:Presence",
    "quiz": "tanist.peer.apps.quiz:Quiz",
    "rps": "tanist.peer.apps.rps:Rps",
    "sums": "tanist.peer.apps.visitors:Sums",
    "tictactoe": "tanist.peer.apps.tictactoe:TicTacToe",
    "todo": "tanist.peer.apps.todo:Todo",
    "upload": "tanist.peer.apps.upload:Upload",
}
"""The applications that come along, by name."""

_MODULE_PREFIX = "tanist_app_"
"""Modules made of a user's files are called so: a `notes.py` must not hide a library of that name."""


class LoadError(Exception):
    """An application that cannot be loaded: what, where, and what to do."""


def load_application(spec: str) -> tuple[str, Application]:
    """An application by `kv`, `notes.py:Notes` or `package.module:Class`; its name is its class's in lower case.

    A file's folder is put at the end of `sys.path`, so that it finds the files beside it. Raises LoadError.
    """
    source, colon, class_name = BUILT_IN.get(spec, spec).rpartition(":")
    # A drive letter's colon (C:\\notes.py) is no separator.
    if not colon or not class_name or class_name.endswith(".py"):
        raise LoadError(
            f"--app {spec}: no such built-in application ({', '.join(BUILT_IN)}); "
            "write one of your own as notes.py:Notes or package.module:Class"
        )
    module = _from_file(spec, Path(source)) if source.endswith(".py") else _from_module(spec, source)
    cls = getattr(module, class_name, None)
    if cls is None:
        raise LoadError(f"--app {spec}: {source} has no class {class_name!r}; {_offer(module)}")
    if not (isinstance(cls, type) and issubclass(cls, Application) and cls is not Application):
        raise LoadError(
            f"--app {spec}: {class_name} is no subclass of tanist.peer.application.Application; {_offer(module)}"
        )
    try:
        application = cls()
    except Exception as error:
        raise LoadError(
            f"--app {spec}: {class_name} cannot be made without arguments ({error}): an application has no @dataclass, "
            "no __init__ and no abstract methods; its state is what the class declares"
        ) from error
    specification = describe(cls)
    if not specification.operations and not specification.local:
        raise LoadError(
            f"--app {spec}: {class_name} offers nothing: mark what changes its state with @command, what looks at it "
            "with @query"
        )
    return specification.name, application


def _offer(module: ModuleType) -> str:
    names = [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, Application) and value is not Application
    ]
    return f"applications in it: {', '.join(names)}" if names else "there are no applications in it"


def _from_file(spec: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise LoadError(f"--app {spec}: there is no file {path.absolute()}")
    path = path.resolve()
    name = _MODULE_PREFIX + path.stem
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise LoadError(f"--app {spec}: {path} cannot be read as Python")
    module = importlib.util.module_from_spec(found)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    # Type hints are looked up through sys.modules, so that it must be there while it runs.
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _failed(spec, str(path), error) from error
    return module


def _from_module(spec: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise LoadError(
                f"--app {spec}: there is no module {name!r}; for a file write its path, {name.replace('.', '/')}.py:…"
            ) from error
        raise _failed(spec, name, error) from error
    except (Exception, SystemExit) as error:
        raise _failed(spec, name, error) from error


def _failed(spec: str, source: str, error: BaseException) -> LoadError:
    if isinstance(error, DefinitionError):
        return LoadError(f"--app {spec}: {error}")
    if isinstance(error, SyntaxError):
        where = f"{error.filename}:{error.lineno}" if error.lineno else source
        return LoadError(f"--app {spec}: {where}: {error.msg}")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    # The innermost line of the user's own file, if there is one, is where to look.
    own = [f for f in frames if f.filename == source] or frames
    where = f"{own[-1].filename}:{own[-1].lineno}" if own else source
    return LoadError(f"--app {spec}: {where}: {type(error).__name__}: {error}")
