"""Where a console goes when its peer is lost."""

from typing import Any

import msgspec

from tanist.peer.console.book import ADDRESSES_MAX, Book, Status


def status(http: dict[str, str], *, server: str | None = "a", ranked: str = "", cluster: str = "home") -> Status:
    said: dict[str, Any] = {
        "cluster": cluster,
        "name": "x",
        "role": "client",
        "apps": [],
        "term": {"number": 1},
        "server": {"id": server, "name": server} if server else None,
        "fallbacks": [{"id": peer} for peer in ranked],
        "members": [{"id": peer, "http": address} for peer, address in http.items()],
    }
    return msgspec.convert(said, Status)


HTTP = {"a": "10.0.0.1:1", "b": "10.0.0.2:1", "c": "10.0.0.3:1", "d": "10.0.0.4:1"}


def test_the_fallback_list_comes_first_then_the_server_then_the_others() -> None:
    book = Book("10.0.0.4:1")
    book.learn(status(HTTP, ranked="cb"))
    assert book.order("10.0.0.4:1") == ["10.0.0.3:1", "10.0.0.2:1", "10.0.0.1:1", "10.0.0.4:1"]
    assert book.order("10.0.0.3:1")[0] == "10.0.0.2:1" and book.order("10.0.0.3:1")[-1] == "10.0.0.3:1"


def test_what_was_learned_stays_while_nobody_serves_and_goes_with_who_left() -> None:
    book = Book("10.0.0.9:1")
    book.learn(status(HTTP, ranked="cb"))
    book.learn(status({"c": "", "b": "10.0.0.2:2", "a": ""}, server=None))
    assert book.order() == ["10.0.0.3:1", "10.0.0.2:2", "10.0.0.1:1", "10.0.0.9:1"]
    assert book.address_of("b") == "10.0.0.2:2" and book.address_of("d") == ""


def test_addresses_of_other_machines_own_and_of_other_clusters_are_no_use() -> None:
    book = Book("10.0.0.1:1")
    book.learn(status({"a": "127.0.0.1:1", "b": "localhost:1", "c": "[::1]:1", "d": "10.0.0.4:1"}))
    book.learn(status(HTTP, cluster="work"))
    assert book.order() == ["10.0.0.4:1", "10.0.0.1:1"]
    here = Book("localhost:1")
    here.learn(status({"a": "127.0.0.1:1"}))
    assert here.order() == ["127.0.0.1:1", "localhost:1"]
    here.learn(status({str(n): f"127.0.0.1:{n}" for n in range(2 * ADDRESSES_MAX)}))
    assert len(here.order()) <= ADDRESSES_MAX + 2
