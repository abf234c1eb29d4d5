"""Applications and gateways as people write them."""

from collections.abc import Callable
from typing import Any

import pytest

from tanist.config.nodes import Item, Node, from_python
from tanist.config.specs import App, Gateway, apps, gateway
from tanist.config.values import Invalid


def refusal(parse: Callable[[Node], object], value: Any) -> str:
    with pytest.raises(Invalid) as caught:
        parse(from_python(value, "c.yaml:1:1"))
    return str(caught.value)


def test_applications_by_name_file_and_module() -> None:
    found = apps(from_python(["kv", "sub/notes.py:Notes", "package.module:Poll"], "x"))
    assert [app.spec for app in found] == ["kv", "sub/notes.py:Notes", "package.module:Poll"]
    assert [app.name for app in found] == ["kv", "notes", "poll"]


def test_applications_with_their_settings() -> None:
    kv, poll = apps(from_python({"kv": {}, "poll": {"options": ["a", "b"]}}, "x"))
    assert kv == App(spec="kv")
    assert (poll.spec, poll.settings) == ("poll", {"options": ["a", "b"]})
    assert poll.node == from_python({"options": ["a", "b"]}, "x"), "the application says which of them is wrong"


def test_an_application_file_starts_from_the_configurations_folder() -> None:
    entry = Node(value="notes.py:Notes", where="x", folder="conf")
    assert apps(Node(value=(entry,), where="x"))[0].spec == "conf/notes.py:Notes"
    item = Item("x", Node(value=None, where="x", folder="conf"))
    assert apps(Node(value={"notes.py:Notes": item}, where="x"))[0].spec == "conf/notes.py:Notes"


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (["notes.py"], 'write "notes.py:ClassName"'),
        (["KV"], "lower-case"),
        (["notes.py:My Class"], "no class name"),
        (["a-b:Notes"], "file.py:Class"),
        (["a.py:Notes", "b.py:Notes"], 'both be called "notes"'),
        ({"kv": 3, "a.py": {}}, "expected a mapping of settings"),
        ({"kv": 3, "a.py": {}}, "names a file and no class"),
        ("kv", "write [kv"),
        ([f"a{n}" for n in range(65)], "at most 64"),
        ({f"a{n}": {} for n in range(65)}, "at most 64"),
    ],
)
def test_what_is_no_application_is_refused(bad: Any, told: str) -> None:
    assert told in refusal(apps, bad)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kv=resp:6380", Gateway(app="kv", protocol="resp", port=6380)),
        ("kv=resp:0.0.0.0:0", Gateway(app="kv", protocol="resp", host="0.0.0.0", port=0)),
        ("kv=resp:[::1]:6380", Gateway(app="kv", protocol="resp", host="::1", port=6380)),
        ("chat=line:my.host:23", Gateway(app="chat", protocol="line", host="my.host", port=23)),
    ],
)
def test_gateways(text: str, expected: Any) -> None:
    found = gateway(from_python(text, "x"))
    assert found == expected
    assert gateway(from_python(str(found), "x")) == found


def test_a_gateway_without_a_host_is_on_loopback_only() -> None:
    assert gateway(from_python("kv=resp:6380", "x")).address == "127.0.0.1:6380"


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("kv", "APP=PROTOCOL:[HOST:]PORT"),
        ("kv=6380", "APP=PROTOCOL:[HOST:]PORT"),
        ("kv=resp:", 'got ""'),
        ("kv=resp:x", 'got "x"'),
        ("kv=resp:65536", "65535"),
        ("kv=resp:::1:6380", "brackets"),
        ("kv=resp:[::g]:6380", "no IP address"),
        ("kv=resp:a b:6380", "names no host"),
        ("KV=resp:6380", "an application's name"),
        ("=resp:6380", "an application's name"),
        ("kv=:6380", "a protocol's name"),
        (6380, "put it in quotes"),
    ],
)
def test_what_is_no_gateway_is_refused(bad: Any, told: str) -> None:
    assert told in refusal(gateway, bad)
