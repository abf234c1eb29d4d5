"""What must hold between settings: each rule names the keys it needs, and is left out when one of them is broken."""

import re
from collections.abc import Callable, Iterator, Mapping, Set

from tanist.config.addresses import overlap
from tanist.config.keys import PROFILE
from tanist.config.problems import Origin, Problem
from tanist.config.schema import PeerConfig
from tanist.config.specs import FIRST_APPS
from tanist.election.settings import Safety, pace_problems
from tanist.transport.settings import settings_problems

Finding = tuple[tuple[str, ...], str, str]
"""The keys that may be to blame: the first one that a person gave is; the message; the hint."""
Check = Callable[[PeerConfig], Iterator[Finding]]


def check(config: PeerConfig, origins: Mapping[str, Origin], broken: Set[str]) -> list[Problem]:
    """All rules between settings that `config` breaks. `broken`: top-level keys that hold no usable value."""
    problems: list[Problem] = []
    for needs, rule in CHECKS:
        if broken.isdisjoint(needs):
            problems.extend(_placed(finding, origins) for finding in rule(config))
    return problems


def _placed(finding: Finding, origins: Mapping[str, Origin]) -> Problem:
    keys, message, hint = finding
    blamed = next((key for key in keys if origins[key].given), keys[0])
    return Problem(origins[blamed].where or "default", message, hint)


def _pace(config: PeerConfig) -> Iterator[Finding]:
    for told in pace_problems(config.pace):
        yield (*_named_in(told, "pace", config.pace), PROFILE), f"pace: {told}", ""


def _transport(config: PeerConfig) -> Iterator[Finding]:
    for told in settings_problems(config.transport):
        yield _named_in(told, "transport", config.transport), f"transport: {told}", ""


def _named_in(told: str, section: str, holder: object) -> tuple[str, ...]:
    """The keys of a section that a sentence names, in its order: it is about one of them."""
    return tuple(f"{section}.{word}" for word in re.findall(r"[a-z_]+", told) if hasattr(holder, word))


def _modes(config: PeerConfig) -> Iterator[Finding]:
    """A setting of the other mode would be silently without effect, where somebody counts on it."""
    if config.safety is Safety.SURVIVOR and config.expect:
        hint = "set safety: quorum, or leave expect out"
        yield ("expect",), "expect: has a meaning only with safety quorum, and this is survivor", hint
    if config.safety is Safety.QUORUM and config.sync.strict:
        hint = "leave it out: a majority is always waited for"
        yield ("sync.strict",), "sync.strict: has a meaning only with safety survivor, and this is quorum", hint


def _sync(config: PeerConfig) -> Iterator[Finding]:
    if config.sync.successors > config.fallbacks:
        told = f"sync.successors: {config.sync.successors} clients do not fit on a fallback list of {config.fallbacks}"
        yield ("sync.successors", "fallbacks"), told, "raise fallbacks to at least sync.successors"


def _applications(config: PeerConfig) -> Iterator[Finding]:
    names = [app.name for app in config.apps] or FIRST_APPS
    running = f"this peer runs {', '.join(names)}"
    for gateway in config.gateways:
        if gateway.app not in names:
            yield (
                ("gateways",),
                f'gateways: "{gateway}" needs the application "{gateway.app}": {running}',
                "add it to apps",
            )
    if config.console and config.console not in names:
        yield ("console",), f'console: "{config.console}" is no application here: {running}', "add it to apps"


def _listeners(config: PeerConfig) -> Iterator[Finding]:
    """Addresses that were given never move, so two of them must not meet; a default one makes room."""
    taken = [(key, key, getattr(config, key)) for key in ("listen", "http") if config.given(key)]
    taken += [("gateways", f'the gateway "{gateway}"', gateway.address) for gateway in config.gateways]
    for index, (key, called, address) in enumerate(taken):
        for _, other, other_address in taken[:index]:
            if overlap(address, other_address):
                yield (key,), f"{called} and {other} cannot both listen on {address}", "give one another port"


CHECKS: tuple[tuple[Set[str], Check], ...] = (
    (frozenset({"pace"}), _pace),
    (frozenset({"transport"}), _transport),
    (frozenset({"safety", "expect", "sync"}), _modes),
    (frozenset({"sync", "fallbacks"}), _sync),
    (frozenset({"apps", "gateways", "console"}), _applications),
    (frozenset({"listen", "http", "gateways"}), _listeners),
)
"""Each rule with the top-level keys it looks at."""
