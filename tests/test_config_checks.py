"""What must hold between settings, each rule broken by itself and blamed on what a person gave."""

from typing import Any

import pytest

from tanist.config import ConfigError, PeerConfig, load


def refusal(**flags: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(None, {}, {key.replace("__", "."): value for key, value in flags.items()})
    return str(caught.value)


def accepted(**flags: Any) -> PeerConfig:
    return load(None, {}, {key.replace("__", "."): value for key, value in flags.items()}).config


def test_a_pace_holds_together() -> None:
    told = refusal(pace__heartbeat_every_ms=3000)
    assert told.startswith("pace.heartbeat_every_ms: pace: heartbeat_timeout_ms must be at least")
    assert "sync_timeout_ms must be over" in refusal(pace="lan", pace__retry_interval_ms=1000)
    accepted(pace="lan", pace__retry_interval_ms=200)


def test_limits_of_the_transport_hold_together() -> None:
    told = refusal(transport__frame_bytes_max=1 << 31)
    assert "write_buffer_bytes_max must be at least twice frame_bytes_max" in told
    assert told.startswith("transport.frame_bytes_max: transport: ")


def test_a_setting_of_the_other_mode_is_not_silently_without_effect() -> None:
    assert "only with safety quorum" in refusal(expect=3)
    assert "only with safety survivor" in refusal(safety="quorum", sync__strict=True)
    accepted(safety="quorum", expect=3)
    accepted(safety="survivor", sync__strict=True)


def test_the_commit_set_is_part_of_the_fallback_list() -> None:
    assert "raise fallbacks" in refusal(sync__successors=6)
    assert refusal(fallbacks=1, sync__successors=2).startswith("sync.successors: sync.successors: 2 clients")
    accepted(sync__successors=5)


def test_a_gateway_and_a_console_need_their_application() -> None:
    assert 'needs the application "poll": this peer runs chat, counter, kv' in refusal(gateway=["poll=line:7500"])
    accepted(gateway=["kv=resp:6380"], console="chat")
    assert "this peer runs kv" in refusal(app=["kv"], console="chat")
    accepted(app=["kv", "notes.py:Notes"], gateway=["kv=resp:6380", "notes=line:6381"], console="notes")


def test_addresses_that_were_given_do_not_meet() -> None:
    assert "--http: http and listen cannot both" in refusal(listen="127.0.0.1:9000", http="127.0.0.1:9000")
    assert "cannot both" in refusal(listen="0.0.0.0:9000", http="127.0.0.1:9000")
    assert "cannot both" in refusal(app=["kv"], http="127.0.0.1:9000", gateway=["kv=resp:9000"])
    assert "cannot both" in refusal(app=["kv"], gateway=["kv=resp:9000", "kv=line:9000"])
    accepted(listen="127.0.0.1:0", http="127.0.0.1:0")


def test_a_default_address_makes_room() -> None:
    accepted(listen="127.0.0.1:7480")


def test_a_rule_is_left_out_when_a_value_it_needs_is_broken() -> None:
    told = refusal(safety="quorun", expect=3, pace="lann", pace__heartbeat_every_ms=1e6)
    assert [line.split(":")[0] for line in told.split("\n")] == ["--safety", "--pace"]
