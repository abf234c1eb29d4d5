"""Settings of applications at a running peer: the first server's enter the log, and who has others says so once.

They are proposed like an account (`past/keeper.py`), before the first command of a client can be: what comes first in
the log is what all peers use, until somebody has them use those of another peer (`use`).
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tanist.config import ConfigError, PeerConfig
from tanist.config.specs import FIRST_APPS, App
from tanist.election.entries import Kind, Proposal
from tanist.election.events import Event
from tanist.election.history import NO_TERM
from tanist.election.ready import Submit
from tanist.election.roles import Role
from tanist.peer.application.agreed import SETTINGS, USE, Agreed, app_of, settings_body
from tanist.peer.application.api import Application
from tanist.peer.application.loading import LoadError, load_application
from tanist.peer.application.settings import differing, encode_settings, no_settings, read_settings, with_own
from tanist.peer.application.specification import describe
from tanist.peer.calls import Calls
from tanist.peer.driver import Driver
from tanist.peer.electionlog.peer_events import SettingsChanged, SettingsDiffer
from tanist.peer.errors import NotFound
from tanist.peer.replica import Replica

AGAIN_S = 1.0
"""Seconds after which settings that are not in the log are proposed again."""

OwnSettings = Mapping[str, msgspec.Struct]
"""What this peer is configured with, by application."""


def load_applications(config: PeerConfig, applications: dict[str, Application]) -> OwnSettings:
    """Load what a configuration names into `applications`, beside those that are there; gives the settings of all.

    Those that are there may be named too, for their settings.

    Raises LoadError; ConfigError with all that is wrong with settings.
    """
    named = config.apps or tuple(App(spec=spec) for spec in ([] if applications else FIRST_APPS))
    given: dict[str, App] = {}
    for app in named:
        name = app.spec
        if name not in applications:
            name, applications[name] = load_application(app.spec)
        given[name] = app
    own: dict[str, msgspec.Struct] = {}
    problems = []
    for name, application in applications.items():
        declared = describe(application).settings
        try:
            if declared is not None:
                own[name] = read_settings(declared, given.get(name, App(spec=name)))
            elif name in given:
                no_settings(given[name])
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    for gateway in config.gateways:
        if gateway.app not in applications:
            running = ", ".join(applications)
            raise LoadError(f'gateways: "{gateway}" needs the application "{gateway.app}": this peer runs {running}')
    return own


class Agreeing:
    """Of one peer. `look` is cheap: it runs after every turn of the driver."""

    def __init__(self, own: OwnSettings, driver: Driver, replica: Replica, emit: Callable[[Event], None]) -> None:
        self._own = own
        self._driver = driver
        self._replica = replica
        self._emit = emit
        self._loop = asyncio.get_running_loop()
        self._lacking = bool(own)
        self._proposed_in = NO_TERM
        self._proposed_at = 0.0
        self._seen: Agreed | None = None
        self._changes = 0
        self._told: set[str] = set()
        self._used: dict[str, msgspec.Struct] = {}
        self.differing: list[str] = []
        """Applications for which this peer is configured with other settings than the cluster uses."""

    def look(self) -> None:
        """Propose what the log lacks, at the begin of a reign of this peer; see what came."""
        if not self._own:
            return
        core, agreed = self._driver.core, self._replica.machine.agreed
        if self._lacking and core.role is Role.SERVER:
            self._propose()
        if agreed is not self._seen or agreed.changes != self._changes:
            self._seen, self._changes = agreed, agreed.changes
            self._compare()

    def _propose(self) -> None:
        """Once in each reign; again if the log has them not after a while: a new reign may take nothing yet."""
        term, now = self._driver.core.term, self._loop.time()
        if term == self._proposed_in and now < self._proposed_at + AGAIN_S:
            return
        self._proposed_in, self._proposed_at = term, now
        agreed, coming = self._replica.machine.agreed, self._coming()
        lacking = [(app, own) for app, own in self._own.items() if not agreed.has(app) and app not in coming]
        bodies = [settings_body(app, encode_settings(own)) for app, own in lacking]
        if bodies:
            self._driver.feed(Submit(tuple(Proposal(Kind.SETTINGS, body) for body in bodies)))

    def _coming(self) -> set[str]:
        """Applications whose settings are in the log, and not applied yet: a reign begins before all of it is."""
        log = self._driver.core.node.log
        entries = log.between(max(log.first, self._replica.applied + 1), log.last)
        return {app_of(entry.body) for entry in entries if entry.kind == Kind.SETTINGS}

    def _compare(self) -> None:
        agreed = self._replica.machine.agreed
        self._lacking = not all(agreed.has(app) for app in self._own)
        self.differing = []
        for app, own in sorted(self._own.items()):
            if not agreed.has(app):
                continue
            used = self._replica.machine.settings_of(app)
            before, self._used[app] = self._used.get(app, used), used
            if changed := differing(used, before):
                self._emit(SettingsChanged(app, changed))
            names = differing(used, own)
            if not names:
                self._told.discard(app)
                continue
            self.differing.append(app)
            if app not in self._told:
                self._told.add(app)
                self._emit(SettingsDiffer(app, names))

    async def use(self, app: str, calls: Calls, timeout_s: float) -> list[str]:
        """Have all peers use the settings of an application that this peer is configured with; those that changed.

        Raises NotFound for an application without settings here, and what `Calls.call` raises.
        """
        own = self._own.get(app)
        if own is None:
            known = ", ".join(sorted(self._own)) or "none"
            raise NotFound(f"no application {app[:64]!r} with settings at this peer; there are: {known}")
        changed = differing(self._replica.machine.settings_of(app), own)
        if changed:
            await calls.call(SETTINGS, USE, settings_body(app, encode_settings(own)), "", timeout_s)
        return changed

    def here(self, app: str) -> Any:
        """The settings of an application as preparations and local work at this peer see them; None without any."""
        own = self._own.get(app)
        return None if own is None else with_own(self._replica.machine.settings_of(app), own)
