"""`--gateway lantern=tlv:9999`: connected lanterns get the present state, and then whatever lanterns are told."""

import asyncio

import msgspec

from tanist.peer.application.events import Published
from tanist.peer.gateways.tcp import Connection, TcpGateway
from tanist.peer.lantern.commands import Lantern, present
from tanist.peer.lantern.frames import frame


class LanternGateway(TcpGateway):
    """The stand at which lanterns hang."""

    protocol = "tlv"

    async def serve(self, connection: Connection) -> None:
        """Say how it is, then wait for the end; what a lantern says means nothing."""
        # Events are listened to first: nothing that is told meanwhile is missed.
        await asyncio.sleep(0)
        connection.send(self.told_anew(connection))
        while await connection.some():
            pass

    def told_anew(self, connection: Connection) -> bytes:
        """The frames that make any lantern like all others."""
        lantern = msgspec.convert(connection.query("lantern"), Lantern)
        return b"".join(frame(kind, value) for kind, value in present(lantern))

    def told(self, connection: Connection, happened: Published) -> bytes:
        """The frame of what lanterns are told."""
        return frame(happened.fields["kind"], bytes.fromhex(happened.fields["value"]))
