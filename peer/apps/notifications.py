"""Notifications from the administrator to everybody."""

import msgspec

from tanist.peer.application import (
    Application,
    Asking,
    Context,
    Counted,
    Event,
    Refused,
    Secret,
    command,
    prepare,
    query,
)
from tanist.peer.apps.checks import checked_text
from tanist.peer.apps.passwords import PASSWORD_LENGTH_MAX, Tries, hashed, new_salt, read_hash

TEXT_LENGTH_MAX = 1000
"""Characters of a notification: it interrupts people."""
HISTORY_MAX = 100
"""Notifications kept, for those who come late."""


class Notified(Event):
    """The administrator says something."""

    template = "{text}"
    text: str


class Notifications(Application):
    """Notifications from the administrator; everybody who is connected hears each once.

    The first to say `ADMIN password` chooses the password, unless the settings have its hash; from then on it takes
    that one. Only a hash of it enters the log, with a salt, made where it was typed in.
    """

    class Settings(msgspec.Struct, frozen=True):
        """Who is the administrator."""

        admin: str = ""
        """The hash of the password, as `python -m tanist.peer.apps.passwords` makes it; empty: the first chooses."""

        def __post_init__(self) -> None:
            read_hash(self.admin)

    salt: bytes
    proof: bytes
    """The hash of the password that the first chose, empty until then."""
    tries: Tries
    admins: dict[str, None]
    """Sessions that gave the password."""
    sent: list[str]

    @command
    def admin(self, ctx: Context, salt: bytes, proof: bytes) -> str:
        """Become the administrator; the first time, choose the password."""
        if wait_s := self.tries.wait_s(ctx.time_ns):
            raise Refused(f"Too many wrong tries: wait {wait_s:.0f} s", "too_many_tries")
        wanted = read_hash(ctx.settings.admin)[1] or self.proof
        if not wanted:
            self.salt, self.proof = salt, proof
            wanted = proof
        if proof != wanted:
            self.tries.failed(ctx.time_ns)
            raise Counted("Wrong password", "wrong_password")
        self.tries = Tries()
        self.admins[ctx.session.id] = None
        return "OK"

    @prepare("admin")
    def prove(self, asking: Asking, password: Secret[str]) -> tuple[bytes, bytes]:
        """A hash instead of the password, with the salt that is kept."""
        if not 0 < len(password) <= PASSWORD_LENGTH_MAX:
            raise Refused(f"A password has 1 to {PASSWORD_LENGTH_MAX} characters", "bad_password")
        salt = asking.query("kept_salt") or new_salt()
        return salt, hashed(password, salt)

    @query(internal=True)
    def kept_salt(self, ctx: Context) -> bytes:
        """The salt of the password, empty until one is chosen."""
        return read_hash(ctx.settings.admin)[0] or self.salt

    @command
    def broadcast(self, ctx: Context, text: str) -> str:
        """Tell everybody: the administrator's right."""
        if ctx.session.id not in self.admins:
            raise Refused("Only the administrator sends: ADMIN password", "not_admin")
        text = checked_text(text, TEXT_LENGTH_MAX)
        self.sent.append(text)
        del self.sent[:-HISTORY_MAX]
        ctx.publish(Notified(text))
        return "OK"

    @query
    def history(self, ctx: Context, n: int = 10) -> list[str]:
        """The last notifications, the newest last."""
        return self.sent[-n:] if n > 0 else []

    def closed(self, ctx: Context) -> None:
        """Somebody left, and is no administrator any more."""
        self.admins.pop(ctx.session.id, None)
