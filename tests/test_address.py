"""Addresses: what people write, and what they are told when it is none."""

import pytest

from tanist.transport.address import format_address, parse_address
from tanist.transport.errors import AddressError


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:7400", "127.0.0.1", 7400),
        ("laptop-2.local:0", "laptop-2.local", 0),
        ("[::1]:65535", "::1", 65535),
        ("[fe80::1%eth0]:7400", "fe80::1%eth0", 7400),
        ("[::]:7400", "::", 7400),
    ],
)
def test_an_address_is_read_and_written_the_same(text: str, host: str, port: int) -> None:
    assert parse_address(text) == (host, port)
    assert format_address(host, port) == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no port"),
        ("host", "no port"),
        (":7400", "no host"),
        ("host:", "no port from 0 to 65535"),
        ("host:65536", "no port from 0 to 65535"),
        ("host:-1", "no port from 0 to 65535"),
        ("host:7_4", "no port from 0 to 65535"),
        ("host:٧", "no port from 0 to 65535"),
        ("host:" + "1" * 5000, "no port from 0 to 65535"),
        ("::1:7400", "IPv6 in brackets"),
        ("[::1]", r"\[ipv6\]:port"),
        ("[::1:7400", r"\[ipv6\]:port"),
        ("[host]:7400", "no IPv6 address between its brackets"),
        ("http://host:7400", "IPv6 in brackets"),
        ("user@host:7400", "characters that no host name has"),
        ("ho st:7400", "characters that no host name has"),
        ("ho\x1bst:7400", "characters that no host name has"),
        ("h" * 256 + ":7400", "256 characters; 255 are allowed"),
    ],
)
def test_what_is_no_address_is_explained(text: str, problem: str) -> None:
    with pytest.raises(AddressError, match=problem) as raised:
        parse_address(text)
    assert "\x1b" not in str(raised.value)
    assert len(str(raised.value)) < 300
