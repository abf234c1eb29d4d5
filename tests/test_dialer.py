"""The first address that answers wins, the others are closed, and the error that says most is kept."""

import asyncio
import errno
import socket
from collections.abc import Iterator

import pytest

from tanist.election.evidence import Evidence
from tanist.transport import dialer
from tanist.transport.dialer import connect_first, describe, dial_evidence, loss_evidence
from tanist.transport.resolver import SocketAddress

NOBODY = SocketAddress(socket.AF_INET, ("127.0.0.1", 1))


@pytest.fixture
def listening() -> Iterator[SocketAddress]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(8)
        yield SocketAddress(socket.AF_INET, sock.getsockname())


@pytest.fixture
def silent() -> Iterator[SocketAddress]:
    """A listening socket with a full queue: connecting gets no answer."""
    with socket.socket() as sock, socket.socket() as a, socket.socket() as b, socket.socket() as c:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        for filler in (a, b, c):
            filler.setblocking(False)
            filler.connect_ex(sock.getsockname())
        yield SocketAddress(socket.AF_INET, sock.getsockname())


async def test_a_refused_address_is_passed_over_at_once(
    listening: SocketAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialer, "STAGGER_S", 1000.0)
    with await connect_first(asyncio.get_running_loop(), [NOBODY, listening]) as sock:
        assert sock.getpeername() == listening.sockaddr


async def test_a_silent_address_is_overtaken(
    silent: SocketAddress, listening: SocketAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialer, "STAGGER_S", 0.01)
    with await connect_first(asyncio.get_running_loop(), [silent, listening]) as sock:
        assert sock.getpeername() == listening.sockaddr


async def test_of_two_that_answer_at_once_one_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, opened = asyncio.Event(), list[socket.socket]()

    async def connect(loop: asyncio.AbstractEventLoop, address: SocketAddress) -> socket.socket:
        if len(opened) == 1:
            loop.call_soon(answer.set)
        opened.append(socket.socket())
        await answer.wait()
        return opened[int(address.sockaddr[1])]

    monkeypatch.setattr(dialer, "_connect", connect)
    monkeypatch.setattr(dialer, "STAGGER_S", 0.001)
    both = [SocketAddress(socket.AF_INET, ("127.0.0.1", port)) for port in (0, 1)]
    with await connect_first(asyncio.get_running_loop(), both) as won:
        assert len(opened) == 2
        assert [sock for sock in opened if sock.fileno() != -1] == [won]


async def test_giving_up_closes_every_attempt(silent: SocketAddress) -> None:
    # A socket left open would be a ResourceWarning, which fails the test.
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await connect_first(asyncio.get_running_loop(), [silent, silent, NOBODY])
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_refusal_says_more_than_the_other_errors() -> None:
    nowhere = SocketAddress(socket.AF_INET6, ("127.0.0.1", 1))
    with pytest.raises(ConnectionRefusedError):
        await connect_first(asyncio.get_running_loop(), [nowhere, NOBODY])


@pytest.mark.parametrize(
    ("error", "evidence"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), Evidence.REFUSED),
        (ConnectionResetError(errno.ECONNRESET, "reset"), Evidence.CLOSED),
        (OSError(errno.EHOSTUNREACH, "no route"), Evidence.UNREACHABLE),
        (socket.gaierror(socket.EAI_NONAME, "no name"), Evidence.UNREACHABLE),
        (TimeoutError(errno.ETIMEDOUT, "timed out"), Evidence.UNREACHABLE),
    ],
)
def test_what_an_error_of_connecting_says(error: OSError, evidence: Evidence) -> None:
    assert dial_evidence(error) == evidence


@pytest.mark.parametrize(
    ("error", "evidence"),
    [
        (None, Evidence.CLOSED),
        (ConnectionResetError(errno.ECONNRESET, "reset"), Evidence.CLOSED),
        (BrokenPipeError(errno.EPIPE, "pipe"), Evidence.CLOSED),
        (TimeoutError(errno.ETIMEDOUT, "timed out"), Evidence.UNREACHABLE),
        (OSError(errno.ENETUNREACH, "no network"), Evidence.UNREACHABLE),
    ],
)
def test_what_the_end_of_a_connection_says(error: OSError | None, evidence: Evidence) -> None:
    found, words = loss_evidence(error)
    assert found == evidence
    assert words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        # As asyncio puts it, with the address that the caller names anyway.
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 7400)"), "Connection refused"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
        (OSError("2 other names are being resolved"), "2 other names are being resolved"),
        (OSError(), "OSError"),
    ],
)
def test_an_error_is_told_in_plain_words(error: OSError, words: str) -> None:
    assert describe(error) == words
