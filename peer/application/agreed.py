"""The settings that a cluster uses: of each application those that entered the log first, until somebody changes them.

They change by a command of a session, to the application `SETTINGS` that no peer can have.
"""

from collections.abc import Mapping

import msgspec

from tanist.peer.application.settings import SETTINGS_BYTES_MAX, decode_settings

SETTINGS, USE = "@settings", "use"
"""The application that a change of settings is a command of, and that command; its arguments are an `AppSettings`."""
AGREED_MAX = 64
"""Applications with settings: a peer runs no more."""


class AppSettings(msgspec.Struct, frozen=True, array_like=True):
    """Body of an entry of `Kind.SETTINGS`: an application, and its settings as a peer is configured with them."""

    app: str
    settings: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AppSettings).decode


def settings_body(app: str, settings: bytes) -> bytes:
    """The body of an entry that brings settings."""
    return _encode(AppSettings(app, settings))


def app_of(body: bytes) -> str:
    """The application that an entry brings settings of; "" for one that nobody can read."""
    try:
        return _decode(body).app
    except msgspec.MsgspecError:
        return ""


class Agreed:
    """Part of the machine's state. Bytes are kept as they came, so that peers of different versions agree on them."""

    def __init__(self, classes: Mapping[str, type[msgspec.Struct] | None]) -> None:
        """`classes` are the declared settings of the applications of this peer."""
        self._classes = classes
        self._bytes: dict[str, bytes] = {}
        self.changes = 0
        """Counts what came, so that a change is seen cheaply."""

    def take(self, body: bytes, *, instead: bool = False) -> str:
        """Take in an entry; the name of the application that has settings now, "" if nothing changed.

        The first ones of an application stay unless these are to hold `instead`. Raises msgspec.MsgspecError.
        """
        given = _decode(body)
        taken = not instead if given.app in self._bytes else len(self._bytes) >= AGREED_MAX
        if taken or len(given.settings) > SETTINGS_BYTES_MAX:
            return ""
        self._bytes[given.app] = given.settings
        self.changes += 1
        return given.app

    def has(self, app: str) -> bool:
        """Whether an application's settings are in the log."""
        return app in self._bytes

    def of(self, app: str) -> msgspec.Struct | None:
        """An application's settings: those of the log, or the defaults; None if it declares none here.

        Raises msgspec.MsgspecError for those of a version of the application with other settings.
        """
        declared = self._classes.get(app)
        if declared is None:
            return None
        data = self._bytes.get(app)
        return declared() if data is None else decode_settings(declared, data)

    def state(self) -> dict[str, bytes]:
        """All of it, for a snapshot."""
        return {app: self._bytes[app] for app in sorted(self._bytes)}

    def restore(self, state: Mapping[str, bytes]) -> None:
        """Become what `state` was taken from."""
        self._bytes = dict(state)
        self.changes += 1
