"""The client of the verbs, against sockets that misbehave."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from tanist.peer.cli import client
from tanist.peer.cli.client import Client
from tanist.peer.cli.exits import Exit, VerbError

Answering = Callable[[bytes], str]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Makes listeners that answer any request with the given bytes and close; none given: they say nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        threads: list[threading.Thread] = []
        done = threading.Event()

        def serve(answer: bytes) -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                if answer:
                    connection.sendall(answer)
                else:
                    done.wait(10)

        def start(answer: bytes) -> str:
            threads.append(threading.Thread(target=serve, args=(answer,)))
            threads[-1].start()
            return f"127.0.0.1:{listener.getsockname()[1]}"

        yield start
        done.set()
        for thread in threads:
            thread.join()


def failing(ask: Callable[[], object]) -> tuple[Exit, str]:
    with pytest.raises(VerbError) as raised:
        ask()
    return raised.value.status, raised.value.message


def test_a_frozen_peer_is_unreachable_to_read_and_unknown_to_change(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = answering(b"")
    status, message = failing(lambda: Client(at).get("/status", timeout_s=0.05))
    assert (status, "does not answer" in message) == (Exit.UNREACHABLE, True)
    monkeypatch.setattr(client, "SPARE_S", 0.05)
    at = answering(b"")
    status, message = failing(lambda: Client(at).post("/cluster/leave", {}, 0.01))
    assert (status, "may be done" in message) == (Exit.TIMED_OUT, True)


def test_what_speaks_no_http_is_unreachable(answering: Answering) -> None:
    status, message = failing(lambda: Client(answering(b"SSH-2.0-OpenSSH\r\n")).get("/status"))
    assert (status, "does not speak HTTP" in message) == (Exit.UNREACHABLE, True)


def test_another_web_server_is_unreachable(answering: Answering) -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"
    status, message = failing(lambda: Client(answering(page)).get("/status"))
    assert (status, "not a tanist peer" in message) == (Exit.UNREACHABLE, True)


def test_a_change_that_broke_off_may_be_done(answering: Answering) -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
    assert failing(lambda: Client(answering(cut)).post("/cluster/leave", {}, 1))[0] is Exit.TIMED_OUT
    assert failing(lambda: Client(answering(cut)).get("/status"))[0] is Exit.UNREACHABLE


@pytest.mark.parametrize(
    ("at", "url"),
    [
        ("http://10.0.0.5:7480", "http://10.0.0.5:7480"),
        ("http://10.0.0.5:7480/", "http://10.0.0.5:7480"),
        ("anna:81", "http://anna:81"),
        ("anna", "http://anna:7480"),
        ("[::1]:81", "http://[::1]:81"),
        ("http://[::1]", "http://[::1]:7480"),
    ],
)
def test_at_takes_a_url_or_an_address(at: str, url: str) -> None:
    assert Client(at).at == url


@pytest.mark.parametrize(
    "at", ["https://anna", "http://anna/status", "anna:port", "anna:99999", "", "http://", "a b", "::1"]
)
def test_at_refuses_what_is_no_address(at: str) -> None:
    assert failing(lambda: Client(at))[0] is Exit.USAGE
