"""The real `tanist` executable, as a person types it, against a small HTTP server that answers as a peer would."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

TANIST = Path(sys.executable).with_name("tanist")
STATUS = {
    "cluster": "default",
    "id": "p1",
    "name": "anna",
    "address": "127.0.0.1:7400",
    "http": "127.0.0.1:7480",
    "role": "server",
    "safety": "survivor",
    "term": {"number": 3, "holder": "p1"},
    "server": {"id": "p1", "name": "anna", "address": "127.0.0.1:7400"},
    "fallbacks": [
        {
            "id": "p2",
            "name": "bert\x1b[2J",
            "address": "127.0.0.1:7401",
            "in_sync": True,
            "lag": 0,
            "counts": True,
            "reason": "in sync, mains",
        }
    ],
    "members": [{"id": "p1", "name": "anna", "address": "127.0.0.1:7400", "state": "live", "lag": 0}],
    "commit": 7,
    "applied": 7,
    "durability": "heir",
    "reach": 2,
    "since": "2026-01-02T03:04:05Z",
    "version": "0.1.0",
    "apps": ["kv"],
    "problem": "",
}
KV = {
    "name": "kv",
    "doc": "Keys and values.",
    "commands": [
        {
            "name": "set",
            "usage": "set key value",
            "doc": "Give a key a value.",
            "returns": "str",
            "arguments": [
                {"name": "key", "type": "str", "required": True},
                {"name": "value", "type": "str | bytes", "required": True},
            ],
        },
        {
            "name": "incr",
            "usage": "incr key [by=1]",
            "doc": "Add.",
            "returns": "int",
            "arguments": [
                {"name": "key", "type": "str", "required": True},
                {"name": "by", "type": "int", "required": False, "default": "1"},
            ],
        },
    ],
    "queries": [
        {
            "name": "get",
            "usage": "get key",
            "doc": "The value of a key.",
            "returns": "str | None",
            "arguments": [{"name": "key", "type": "str", "required": True}],
        }
    ],
}
RECEIPT = {"term": {"number": 3, "holder": "p1"}, "index": 8, "durability": "heir", "reach": 2, "members": 3}


HEAL = {
    "heal": "3@p1:17",
    "fork": 9,
    "theirs": {"number": 2, "holder": "p2"},
    "members": ["bert\x1b[2J"],
    "index": 17,
    "began": "2026-01-02T03:04:05.000Z",
    "ended": "2026-01-02T03:04:06.000Z",
    "archived": 7,
    "missing": 6,
    "fates": {"replayed": 1, "done": 1, "archived": 1, "refused": 2, "unknown": 1, "other": 1},
    "unlisted": 4,
}
ENTRIES = [
    {
        "index": 10,
        "term": {"number": 2, "holder": "p2"},
        "at": 18,
        "kind": "command",
        "app": "kv",
        "command": "set",
        "session": "s1",
        "sequence": 4,
        "acknowledged": True,
        "fate": "refused",
        "code": "bad_key",
    },
    {
        "index": 11,
        "term": {"number": 2, "holder": "p2"},
        "at": 19,
        "kind": "timer",
        "app": "",
        "command": "",
        "session": "",
        "sequence": 0,
        "acknowledged": False,
        "fate": "other",
        "code": "",
    },
]


class FakePeer(ThreadingHTTPServer):
    """Answers what the test put there, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, Any]] = {
            "/status": (200, STATUS),
            "/apps": (200, {"apps": [KV]}),
            "/apps/kv": (200, KV),
            "/apps/kv/set": (200, {"result": "OK", "receipt": RECEIPT}),
            "/apps/kv/incr": (200, {"result": 5, "receipt": RECEIPT}),
            "/history": (200, {"reigns": [{"term": STATUS["term"], "name": "anna", "first_index": 1, "began": "now"}]}),
            "/heals": (200, {"heals": [HEAL]}),
            "/cluster/handover": (200, {"server": "bert"}),
            "/cluster/leave": (200, {"left": "bert"}),
            "/cluster/abandon-founding": (200, {"waited_for": ["zed"]}),
            "/cluster/accept-loss": (200, {"last": 17}),
            "/cluster/settings": (200, {"changed": ["question", "options"]}),
        }
        self.asked: list[tuple[str, str, Any, Any]] = []
        self.silent = threading.Event()
        self.superseded = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One request of the fake."""

    server: FakePeer

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        key = self.headers.get("Idempotency-Key")
        self.server.asked.append((f"{self.command} {path}", query, json.loads(body) if body else None, key))
        status, said = self.server.answers.get(path, (404, {"error": {"code": "not_found", "message": "none such"}}))
        encoded = json.dumps(said).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Length", str(len(encoded)))
        if self.server.superseded:
            self.send_header("Tanist-Superseded", self.server.superseded)
        self.end_headers()
        self.wfile.write(encoded)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def peer() -> Iterator[FakePeer]:
    fake = FakePeer()
    thread = threading.Thread(target=fake.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    fake.shutdown()
    thread.join()
    fake.server_close()


def clean_environment(**more: str) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("TANIST_")} | {"COLUMNS": "100"} | more


def tanist(*arguments: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [TANIST, *arguments], capture_output=True, text=True, timeout=30, env=clean_environment(**environment)
    )
    return done.returncode, done.stdout, done.stderr


def test_status_says_who_serves_who_is_next_and_why(peer: FakePeer) -> None:
    code, out, err = tanist("status", "--at", peer.url)
    assert (code, err) == (0, "")
    assert out.startswith("anna serves  127.0.0.1:7400, term 3, since 2026-01-02T03:04:05Z\n")
    assert "in sync, mains" in out
    assert "\x1b" not in out, "a name must not steer the terminal"


def test_json_is_the_peers_own_and_the_environment_says_where(peer: FakePeer) -> None:
    code, out, _ = tanist("status", TANIST_AT=peer.url, TANIST_JSON="1")
    assert (code, json.loads(out)) == (0, STATUS)
    code, out, _ = tanist("history", "--at", peer.url, "--json")
    assert json.loads(out)["reigns"][0]["name"] == "anna"
    code, out, _ = tanist("fallbacks", "--at", peer.url, "--json")
    assert json.loads(out)["fallbacks"] == STATUS["fallbacks"]


def test_heals_tell_what_became_of_the_writes(peer: FakePeer) -> None:
    code, out, _ = tanist("heals", "--at", peer.url)
    head, line = out.splitlines()
    assert code == 0
    assert head.split() == ["heal", "began", "brought", "by", "entries", "applied", "superseded", "unknown", "missing"]
    assert line.split() == ["3@p1:17", "2026-01-02T03:04:05.000Z", "bert\\x1b[2J", "7", "2", "3", "1", "6"]
    peer.answers["/heals"] = (200, {"heals": [HEAL | {"entries": ENTRIES, "ended": ""}]})
    code, out, _ = tanist("heals", "3@p1:17", "--at", peer.url)
    assert peer.asked[-1][:2] == ("GET /heals", "heal=3%40p1%3A17")
    assert "goes on" in out
    assert re.search(r"2\.10 +kv set +s1 +4 +yes +refused bad_key\n2\.11 +timer +unknown +other\n", out)
    assert out.endswith("and 4 more, which are not named any more\n")
    code, out, _ = tanist("heals", "--at", peer.url, "--json")
    assert json.loads(out)["heals"][0]["heal"] == "3@p1:17"
    peer.answers["/heals"] = (200, {"heals": []})
    assert tanist("heals", "--at", peer.url)[1] == "no split has healed here\n"


def test_status_and_call_say_that_a_split_healed(peer: FakePeer) -> None:
    peer.answers["/status"] = (200, STATUS | {"heals": 2})
    assert "2 splits healed: tanist heals" in tanist("status", "--at", peer.url)[1]
    peer.superseded = "3@p1:17; commands=2"
    peer.answers["/apps/kv/get"] = (200, {"result": "v"})
    code, out, err = tanist("call", "kv", "get", "k", "--at", peer.url)
    assert (code, out) == (0, "v\n")
    assert "commands acknowledged here do not hold (3@p1:17; commands=2): see tanist heals" in err


def test_nobody_there_is_4_with_a_sentence_and_no_traceback() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        for verb in (["status"], ["call", "kv", "get", "k"], ["handover"], ["leave"], ["apps"], ["history"]):
            code, out, err = tanist(*verb, "--at", address)
            assert (code, out) == (4, "")
            assert err.startswith(f"tanist: no peer answers at http://{address}: nothing listens there")
            assert err.count("\n") == 1


def test_what_is_no_peer_is_4(peer: FakePeer) -> None:
    peer.answers["/status"] = (200, ["hello"])
    code, _, err = tanist("status", "--at", peer.url)
    assert (code, "is not a tanist peer" in err) == (4, True)


def test_a_wrong_address_is_usage() -> None:
    for at in ("https://127.0.0.1:1", "http://a/b", "127.0.0.1:port", ""):
        assert tanist("status", "--at", at)[0] == 2


def test_call_takes_values_in_order_and_by_name(peer: FakePeer) -> None:
    assert tanist("call", "--at", peer.url, "kv", "set", "k", "5") == (0, "OK\n", "")
    assert tanist("call", "kv", "set", "value=a=b", "k", "--at", peer.url, "--timeout", "3")[0] == 0
    first, second = [a for a in peer.asked if a[0] == "POST /apps/kv/set"]
    assert first[1:3] == ("timeout=10", {"key": "k", "value": "5"})
    assert second[1:3] == ("timeout=3", {"value": "a=b", "key": "k"})
    assert first[3] and second[3] and first[3] != second[3], "each call has an idempotency key of its own"


def test_call_converts_numbers_also_negative_ones_and_keeps_the_given_key(peer: FakePeer) -> None:
    code, out, _ = tanist("call", "kv", "incr", "n", "-5", "--at", peer.url, "--key", "mine")
    assert (code, out) == (0, "5\n")
    assert peer.asked[-1][2:] == ({"key": "n", "by": -5}, "mine")
    assert tanist("call", "--at", peer.url, "kv", "set", "--", "k", "--json") == (0, "OK\n", "")
    assert peer.asked[-1][2] == {"key": "k", "value": "--json"}


def test_call_of_a_query_is_read_and_prints_nothing_for_nothing(peer: FakePeer) -> None:
    peer.answers["/apps/kv/get"] = (200, {"result": None})
    assert tanist("call", "--at", peer.url, "--read", "server", "kv", "get", "k") == (0, "", "")
    assert peer.asked[-1][:2] == ("GET /apps/kv/get", "timeout=10&read=server&key=k")
    peer.answers["/apps/kv/get"] = (200, {"result": ["a", "b"]})
    assert tanist("call", "--at", peer.url, "kv", "get", "k") == (0, "a\nb\n", "")
    assert json.loads(tanist("call", "--at", peer.url, "--json", "kv", "get", "k")[1]) == {"result": ["a", "b"]}
    peer.answers["/apps/kv/get"] = (200, {"result": {"a": 1}, "lines": ["a table", "of one"]})
    assert tanist("call", "--at", peer.url, "kv", "get", "k") == (0, "a table\nof one\n", "")


@pytest.mark.parametrize(
    ("status", "code", "exit_status"),
    [
        (400, "bad_request", 2),
        (401, "unauthorized", 5),
        (403, "forbidden", 5),
        (409, "taken", 1),
        (413, "too_large", 1),
        (500, "failed", 1),
        (503, "no_server", 3),
        (503, "no_majority", 3),
        (503, "overloaded", 1),
        (504, "unknown_outcome", 124),
    ],
)
def test_each_way_to_fail_has_its_exit_status(peer: FakePeer, status: int, code: str, exit_status: int) -> None:
    peer.answers["/apps/kv/set"] = (status, {"error": {"code": code, "message": "because"}})
    assert tanist("call", "--at", peer.url, "kv", "set", "k", "v") == (exit_status, "", "tanist: because\n")


def test_what_does_not_exist_is_usage_and_says_what_does(peer: FakePeer) -> None:
    assert tanist("call", "--at", peer.url, "chess", "move")[0] == 2
    code, _, err = tanist("call", "--at", peer.url, "kv", "put", "k")
    assert (code, err) == (2, "tanist: kv has no 'put'; it has: set, incr, get\n")
    code, _, err = tanist("call", "--at", peer.url, "kv", "set", "a", "b", "c")
    assert (code, "usage: set key value" in err) == (2, True)
    code, _, err = tanist("stauts")
    assert (code, 'Did you mean "status"?' in err) == (2, True)
    code, _, err = tanist("status", "--colour")
    assert (code, "Try: tanist status --help" in err) == (2, True)


def test_planned_moves(peer: FakePeer) -> None:
    assert tanist("handover", "--at", peer.url) == (0, "bert serves now\n", "")
    assert tanist("handover", "--at", peer.url, "--to", "bert", "--json") == (0, '{"server":"bert"}\n', "")
    assert tanist("leave", "bert", "--at", peer.url) == (0, "bert has left the cluster\n", "")
    given_up = (0, "the founding attempt that waited for zed is given up\n", "")
    assert tanist("abandon-founding", "--at", peer.url) == given_up
    gone_on = (0, "the peer goes on from entry 17, the last that is sound\n", "")
    assert tanist("accept-loss", "--at", peer.url) == gone_on
    used = (0, "all peers use question, options of poll as this peer has them\n", "")
    assert tanist("config", "use", "poll", "--at", peer.url) == used
    assert [a[2] for a in peer.asked] == [{}, {"to": "bert"}, {"peer": "bert"}, {}, {}, {"app": "poll"}]


def test_fallbacks_without_a_server_are_3_and_still_shown(peer: FakePeer) -> None:
    peer.answers["/status"] = (200, STATUS | {"server": None, "problem": "retry 2 of 3"})
    code, out, err = tanist("fallbacks", "--at", peer.url)
    assert (code, err) == (3, "tanist: retry 2 of 3\n")
    assert "in sync, mains" in out


def test_apps_describes_those_of_a_peer_and_those_named(peer: FakePeer, tmp_path: Path) -> None:
    code, out, _ = tanist("apps", "--at", peer.url)
    assert (code, "incr key [by=1]" in out) == (0, True)
    code, out, _ = tanist("apps", "counter", "--json")
    assert (code, json.loads(out)["apps"][0]["name"]) == (0, "counter")
    code, _, err = tanist("apps", f"{tmp_path}/notes.py:Notes")
    assert (code, "there is no file" in err) == (2, True)


def test_configuration_problems_are_told_all_at_once(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("cluster: home\npaec: lan\nexpect: many\n")
    code, out, err = tanist("config", "check", str(file), TANIST_PACE="quick")
    assert (code, out) == (2, "")
    assert "3 problems" in err
    assert f"{file}:2:1" in err
    file.write_text("cluster: home\n")
    assert tanist("config", "check", str(file)) == (0, "The configuration is good.\n", "")
    code, out, _ = tanist("config", "show", str(file), "--pace", "lan", TANIST_NAME="anna")
    assert code == 0
    for line in (f"cluster: home .*{file}:1:10", "name: anna .*TANIST_NAME", "retry_interval_ms: 300 .*--pace"):
        assert re.search(line, out), f"{line!r} is not in\n{out}"


def test_up_refuses_a_wrong_configuration_before_anything_starts(tmp_path: Path) -> None:
    code, out, err = tanist("up", "--pace", "fats", "--data", str(tmp_path / "d"))
    assert (code, out) == (2, "")
    assert 'did you mean "fast"' in err
    assert not (tmp_path / "d").exists()


def test_log_show_without_a_log_says_where_it_looked(tmp_path: Path) -> None:
    code, _, err = tanist("log", "show", TANIST_DATA=str(tmp_path))
    assert (code, str(tmp_path / "election.jsonl") in err) == (2, True)
    code, _, _ = tanist("log", "show", str(tmp_path / "none.jsonl"))
    assert code == 1


def test_a_list_in_the_environment_is_separated_by_commas(tmp_path: Path) -> None:
    (tmp_path / "election.jsonl").touch()
    code, _, err = tanist("log", "show", TANIST_DATA=str(tmp_path), TANIST_EVENT="role_changed, nonsense")
    assert (code, "nonsense" in err, "role_changed," in err) == (2, True, False)


def test_version() -> None:
    assert tanist("version")[1].startswith("tanist 0.1.0 (Python 3.")
    assert tanist("--version")[0] == 0


def test_watch_shows_each_change_and_ctrl_c_is_130(peer: FakePeer) -> None:
    watch = subprocess.Popen(
        [TANIST, "status", "--watch", "--json", "--at", peer.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    assert watch.stdout is not None
    assert json.loads(watch.stdout.readline())["name"] == "anna"
    peer.answers["/status"] = (200, STATUS | {"server": None})
    assert json.loads(watch.stdout.readline())["server"] is None
    watch.send_signal(signal.SIGINT)
    assert watch.communicate(timeout=10) == ("", "")
    assert watch.returncode == 130


def test_a_reader_that_has_enough_is_no_error(peer: FakePeer) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(
            [TANIST, "status", "--at", peer.url], stdout=write_end, stderr=subprocess.PIPE, timeout=30, text=True
        )
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (0, "")


def test_client_verbs_import_nothing_heavy() -> None:
    verbs = "import sys, tanist.peer.cli; tanist.peer.cli.main(['status', '--at', '127.0.0.1:1']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", verbs], capture_output=True, text=True, timeout=30)
    loaded = set(done.stdout.split())
    assert "tanist.peer.cli.client" in loaded
    heavy = {"aiohttp", "asyncio", "structlog", "yaml", "uvloop", "tanist.config", "tanist.peer.electionlog"}
    assert not loaded & heavy
