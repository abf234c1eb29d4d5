"""The turn game's own file, taken as it is: `{"host": "127.0.0.1", "port": "8080", "reserve": ["127.0.0.1:8081"]}`.

Host and port there are what players dial: the gateway of the game. Peers meet a thousand ports above, for this peer as
for each reserve; name and data follow from host and port, so that several can run on one machine.
"""

from collections.abc import Mapping

from tanist.config.addresses import check_host
from tanist.config.nodes import Item, Node, shown
from tanist.config.problems import ConfigError, Problem, did_you_mean
from tanist.config.values import Invalid, fitting_name, integer, text
from tanist.transport.address import PORT_MAX, format_address, parse_address
from tanist.transport.errors import AddressError

PEER_PORT_OFFSET = 1000
"""From the port that players dial to the one where peers meet."""
GAME_PORT_MAX = PORT_MAX - PEER_PORT_OFFSET
"""The highest port of a game: the one where peers meet is a port too."""
CLUSTER = "turngame"
"""Its cluster: a game that was started with its own file does not join whatever else runs here."""
KEYS = ("host", "port", "reserve")
"""The keys of the file."""


def is_turn_game(items: Mapping[str, Item]) -> bool:
    """Whether a file's top level could be the turn game's: these keys are in no configuration of ours."""
    return "host" in items and "port" in items


def is_turn_game_client(items: Mapping[str, Item]) -> bool:
    """Whether it is the file of the game's client, which is easily taken for the server's."""
    return set(items) == {"servers"}


def translate(root: Node) -> dict[str, Node]:
    """The settings, by key, that the file stands for. Raises `ConfigError` with all problems."""
    assert isinstance(root.value, dict)
    items = root.value
    problems = [
        Problem(item.key_where, f'the turn game\'s file has no key "{key}"', did_you_mean(key, KEYS))
        for key, item in items.items()
        if key not in KEYS
    ]
    found: dict[str, Node] = {
        "cluster": Node(value=CLUSTER, where=root.where),
        "discovery": Node(value=False, where=root.where),
    }
    try:
        found |= _own(items["host"].node, items["port"].node)
    except Invalid as error:
        problems.extend(error.problems)
    if "reserve" in items:
        try:
            found["peers"] = _reserves(items["reserve"].node)
        except Invalid as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return found


def _own(host_node: Node, port_node: Node) -> dict[str, Node]:
    host = text(host_node).strip("[]")
    check_host(host_node, host)
    # The original writes the port as a text; a number says the same.
    words = Node(value=port_node.value, where=port_node.where, words=True)
    try:
        port = integer(1, GAME_PORT_MAX)(words)
    except Invalid as error:
        raise Invalid(*(Problem(p.where, f"port: {p.message}", p.hint) for p in error.problems)) from None
    game = format_address(host, port)
    gateway = Node(value=f"tictactoe=turngame:{game}", where=port_node.where)
    return {
        "name": Node(value=fitting_name(game), where=host_node.where),
        "listen": Node(value=format_address(host, port + PEER_PORT_OFFSET), where=host_node.where),
        "apps": Node(value=(Node(value="tictactoe", where=host_node.where),), where=host_node.where),
        "gateways": Node(value=(gateway,), where=host_node.where),
    }


def _reserves(node: Node) -> Node:
    if not isinstance(node.value, tuple):
        raise Invalid(Problem(node.where, f"reserve: expected a list, got {shown(node)}", 'write ["127.0.0.1:8081"]'))
    problems: list[Problem] = []
    entries: list[Node] = []
    for entry in node.value:
        try:
            host, port = parse_address(text(entry))
            if not 0 < port <= GAME_PORT_MAX:
                raise AddressError(f"expected a port from 1 to {GAME_PORT_MAX}, got {shown(entry)}")
            entries.append(Node(value=format_address(host, port + PEER_PORT_OFFSET), where=entry.where))
        except AddressError as error:
            problems.append(Problem(entry.where, f"reserve: {error}"))
        except Invalid as error:
            problems.extend(Problem(p.where, f"reserve: {p.message}", p.hint) for p in error.problems)
    if problems:
        raise Invalid(*problems)
    return Node(value=tuple(entries), where=node.where)
