"""What people read of a configuration: nothing undocumented, nothing stale, and what is shown can be loaded."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tanist.config import load
from tanist.config.describe import meaning, reference, render
from tanist.config.keys import flags, settings
from tanist.config.schema import PeerConfig

REFERENCE = Path(__file__).parent.parent / "docs" / "reference" / "configuration.md"


@pytest.mark.parametrize("path", settings())
def test_every_key_says_what_it_means_takes_and_counts_in(path: str) -> None:
    setting = settings()[path]
    assert len(meaning(setting)) > 20, f"{path} has no description"
    assert setting.key.takes, f"{path} does not say what it takes"
    if path.endswith(("_ms", "_s", "_bytes_max")):
        assert setting.key.unit, f"{path} has no unit"


def test_every_field_is_a_key() -> None:
    top = {path.partition(".")[0] for path in settings()}
    assert top == {field.name for field in msgspec.structs.fields(PeerConfig)} - {"origins"}


@pytest.mark.parametrize("path", settings())
def test_every_default_is_a_value_its_key_takes(path: str) -> None:
    default = settings()[path].default
    if default not in (None, ""):
        loaded = load(None, {}, {path: msgspec.to_builtins(default)})
        section, _, name = path.rpartition(".")
        holder = getattr(loaded.config, section) if section else loaded.config
        assert path == "pace.profile" or getattr(holder, name) == default


def test_the_reference_is_not_stale() -> None:
    if os.environ.get("REWRITE"):
        REFERENCE.parent.mkdir(parents=True, exist_ok=True)
        REFERENCE.write_text(reference(), encoding="utf-8")
    assert REFERENCE.read_text(encoding="utf-8") == reference(), "run REWRITE=1 pytest tests/test_config_describe.py"


def test_the_reference_names_every_key_and_flag() -> None:
    text = reference()
    for path in settings():
        assert f"| `{path.rpartition('.')[2]}` |" in text
    for flag in flags():
        assert f"`--{flag}`" in text or f"`--no-{flag}`" in text


EVERYTHING = """
cluster: home
name: "7"
listen: 0.0.0.0:1
advertise: "[fe80::1]:1"
peers: [a:1, b:2]
data: "/tmp/a b: #c"
safety: survivor
pace: {profile: lan, ballot_ms: 50}
priority: -3
sync: {successors: 2, strict: true}
apps: {kv: {}, poll: {question: "why: é?", options: [1, 2.5, null]}}
gateways: [kv=resp:6380]
console: kv
discovery: no
session: {timeout_s: 2.5}
log: {level: debug}
allow_drills: on
"""


def test_what_is_shown_loads_again_as_the_same(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text(EVERYTHING, encoding="utf-8")
    config = load(first, {}, {}).config
    second.write_text(render(config, config.origins), encoding="utf-8")
    again = load(second, {}, {}).config
    without_origins: dict[str, Any] = {"origins": {}}
    assert msgspec.structs.replace(again, **without_origins) == msgspec.structs.replace(config, **without_origins)


def test_what_is_shown_names_each_origin(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("cluster: home\n", encoding="utf-8")
    loaded = load(file, {"TANIST_PACE": "lan"}, {"name": "ana"})
    lines = {line.split(":")[0].strip(): line for line in render(loaded.config, loaded.origins).splitlines()}
    assert lines["cluster"].endswith(f"  # file, {file}:1:10")
    assert lines["ballot_ms"].endswith("  # environment, TANIST_PACE")
    assert lines["name"].endswith("  # flag, --name")
    assert lines["http"].endswith("  # default")


def test_secrets_of_applications_are_not_shown() -> None:
    apps = {"notifications": {"admin_password": "hunter2", "deep": [{"apiToken": "hunter2"}], "colour": "red"}}
    loaded = load(None, {}, {"app": apps})
    shown = render(loaded.config, loaded.origins)
    assert "hunter2" not in shown and "red" in shown
    assert yaml.safe_load(shown)["apps"]["notifications"]["admin_password"] == "***"
