"""Accounts with passwords, and something that only their owners see."""

import msgspec

from tanist.peer.application import Application, Asking, Context, Counted, Refused, Secret, command, prepare, query
from tanist.peer.apps.checks import checked_name, checked_text
from tanist.peer.apps.passwords import PASSWORD_LENGTH_MAX, Tries, hashed, new_salt

ACCOUNTS_MAX = 10_000
"""Accounts kept."""
NOTE_LENGTH_MAX = 1000
"""Characters of an account's data."""


class Account(msgspec.Struct):
    """An account: of its password only the salt and the hash, and what its owner keeps there."""

    salt: bytes
    proof: bytes
    tries: Tries
    note: str = ""


class Auth(Application):
    """Accounts: register once, log in with the password, and see your data. A login ends with its connection.

    A password is hashed where it was typed in (scrypt, with a salt of its own) and is in no log, file or answer. After
    five wrong tries in a row an account is closed to everybody for 30 s.
    """

    accounts: dict[str, Account]
    """By user."""
    logins: dict[str, str]
    """Session to user."""

    @command
    def register(self, ctx: Context, user: str, salt: bytes, proof: bytes) -> str:
        """Open an account."""
        checked_name(user, "user")
        if user in self.accounts:
            raise Refused("There is such a user", "user_taken")
        if len(self.accounts) >= ACCOUNTS_MAX:
            raise Refused(f"{ACCOUNTS_MAX} accounts: no more", "full")
        self.accounts[user] = Account(salt, proof, Tries())
        return "OK"

    @prepare("register")
    def choose(self, asking: Asking, user: str, password: Secret[str]) -> tuple[str, bytes, bytes]:
        """A salt and a hash instead of the password."""
        salt = new_salt()
        return user, salt, hashed(_checked(password), salt)

    @command
    def login(self, ctx: Context, user: str, proof: bytes) -> str:
        """Log in."""
        account = self.accounts.get(user)
        if account is None:
            # As for a wrong password: nobody learns which users there are.
            raise Refused("Wrong user or password", "wrong_password")
        self._check(ctx, account, proof)
        self.logins[ctx.session.id] = user
        return "OK"

    @prepare("login")
    def prove(self, asking: Asking, user: str, password: Secret[str]) -> tuple[str, bytes]:
        """A hash instead of the password, with the salt that is kept."""
        # For a user that is not there something is hashed too: the time tells nothing.
        salt = asking.query("salt_of", user) or new_salt()
        return user, hashed(password[:PASSWORD_LENGTH_MAX], salt)

    @query
    def data(self, ctx: Context) -> str:
        """Your data."""
        return self.accounts[self._user(ctx)].note

    @command
    def keep(self, ctx: Context, text: str) -> str:
        """Change your data."""
        self.accounts[self._user(ctx)].note = checked_text(text, NOTE_LENGTH_MAX)
        return "OK"

    @command
    def logout(self, ctx: Context) -> str:
        """Log out."""
        self._user(ctx)
        del self.logins[ctx.session.id]
        return "OK"

    @command
    def passwd(self, ctx: Context, old_proof: bytes, salt: bytes, proof: bytes) -> str:
        """Change your password; all other logins of yours end."""
        user = self._user(ctx)
        account = self.accounts[user]
        self._check(ctx, account, old_proof)
        account.salt, account.proof = salt, proof
        self.logins = {s: u for s, u in self.logins.items() if u != user or s == ctx.session.id}
        return "OK"

    @prepare("passwd")
    def choose_other(self, asking: Asking, old: Secret[str], new: Secret[str]) -> tuple[bytes, bytes, bytes]:
        """Hashes instead of the passwords."""
        old_salt, salt = asking.query("own_salt") or new_salt(), new_salt()
        return hashed(old[:PASSWORD_LENGTH_MAX], old_salt), salt, hashed(_checked(new), salt)

    @query(internal=True)
    def salt_of(self, ctx: Context, user: str) -> bytes:
        """The salt of a user's password, empty if there is no such user."""
        account = self.accounts.get(user)
        return b"" if account is None else account.salt

    @query(internal=True)
    def own_salt(self, ctx: Context) -> bytes:
        """The salt of the caller's password, empty before the login."""
        return self.salt_of(ctx, self.logins.get(ctx.session.id, ""))

    def closed(self, ctx: Context) -> None:
        """Somebody left, and is logged out."""
        self.logins.pop(ctx.session.id, None)

    def _user(self, ctx: Context) -> str:
        user = self.logins.get(ctx.session.id)
        if user is None:
            raise Refused("Log in first: LOGIN user password", "not_logged_in")
        return user

    def _check(self, ctx: Context, account: Account, proof: bytes) -> None:
        """Refuses a wrong proof, and any proof after too many."""
        if wait_s := account.tries.wait_s(ctx.time_ns):
            raise Refused(f"Too many wrong tries: wait {wait_s:.0f} s", "too_many_tries")
        if proof != account.proof:
            account.tries.failed(ctx.time_ns)
            raise Counted("Wrong user or password", "wrong_password")
        account.tries = Tries()


def _checked(password: str) -> str:
    if not 0 < len(password) <= PASSWORD_LENGTH_MAX:
        raise Refused(f"A password has 1 to {PASSWORD_LENGTH_MAX} characters", "bad_password")
    return password
