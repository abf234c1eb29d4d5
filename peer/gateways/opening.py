"""The gateways of a peer as its configuration names them."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from tanist.config.specs import Gateway
from tanist.peer.application.api import Application
from tanist.peer.apps.positions import Positions
from tanist.peer.gateways.echo import EchoGateway
from tanist.peer.gateways.lantern import LanternGateway
from tanist.peer.gateways.lantern_api import LanternApi
from tanist.peer.gateways.lantern_page import LanternPage
from tanist.peer.gateways.line import LineGateway
from tanist.peer.gateways.report import ReportGateway
from tanist.peer.gateways.resp import RespGateway
from tanist.peer.gateways.structs import PositionsGateway, SumsGateway
from tanist.peer.gateways.tcp import Serving
from tanist.peer.gateways.turngame import TurnGameGateway


class ProtocolGateway(Protocol):
    """A gateway that is made, and does not listen yet."""

    async def start(self) -> str:
        """Listen; gives the bound address. Raises ListenError."""

    async def stop(self) -> None:
        """End, with all connections."""


def _struct(peer: Serving, app: str, address: str, application: Application) -> ProtocolGateway:
    return (PositionsGateway if isinstance(application, Positions) else SumsGateway)(peer, app, address)


MAKERS: dict[str, Callable[[Serving, str, str, Application], ProtocolGateway]] = {
    "api": lambda peer, app, address, application: LanternApi(peer, app, address),
    "echo": lambda peer, app, address, application: EchoGateway(peer, app, address),
    "line": LineGateway,
    "report": lambda peer, app, address, application: ReportGateway(peer, app, address),
    "resp": lambda peer, app, address, application: RespGateway(peer, app, address),
    "page": lambda peer, app, address, application: LanternPage(peer, app, address),
    "struct": _struct,
    "tlv": lambda peer, app, address, application: LanternGateway(peer, app, address),
    "turngame": lambda peer, app, address, application: TurnGameGateway(peer, app, address),
}
"""By protocol: what makes its gateway, from a peer, an application's name, an address and the application."""


class Gateways:
    """All gateways of one peer."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        """Where each listens, by `APP=PROTOCOL`."""
        self._running: list[ProtocolGateway] = []

    async def start(self, peer: Serving, wanted: tuple[Gateway, ...], applications: Mapping[str, Application]) -> None:
        """Start them, in their order. Raises ListenError for the first that cannot listen."""
        for gateway in wanted:
            if gateway.protocol not in MAKERS:
                continue  # The peer has said that it does not speak it yet.
            made = MAKERS[gateway.protocol](peer, gateway.app, gateway.address, applications[gateway.app])
            self.addresses[f"{gateway.app}={gateway.protocol}"] = await made.start()
            self._running.append(made)

    async def stop(self) -> None:
        """End them all at once, with their connections: one that never reads keeps nobody else waiting."""
        running, self._running = self._running, []
        await asyncio.gather(*(gateway.stop() for gateway in running))
