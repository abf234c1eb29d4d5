"""Asking a running peer over HTTP, with the standard library alone, so that a verb answers at once."""

import http.client
import os
import socket
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from tanist.peer.cli.exits import Exit, VerbError

DEFAULT_AT = "http://127.0.0.1:7480"
"""Where a peer on this machine is found unless it was told otherwise."""
HTTP_PORT = 7480
"""The port of an address that names none."""
CONNECT_S = 3.0
"""Seconds to connect: a peer on the same network answers within milliseconds, or not at all."""
ANSWER_S = 5.0
"""Seconds for an answer that asks nobody else."""
SPARE_S = 2.0
"""Seconds an answer may be later than the time-out the peer was given."""
ANSWER_BYTES_MAX = 64 << 20
"""Bytes of an answer: what a peer says is small, and a stranger's endless answer must end."""

STATUS_BY_CODE = {"no_server": Exit.NO_SERVER, "no_majority": Exit.NO_SERVER}
STATUS_BY_HTTP = {
    400: Exit.USAGE,
    401: Exit.REFUSED,
    403: Exit.REFUSED,
    404: Exit.USAGE,
    405: Exit.USAGE,
    504: Exit.TIMED_OUT,
}


class Client:
    """Talks to the peer whose page is at `at` ("http://host:port", or "host:port", or a host alone)."""

    def __init__(self, at: str) -> None:
        self.host, self.port = _split(at)
        self.superseded = ""
        """What the last answer said of acknowledged commands that do not hold: `HEAL; commands=N`."""
        self.at = f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def get(self, path: str, arguments: dict[str, str] | None = None, timeout_s: float = ANSWER_S) -> Any:
        """Read; gives the decoded JSON. Raises `VerbError` with the status that fits."""
        target = f"{path}?{urlencode(arguments)}" if arguments else path
        return self._decoded(*self._ask("GET", target, None, {}, timeout_s))

    def get_raw(self, path: str) -> bytes:
        """Read; gives the JSON as it came."""
        status, body = self._ask("GET", path, None, {}, ANSWER_S)
        if status != http.client.OK:
            self._decoded(status, body)
        return body

    def get_bytes(self, path: str, arguments: dict[str, str], timeout_s: float) -> bytes:
        """Read what is bytes. Raises `VerbError`."""
        status, body = self._ask("GET", f"{path}?{urlencode(arguments)}", None, {}, timeout_s)
        if status != http.client.OK:
            self._decoded(status, body)
        return body

    def put(self, path: str, arguments: dict[str, str], file: BinaryIO, timeout_s: float, key: str) -> Any:
        """Have something done with the bytes of an open file; gives the decoded JSON. Raises `VerbError`."""
        headers = {"Content-Length": str(os.fstat(file.fileno()).st_size), "Idempotency-Key": key}
        target = f"{path}?{urlencode({**arguments, 'timeout': f'{timeout_s:g}'})}"
        return self._decoded(*self._ask("PUT", target, file, headers, timeout_s + SPARE_S))

    def post(self, path: str, body: dict[str, Any], timeout_s: float, key: str = "") -> Any:
        """Have something done, in `timeout_s` seconds at the peer; gives the decoded JSON. Raises `VerbError`."""
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        target = f"{path}?timeout={timeout_s:g}"
        return self._decoded(*self._ask("POST", target, msgspec.json.encode(body), headers, timeout_s + SPARE_S))

    def _ask(
        self, method: str, target: str, body: bytes | BinaryIO | None, headers: dict[str, str], timeout_s: float
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=CONNECT_S)
        try:
            try:
                connection.connect()
            except OSError as error:
                raise VerbError(Exit.UNREACHABLE, f"no peer answers at {self.at}: {_why(error)}; {_ADVICE}") from None
            assert connection.sock is not None
            connection.sock.settimeout(timeout_s)
            try:
                connection.request(method, target, body, headers)
                answer = connection.getresponse()
                self.superseded = answer.getheader("Tanist-Superseded", "")
                said = answer.read(ANSWER_BYTES_MAX)
                if answer.length:
                    # A read with a limit does not say by itself that the answer ended too soon, or goes on.
                    raise http.client.IncompleteRead(said, answer.length)
                return answer.status, said
            except TimeoutError:
                raise self._late(method, timeout_s) from None
            except (OSError, http.client.HTTPException) as error:
                raise self._broken(method, error) from None
        finally:
            connection.close()

    def _late(self, method: str, timeout_s: float) -> VerbError:
        if method == "GET":
            return VerbError(
                Exit.UNREACHABLE, f"the peer at {self.at} accepts and does not answer within {timeout_s:g} s"
            )
        return VerbError(Exit.TIMED_OUT, f"{self.at} did not answer within {timeout_s:g} s: it may be done, or not")

    def _broken(self, method: str, error: Exception) -> VerbError:
        if isinstance(error, http.client.BadStatusLine) and not isinstance(error, http.client.RemoteDisconnected):
            return VerbError(
                Exit.UNREACHABLE, f"what answers at {self.at} does not speak HTTP; is it a peer's HTTP port?"
            )
        if method == "GET":
            return VerbError(Exit.UNREACHABLE, f"the connection to {self.at} broke off: {_why(error)}")
        return VerbError(Exit.TIMED_OUT, f"the connection to {self.at} broke off: it may be done, or not")

    def _decoded(self, status: int, body: bytes) -> Any:
        try:
            said = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            said = None
        if isinstance(said, dict) and status == http.client.OK:
            return said
        error = said.get("error") if isinstance(said, dict) else None
        if not isinstance(error, dict):
            raise VerbError(Exit.UNREACHABLE, f"what answers at {self.at} (HTTP status {status}) is not a tanist peer")
        code, message = str(error.get("code", "")), str(error.get("message", ""))
        raise VerbError(STATUS_BY_CODE.get(code, STATUS_BY_HTTP.get(status, Exit.FAILED)), message or code)


_ADVICE = 'is it running ("tanist up"), and is --at its HTTP address?'


def path_of(*parts: str) -> str:
    """A path from its parts, each quoted."""
    return "".join("/" + quote(part, safe="") for part in parts)


def _why(error: Exception) -> str:
    match error:
        case TimeoutError():
            return f"no answer within {CONNECT_S:g} s"
        case ConnectionRefusedError():
            return "nothing listens there"
        case socket.gaierror():
            return "the name does not resolve"
        case OSError(strerror=str(reason)):
            return reason.lower()
    return str(error) or type(error).__name__


def _split(at: str) -> tuple[str, int]:
    """Host and port of `--at`; raises `VerbError`."""
    wrong = VerbError(Exit.USAGE, f"{at!r} is not the address of a peer's page, as in {DEFAULT_AT}")
    try:
        parts = urlsplit(at if "://" in at else f"http://{at}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme != "http" or not host or parts.path not in ("", "/") or parts.query or parts.username:
        raise wrong
    if not host.isprintable() or " " in host:
        raise wrong
    return host, HTTP_PORT if port is None else port
