"""Files to nodes: places, the scalars of YAML 1.2, strict JSON, and that nothing makes it fail in another way."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.config.loader import DEPTH_MAX, FILE_BYTES_MAX, parse, read
from tanist.config.nodes import plain
from tanist.config.problems import ConfigError


def refusal(text: str, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, "c.yaml", **options)
    return str(caught.value)


def problems(text: str) -> list[str]:
    return [str(p) for p in parse(text, "c.yaml")[1]]


def values(text: str, **options: Any) -> Any:
    node, found = parse(text, "c.yaml", **options)
    assert found == []
    return plain(node)


def test_keys_and_values_know_their_line_and_column() -> None:
    root: Any = parse("a: 1\nb:\n  - x\n  -  {c: y}\n", "dir/c.yaml")[0]
    assert root.value["b"].key_where == "dir/c.yaml:2:1"
    first, second = root.value["b"].node.value
    assert (first.where, first.folder) == ("dir/c.yaml:3:5", "dir")
    assert second.value["c"].node.where == "dir/c.yaml:4:10"


def test_scalars_are_those_of_yaml_1_2() -> None:
    text = "a: no\nb: on\nc: 1:30\nd: 2024-01-01\ne: true\nf: -3\ng: 1.5e3\nh: ~\ni: 1_0\nj: '7'\nk:\nl: .nan\n"
    assert values(text) == {
        "a": "no",
        "b": "on",
        "c": "1:30",
        "d": "2024-01-01",
        "e": True,
        "f": -3,
        "g": 1500.0,
        "h": None,
        "i": "1_0",
        "j": "7",
        "k": None,
        "l": ".nan",
    }


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}"])
def test_an_empty_file_is_an_empty_mapping(text: str) -> None:
    assert values(text) == {}


def test_duplicate_keys_are_refused_and_the_rest_is_still_read() -> None:
    assert problems("a: 1\nb: 2\na: 3\nc: {d: 1, d: 2}\n") == [
        'c.yaml:3:1: "a" was already set in line 1; keep one of the two',
        'c.yaml:4:11: "d" was already set in line 4; keep one of the two',
    ]


def test_a_key_is_a_word() -> None:
    assert [p.partition(";")[0] for p in problems("1: a\n[x]: b\n")] == [
        "c.yaml:1:1: a key is a word",
        "c.yaml:2:1: a key is a word",
    ]


def test_tags_do_nothing_but_be_refused() -> None:
    assert problems("a: !!python/object/apply:os.system [x]\nb: !!int abc\n") == [
        "c.yaml:1:4: tags (!…) are not supported",
        "c.yaml:2:4: tags (!…) are not supported",
    ]


@pytest.mark.parametrize("text", ["a: &x [1]\nb: *x\n", "a: &x\n  - *x\n"])
def test_anchors_are_refused_before_they_can_grow(text: str) -> None:
    assert refusal(text).startswith("c.yaml:1:4: anchors and aliases are not supported")


def test_nesting_is_bounded() -> None:
    deep = DEPTH_MAX - 1
    values("a: " + "[" * (deep - 1) + "]" * (deep - 1))
    assert f"deeper than {DEPTH_MAX}" in refusal("a: " + "[" * 50_000)
    assert f"deeper than {DEPTH_MAX}" in refusal("[" * 50_000 + "]" * 50_000, json_only=True)


@pytest.mark.parametrize("text", ["- a\n", "just words", "7"])
def test_a_configuration_is_a_mapping(text: str) -> None:
    assert "a configuration is a mapping" in refusal(text)


def test_broken_yaml_says_where_and_what_to_do() -> None:
    assert refusal("a: 1\n\tb: 2\n").startswith("c.yaml:2:1: not YAML")
    assert "not with tabs" in refusal("a:\n\tb: 2\n")
    assert "in quotes" in refusal("a: b: c\n")
    assert "single document" in refusal("a: 1\n---\nb: 2\n")
    assert refusal("a: 1\nb: \x01\n") == "c.yaml:2:4: has a character that no text file has"


@pytest.mark.parametrize(
    "text", ["a: 1", "{a: 1}", "{'a': 1}", '{"a": 1,}', '{"a": NaN}', '{"a": 1} # x', "", '{"a": 01}']
)
def test_json_is_json(text: str) -> None:
    assert "not JSON" in refusal(text, json_only=True) or "is not JSON" in refusal(text, json_only=True)


def test_json_has_the_places_of_yaml() -> None:
    root: Any = parse('{\n\t"a":\t[1,\n\t\t"x"]}', "c.json", json_only=True)[0]
    assert root.value["a"].key_where == "c.json:2:2"
    assert [n.where for n in root.value["a"].node.value] == ["c.json:2:8", "c.json:3:3"]


def test_a_json_number_that_never_ends_is_refused() -> None:
    assert "longer than" in refusal('{"a": ' + "9" * 5000 + "}", json_only=True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(st.characters(exclude_categories=["C", "Z"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.dictionaries(st.text("abcé😀", min_size=1), json_values, max_size=4),
    st.booleans(),
    st.sampled_from([None, 2, "\t"]),
)
def test_json_means_what_json_says(value: Any, ascii_only: bool, indent: int | str | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert values(text, json_only=True) == value


@settings(deadline=None, max_examples=300)
@given(st.text("ab:-{}[],&*!|>'\"#%@`?~ \n\t019.é\x00") | st.text(), st.booleans())
def test_any_text_is_read_or_refused(text: str, json_only: bool) -> None:
    try:
        parse(text, "c.yaml", json_only=json_only)
    except ConfigError as error:
        assert error.problems


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    cases = {"latin.yaml": b"a: 1\nb: \xe9\n", "huge.yaml": b"#" * (FILE_BYTES_MAX + 1), "bad.json": b"a: 1\n"}
    told = {}
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
    for name in [*cases, "absent.yaml", "."]:
        with pytest.raises(ConfigError) as caught:
            read(tmp_path / name)
        told[name] = str(caught.value).removeprefix(str(tmp_path))
    assert told["latin.yaml"] == "/latin.yaml:2: is not UTF-8; save it as UTF-8"
    assert "more than 262144 bytes" in told["huge.yaml"]
    assert "rename it to .yaml" in told["bad.json"]
    assert "cannot be read: No such file or directory" in told["absent.yaml"]
    assert "cannot be read: Is a directory" in told["."]


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert plain(read(tmp_path / "c.yaml")[0]) == {"a": 1}
