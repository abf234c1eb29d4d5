"""Layers and sources: who goes over whom, what each value remembers, and all problems at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tanist.config import ConfigError, Layer, Origin, load
from tanist.config.sources import OTHER_VARIABLES
from tanist.election.settings import PACES, Safety


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "c.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path.relative_to(tmp_path)

    return write


def refusal(
    path: Path | None = None, environment: dict[str, str] | None = None, flags: dict[str, Any] | None = None
) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, environment or {}, flags or {})
    assert [str(p) for p in caught.value.problems] == str(caught.value).split("\n")
    return str(caught.value).split("\n")


def test_nothing_given_is_the_defaults() -> None:
    loaded = load(None, {"PATH": "/bin"}, {})
    assert loaded.config.listen == "127.0.0.1:7400"
    assert loaded.config.pace == PACES["classic"]
    assert set(loaded.origins.values()) == {Origin(Layer.DEFAULT)}
    assert loaded.config.origins == loaded.origins


def test_each_layer_goes_over_those_before_and_says_so(file: Callable[..., Path]) -> None:
    path = file("cluster: f\nname: f\nlisten: 127.0.0.1:1\nlog: {level: debug}\n")
    environment = {"TANIST_NAME": "e", "TANIST_LISTEN": "127.0.0.1:2", "TANIST_EXPECT": "3", "TANIST_SAFETY": "quorum"}
    loaded = load(path, environment, {"listen": "127.0.0.1:3", "expect": 5})
    config = loaded.config
    assert (config.cluster, config.name, config.listen, config.expect) == ("f", "e", "127.0.0.1:3", 5)
    assert config.safety is Safety.QUORUM
    assert loaded.origins["cluster"] == Origin(Layer.FILE, "c.yaml:1:10")
    assert loaded.origins["name"] == Origin(Layer.ENVIRONMENT, "TANIST_NAME")
    assert loaded.origins["listen"] == Origin(Layer.FLAG, "--listen")
    assert loaded.origins["log.level"] == Origin(Layer.FILE, "c.yaml:4:14")
    assert loaded.origins["http"] == Origin(Layer.DEFAULT)


def test_given_addresses_are_told_from_default_ones_even_if_equal(file: Callable[..., Path]) -> None:
    config = load(file("listen: 127.0.0.1:7400\n"), {}, {}).config
    assert config.given("listen") and not config.given("http")


def test_lists_stand_between_commas_in_the_environment() -> None:
    environment = {"TANIST_PEER": "a:1, b:2", "TANIST_APP": "kv,chat", "TANIST_GATEWAY": "kv=resp:6380"}
    config = load(None, environment, {}).config
    assert config.peers == ("a:1", "b:2")
    assert [app.name for app in config.apps] == ["kv", "chat"]
    assert str(config.gateways[0]) == "kv=resp:127.0.0.1:6380"


def test_a_list_above_replaces_the_one_below(file: Callable[..., Path]) -> None:
    config = load(file("peers: [a:1, b:2]\n"), {}, {"peer": ["c:3"]}).config
    assert config.peers == ("c:3",)


def test_sections_are_laid_over_key_by_key(file: Callable[..., Path]) -> None:
    loaded = load(file("snapshot: {every: 10, keep: 1}\n"), {}, {"snapshot.keep": 2})
    assert (loaded.config.snapshot.every, loaded.config.snapshot.keep) == (10, 2)
    assert loaded.origins["snapshot.keep"] == Origin(Layer.FLAG, "snapshot.keep")


def test_a_pace_is_a_profile_with_departures(file: Callable[..., Path]) -> None:
    loaded = load(file("pace: {profile: lan, retry_interval_ms: 200}\n"), {}, {})
    assert loaded.config.pace.retry_interval_ms == 200
    assert loaded.config.pace.ballot_ms == PACES["lan"].ballot_ms
    assert loaded.origins["pace.retry_interval_ms"].where == "c.yaml:1:41"
    assert loaded.origins["pace.ballot_ms"].where == "c.yaml:1:17"


def test_a_pace_by_its_name_alone(file: Callable[..., Path]) -> None:
    assert load(file("pace: fast\n"), {}, {}).config.pace == PACES["fast"]


def test_departures_without_a_profile_depart_from_classic(file: Callable[..., Path]) -> None:
    pace = load(file("pace: {retry_attempts: 2}\n"), {}, {}).config.pace
    assert (pace.retry_attempts, pace.ballot_ms) == (2, PACES["classic"].ballot_ms)


@pytest.mark.parametrize(("environment", "flags"), [({"TANIST_PACE": "fast"}, {}), ({}, {"pace": "fast"})])
def test_a_pace_named_above_drops_departures_below(
    file: Callable[..., Path], environment: dict[str, str], flags: dict[str, Any]
) -> None:
    loaded = load(file("pace: {profile: lan, retry_interval_ms: 200}\n"), environment, flags)
    assert loaded.config.pace == PACES["fast"]
    assert loaded.origins["pace.retry_interval_ms"].layer is not Layer.FILE


def test_an_application_named_above_keeps_its_settings_below(file: Callable[..., Path]) -> None:
    path = file("apps: {poll: {question: why}, kv: {}}\n")
    (poll,) = load(path, {}, {"app": ["poll"]}).config.apps
    assert poll.settings == {"question": "why"}


def test_flags_that_were_not_given_change_nothing(file: Callable[..., Path]) -> None:
    path = file("discovery: false\nallow_drills: true\npeers: [a:1]\ncluster: f\n")
    flags = {"no_discovery": False, "allow-drills": False, "peer": (), "app": [], "cluster": None}
    config = load(path, {}, flags).config
    assert (config.discovery, config.allow_drills, config.peers, config.cluster) == (False, True, ("a:1",), "f")


def test_discovery_can_be_denied_by_flag_and_by_variable() -> None:
    assert load(None, {}, {"no_discovery": True}).config.discovery is False
    assert load(None, {}, {"discovery": False}).config.discovery is False
    assert load(None, {"TANIST_NO_DISCOVERY": "yes"}, {}).config.discovery is False
    assert load(None, {"TANIST_NO_DISCOVERY": "0"}, {}).config.discovery is True
    assert load(None, {"TANIST_DISCOVERY": "off"}, {}).config.discovery is False


def test_flags_take_underscores_enumerations_and_keys() -> None:
    config = load(
        None, {}, {"log_level": "debug", "safety": Safety.QUORUM, "peers": ["a:1"], "session.timeout_s": 5}
    ).config
    assert (config.log.level, config.safety, config.peers, config.session.timeout_s) == ("debug", "quorum", ("a:1",), 5)


def test_a_flag_nobody_declared_is_a_mistake_of_the_program() -> None:
    with pytest.raises(TypeError, match="'colour'"):
        load(None, {}, {"colour": "red"})


def test_an_unknown_variable_is_refused_unless_it_belongs_to_another_verb() -> None:
    load(None, dict.fromkeys(OTHER_VARIABLES, "x"), {})
    assert refusal(None, {"TANIST_PAC": "lan"}) == [
        'TANIST_PAC: no setting has this variable; did you mean "TANIST_PACE"?'
    ]
    assert refusal(None, {"TANIST_QQQQQQQQ": ""}) == ["TANIST_QQQQQQQQ: no setting has this variable; unset it"]


def test_an_empty_variable_counts_as_unset() -> None:
    assert load(None, {"TANIST_PACE": "", "TANIST_PEER": " "}, {}).config == load(None, {}, {}).config


def test_all_problems_of_all_layers_at_once_in_the_order_of_reading(file: Callable[..., Path]) -> None:
    path = file("clustre: a\nname: a b\nexpect: 1\nexpect: 2\nsync: {strickt: true}\nsnapshot: {keep: -1}\n")
    assert refusal(path, {"TANIST_LISTEN": "x"}, {"pace": "slow"}) == [
        'c.yaml:1:1: unknown key "clustre"; did you mean "cluster"?',
        'c.yaml:2:7: name: a name has only letters a-z, digits and . _ -, got "a b"; for example "a-b"',
        "c.yaml:3:9: expect: has a meaning only with safety quorum, and this is survivor; "
        "set safety: quorum, or leave expect out",
        'c.yaml:4:1: "expect" was already set in line 3; keep one of the two',
        'c.yaml:5:8: unknown key "strickt" in sync; did you mean "strict"?',
        "c.yaml:6:18: snapshot.keep: expected 0 to 1000000000, got -1",
        'TANIST_LISTEN: listen: expected host:port, got "x"; write "x:7400"',
        '--pace: pace.profile: expected classic, lan or fast, got "slow"',
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("retry_interval_ms: 1\n", "it belongs under pace"),
        ("pace: {cluster: a}\n", "it stands at the top"),
        ("port: 1\n", 'did you mean "listen"?'),
        ("mode: quorum\n", 'did you mean "safety"?'),
        ("zzzzzz: 1\n", "tanist config show"),
        ("session: {zzzz: 1}\n", "session takes timeout_s"),
        ("sync: strict\n", "it takes successors, strict"),
        ("pace: [lan]\n", "expected a mapping, or one of classic, lan, fast, got a list"),
        ("pace:\n", "expected a mapping"),
        ("cluster:\n", "cluster: has no value"),
        ("origins: {}\n", "unknown key"),
    ],
)
def test_a_wrong_key_is_led_to_the_right_one(file: Callable[..., Path], text: str, told: str) -> None:
    (problem,) = refusal(file(text))
    assert told in problem


def test_a_broken_file_still_lets_the_other_layers_be_checked(file: Callable[..., Path]) -> None:
    first, second = refusal(file("a: [\n"), {"TANIST_PACE": "slow"})
    assert first.startswith("c.yaml:2:1: not YAML") and second.startswith("TANIST_PACE: ")


def test_a_wrong_value_in_a_file_is_told_even_where_a_flag_goes_over_it(file: Callable[..., Path]) -> None:
    assert refusal(file("priority: high\n"), {}, {"priority": 1})[0].startswith("c.yaml:1:11: priority: ")


def test_relative_paths_in_a_file_start_from_its_folder(file: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    config = load(file("data: d\napps: [notes.py:Notes]\n", "conf/c.yaml"), {}, {}).config
    assert (config.data, config.apps[0].spec) == ("conf/d", "conf/notes.py:Notes")
    assert load(None, {}, {"data": tmp_path / "d"}).config.data == str(tmp_path / "d")
