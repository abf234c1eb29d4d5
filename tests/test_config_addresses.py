"""Addresses in a configuration: the slips people make, and which listeners are in each other's way."""

from collections.abc import Callable
from typing import Any

import pytest

from tanist.config.addresses import listening, overlap, reachable
from tanist.config.nodes import Node, from_python
from tanist.config.values import Invalid


def refusal(parse: Callable[[Node], object], value: Any) -> str:
    with pytest.raises(Invalid) as caught:
        parse(from_python(value, "c.yaml:1:1"))
    return str(caught.value)


@pytest.mark.parametrize(
    "good", ["127.0.0.1:0", "[::1]:7400", "laptop.local:65535", "0.0.0.0:1", "[::]:1", "my_box:80"]
)
def test_an_address_to_listen_on(good: Any) -> None:
    assert listening(7400)(from_python(good, "x")) == good


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (7400, 'write "127.0.0.1:7400"'),
        ("10.0.0.1", 'write "10.0.0.1:7480"'),
        ("http://a:80", "leave out the scheme"),
        ("::1:7400", "brackets"),
        ("::1", "brackets"),
        ("[::1]", "[::1]:7400"),
        ("[::g]:1", "IPv6"),
        (":7400", "0.0.0.0"),
        ("a:65536", "65535"),
        ("a:-1", "65535"),
        ("a:٨٠", "65535"),
        ("a:", "65535"),
        ("10.0.0.300:1", "no IP address"),
        ("a b:1", "host"),
        ("a..b:1", "names no host"),
        ("", "no value"),
        (None, "no value"),
        (True, "expected text"),
        (["a:1"], "expected text, got a list"),
    ],
)
def test_what_is_no_address_says_what_to_write(bad: Any, told: str) -> None:
    assert told in refusal(listening(7480), bad)


@pytest.mark.parametrize("bad", ["0.0.0.0:7400", "[::]:7400", "laptop:0"])
def test_nobody_is_reached_everywhere_or_at_port_0(bad: Any) -> None:
    assert "nobody can be reached" in refusal(reachable(7400), bad)
    assert listening(7400)(from_python(bad, "x")) == bad


def test_listeners_meet_on_one_port_of_one_host_or_of_all() -> None:
    assert overlap("127.0.0.1:1", "127.0.0.1:1")
    assert overlap("0.0.0.0:1", "127.0.0.1:1") and overlap("127.0.0.1:1", "[::]:1")
    assert not overlap("127.0.0.1:1", "127.0.0.2:1")
    assert not overlap("127.0.0.1:1", "127.0.0.1:2")
    assert not overlap("127.0.0.1:0", "127.0.0.1:0")
