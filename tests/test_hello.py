"""Who may talk to whom, in words that are true and harmless at both ends."""

import msgspec
import pytest

from tanist.transport.errors import ProtocolError
from tanist.transport.hello import (
    HELLO,
    PROTOCOL_VERSION,
    REFUSAL,
    Code,
    Hello,
    Refusal,
    check,
    decode_hello,
    decode_refusal,
    encode_hello,
    encode_refusal,
)

ANNA = Hello(
    cluster="home", safety="survivor", id="a1", name="anna", incarnation=(3, 99), address="10.0.0.1:7400", priority=2
)
BERT = msgspec.structs.replace(ANNA, id="b1", name="bert", incarnation=(1, 5), address="10.0.0.2:7400")


def but(**changes: object) -> Hello:
    """Bert, with differences."""
    return msgspec.structs.replace(BERT, **changes)


def test_two_peers_of_one_cluster_may_talk() -> None:
    assert check(ANNA, BERT) is None
    assert check(BERT, ANNA) is None


@pytest.mark.parametrize(
    ("other", "code", "words"),
    [
        (
            but(cluster="work"),
            Code.CLUSTER,
            "peer 'bert' (b1) is of cluster 'work', peer 'anna' (a1) is of cluster 'home'",
        ),
        (but(safety="quorum"), Code.SAFETY, "keeps safety mode 'quorum', peer 'anna' (a1) keeps 'survivor'"),
        (ANNA, Code.MYSELF, "dialed itself at 10.0.0.1:7400"),
        (but(id="a1"), Code.CLONE, "id a1 is in use at 10.0.0.1:7400 and at 10.0.0.2:7400"),
        (but(name=""), Code.NAME, "name must be 1 to 64 printable characters"),
        (but(id=""), Code.NAME, "id must be"),
        (but(cluster=""), Code.NAME, "cluster must be"),
        (but(name="x" * 65), Code.NAME, "name must be"),
        (but(name="be\x1b[2Jrt"), Code.NAME, "name must be"),
        (but(name=" bert"), Code.NAME, "name must be"),
        (but(id="b\n1"), Code.NAME, "id must be"),
        (but(address=""), Code.NAME, "an address that nobody can dial"),
        (but(address="10.0.0.2:0"), Code.NAME, "port 0"),
        (but(http="nowhere"), Code.NAME, "its page is at an address that nobody can dial"),
        (but(http="10.0.0.2:0"), Code.NAME, "its page is at port 0"),
        (but(apps={"a\x00": "1"}), Code.NAME, "an application that cannot be read"),
        (but(apps={str(i): "1" for i in range(257)}), Code.NAME, "257 applications"),
    ],
)
def test_why_a_peer_is_refused(other: Hello, code: Code, words: str) -> None:
    refusal = check(ANNA, other)
    assert refusal is not None
    assert refusal.code == code
    assert words in refusal.text
    assert refusal.text.isprintable()
    assert len(refusal.text) < 400


def test_a_refusal_for_another_cluster_or_mode_is_mutual() -> None:
    for other in (but(cluster="work"), but(safety="quorum"), ANNA, but(id="a1")):
        there, here = check(ANNA, other), check(other, ANNA)
        assert there is not None
        assert here is not None
        assert there.code == here.code


def test_a_light_peer_needs_no_address() -> None:
    assert check(ANNA, but(light=True, address="")) is None


def test_a_hello_survives_the_wire() -> None:
    hello = but(apps={"kv": "1.2"}, light=True, serve=False)
    assert decode_hello(encode_hello(HELLO, hello)[5:]) == hello


def test_magic_and_version_stand_first_on_the_wire_and_nothing_drifts() -> None:
    value = encode_hello(HELLO, ANNA)[5:]
    fields = ["tanist", 1, "home", "survivor", "a1", "anna", [3, 99], "10.0.0.1:7400", True, 2, {}, False, "", ""]
    assert msgspec.msgpack.decode(value) == fields


def test_another_version_is_told_so_whatever_else_it_sends() -> None:
    stranger = msgspec.msgpack.encode(["tanist", PROTOCOL_VERSION + 1, {"all": "new"}])
    refusal = decode_hello(stranger)
    assert isinstance(refusal, Refusal)
    assert refusal.code == Code.PROTOCOL
    assert f"version {PROTOCOL_VERSION + 1} met version {PROTOCOL_VERSION}" in refusal.text


def test_another_magic_is_another_protocol() -> None:
    refusal = decode_hello(msgspec.msgpack.encode(["raftd", 1]))
    assert isinstance(refusal, Refusal)
    assert refusal.code == Code.PROTOCOL


def test_fields_of_a_newer_hello_are_ignored() -> None:
    fields = msgspec.msgpack.decode(encode_hello(HELLO, ANNA)[5:])
    assert decode_hello(msgspec.msgpack.encode([*fields, "new"])) == ANNA


@pytest.mark.parametrize("value", [b"", b"GET / HTTP/1.1", b"\x91" * 50_000, msgspec.msgpack.encode(["tanist", 1, 5])])
def test_what_is_no_hello_is_a_protocol_error(value: bytes) -> None:
    with pytest.raises(ProtocolError, match="no hello"):
        decode_hello(value)


def test_a_refusal_survives_the_wire_and_cannot_harm_a_log() -> None:
    frame = encode_refusal(Refusal("cluster", "\x1b[2Jno\nway" + "x" * 5000))
    assert frame[0] == REFUSAL
    refusal = decode_refusal(frame[5:])
    assert refusal.code == "cluster"
    assert refusal.text.isprintable()
    assert "no" in refusal.text
    assert len(refusal.text) <= 500
    with pytest.raises(ProtocolError):
        decode_refusal(b"\xc1")


def test_the_core_is_told_who_is_there() -> None:
    remote = ANNA.as_remote()
    assert (remote.id, remote.name, remote.address) == ("a1", "anna", "10.0.0.1:7400")
    assert (remote.incarnation, remote.serve, remote.priority) == ((3, 99), True, 2)


def test_two_foundings_of_one_name_are_refused_and_an_unfounded_peer_is_not() -> None:
    one, other = msgspec.structs.replace(ANNA, founding="1@a1"), but(founding="1@b1")
    refusal = check(one, other)
    assert refusal is not None and refusal.code == Code.FOUNDING
    assert "1@a1" in refusal.text and "1@b1" in refusal.text and "--cluster" in refusal.text
    assert check(one, msgspec.structs.replace(other, founding="")) is None
    assert check(msgspec.structs.replace(one, founding=""), other) is None
    assert check(one, msgspec.structs.replace(other, founding="1@a1")) is None
