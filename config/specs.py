"""Applications and gateways as people write them: `kv`, `notes.py:Notes`, `kv=resp:6380`."""

import re
from pathlib import Path
from typing import Any

import msgspec

from tanist.config.addresses import check_host
from tanist.config.nodes import Node, shown
from tanist.config.problems import Problem
from tanist.config.values import Invalid, invalid, listing, settings, text
from tanist.transport.address import PORT_MAX, format_address

FIRST_APPS = ("chat", "counter", "kv")
"""What a peer runs that was given none: a first cluster has something to play with."""
APPS_MAX = 64
"""Applications of a peer: each is named in every hello."""
GATEWAYS_MAX = 64
"""Gateways of a peer: each is a listener."""
LOOPBACK = "127.0.0.1"
"""Where a gateway listens that names no host: what others should reach is opened on purpose."""

_APP = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_GATEWAY = re.compile(r"(?P<app>[^=:]*)=(?P<protocol>[^=:]*):(?:(?P<host>.*):)?(?P<port>[^:]*)")


class App(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """An application to run: a built-in one's name, or `file.py:Class` or `package.module:Class`, and its settings."""

    spec: str
    settings: dict[str, Any] = {}
    node: Node | None = None
    """The same settings with their places, for the application to validate: what they may be, it alone knows."""

    def __eq__(self, other: object) -> bool:
        """Whether it says the same, wherever it stands."""
        return isinstance(other, App) and (self.spec, self.settings) == (other.spec, other.settings)

    def __hash__(self) -> int:
        return hash(self.spec)

    @property
    def name(self) -> str:
        """The name it is called by: a user's own class is its name in lower case."""
        return self.spec.rpartition(":")[2].lower()


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """A foreign protocol in front of an application: where it listens, and what it speaks."""

    app: str
    protocol: str
    host: str = LOOPBACK
    port: int

    @property
    def address(self) -> str:
        """Where it listens, "host:port"."""
        return format_address(self.host, self.port)

    def __str__(self) -> str:
        return f"{self.app}={self.protocol}:{self.address}"


def app_name(node: Node) -> str:
    """The name of an application, as gateways and the console refer to it."""
    value = text(node)
    if not _APP.fullmatch(value):
        raise invalid(node, f"an application's name is lower-case letters, digits and _, got {shown(node)}")
    return value


def app_spec(node: Node) -> str:
    """What names an application to run; a relative file starts from the configuration's folder."""
    value = text(node)
    place, colon, cls = value.rpartition(":")
    if not colon:
        if value.endswith(".py"):
            raise invalid(node, f"{shown(node)} names a file and no class", f'write "{value}:ClassName"')
        return app_name(node)
    if not _CLASS.fullmatch(cls):
        raise invalid(node, f'"{cls}" in {shown(node)} is no class name', 'write "notes.py:Notes"')
    if place.endswith(".py") and place.isprintable():
        return f"{Path(node.folder) / Path(place).expanduser()}:{cls}"
    if not _MODULE.fullmatch(place):
        raise invalid(node, f"expected a name, file.py:Class or package.module:Class, got {shown(node)}")
    return value


def apps(node: Node) -> tuple[App, ...]:
    """A list of applications, or a mapping from each to its settings."""
    if not isinstance(node.value, dict):
        specs = listing(app_spec, APPS_MAX, "kv, notes.py:Notes")(node)
        return _named_once(node, tuple(App(spec=spec) for spec in specs))
    if len(node.value) > APPS_MAX:
        raise invalid(node, f"at most {APPS_MAX} applications, got {len(node.value)}")
    found: list[App] = []
    problems: list[Problem] = []
    for spec, item in node.value.items():
        key = Node(value=spec, where=item.key_where, words=node.words, folder=item.node.folder)
        try:
            given = settings(item.node)
            found.append(App(spec=app_spec(key), settings=given, node=item.node if given else None))
        except Invalid as error:
            problems.extend(error.problems)
    if problems:
        raise Invalid(*problems)
    return _named_once(node, tuple(found))


def _named_once(node: Node, found: tuple[App, ...]) -> tuple[App, ...]:
    by_name: dict[str, App] = {}
    for app in found:
        other = by_name.setdefault(app.name, app)
        if other is not app:
            raise invalid(node, f'"{other.spec}" and "{app.spec}" would both be called "{app.name}"', "rename a class")
    return found


def gateway(node: Node) -> Gateway:
    """`APP=PROTOCOL:[HOST:]PORT`."""
    value = text(node)
    match = _GATEWAY.fullmatch(value)
    if not match:
        raise invalid(node, f"expected APP=PROTOCOL:[HOST:]PORT, got {shown(node)}", 'for example "kv=resp:6380"')
    app, protocol, host, port = match.group("app", "protocol", "host", "port")
    for what, word in (("an application's", app), ("a protocol's", protocol)):
        if not _APP.fullmatch(word):
            raise invalid(node, f'"{word}" in {shown(node)} is not {what} name: lower-case letters, digits and _')
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > PORT_MAX:
        raise invalid(node, f'a port is a number from 0 to {PORT_MAX}, got "{port}" in {shown(node)}')
    if host is None:
        host = LOOPBACK
    elif ":" in host and not host.startswith("["):
        raise invalid(node, f"an IPv6 address stands in brackets: {shown(node)}", 'for example "kv=resp:[::1]:6380"')
    host = host.removeprefix("[").removesuffix("]")
    check_host(node, host)
    return Gateway(app=app, protocol=protocol, host=host, port=int(port))
