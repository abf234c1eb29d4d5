"""What a call can end in, besides its result: each with the code that HTTP and programs see."""


class CallError(Exception):
    """Base: `code` for programs, the message for people, `status` as HTTP has it."""

    code = "failed"
    status = 500

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class BadRequest(CallError):
    """The arguments do not fit what the command takes. Certainly not done."""

    code = "bad_request"
    status = 400


class NotFound(CallError):
    """No such application, command or query here. Certainly not done."""

    code = "not_found"
    status = 404


class Refused(CallError):
    """The application said no; `code` is the application's. Raised by applications too. Nothing was done."""

    code = "refused"
    status = 409


class Counted(Refused):
    """The application said no, and its state changed all the same, such as by counting a wrong password.

    Raised by applications; callers get it as any other refusal.
    """


class KeyReused(CallError):
    """The idempotency key was used before, with another body. Certainly not done."""

    code = "key_reused"
    status = 409


class WriteSuperseded(CallError):
    """A split healed, and the side that gave way had done it: it is in the archive, and not done here."""

    code = "superseded"
    status = 409


class TooLarge(CallError):
    """More than one command may carry. Certainly not done."""

    code = "too_large"
    status = 413


class NoServer(CallError):
    """Nobody served within the time-out (or no majority could be reached). Certainly not done."""

    code = "no_server"
    status = 503


class NoMajority(NoServer):
    """Quorum mode: too few voters are here for anybody to serve. Certainly not done."""

    code = "no_majority"


class Overloaded(CallError):
    """Too many calls wait at this peer. Certainly not done."""

    code = "overloaded"
    status = 503


class UnknownOutcome(CallError):
    """The answer did not come in time: done, or not, or yet to be done. Repeat with the same key."""

    code = "unknown_outcome"
    status = 504


class ApplicationFailed(CallError):
    """A bug in the application: the same on every peer. The state is as the command left it."""

    code = "application_failed"
    status = 500


BY_CODE: dict[str, type[CallError]] = {
    cls.code: cls
    for cls in (
        BadRequest,
        NotFound,
        KeyReused,
        WriteSuperseded,
        TooLarge,
        NoServer,
        NoMajority,
        Overloaded,
        UnknownOutcome,
        ApplicationFailed,
    )
}
"""Reserved codes: whatever else a reply names is an application's own, a `Refused`."""
