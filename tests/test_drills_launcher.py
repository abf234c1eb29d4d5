"""Processes that are started as `tanist`: forked or fresh, what they say and how they end, and that none is left."""

import os
import select
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tanist.peer.drills.launcher import launch

DEADLINE_S = 30.0


@pytest.mark.parametrize("fresh", [False, True])
def test_a_child_is_tanist_with_its_words_output_and_status(tmp_path: Path, fresh: bool) -> None:
    out, err = tmp_path / "out", tmp_path / "err"
    child = launch(["--version"], directory=tmp_path, stdout=out, stderr=err, fresh=fresh)
    assert child.wait(DEADLINE_S) == child.poll() == 0
    child = launch(["config", "check", "nowhere.yaml"], directory=tmp_path, stdout=out, stderr=err, fresh=fresh)
    assert child.wait(DEADLINE_S) == 2
    assert out.read_text().count(".") >= 2, "the version"
    assert "nowhere.yaml" in err.read_text()


@pytest.mark.parametrize("fresh", [False, True])
def test_a_child_takes_signals_and_tells_which_ended_it(tmp_path: Path, fresh: bool) -> None:
    words = ["up", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data", str(tmp_path / "data")]
    child = launch(words, directory=tmp_path, stdout=tmp_path / "out", stderr=tmp_path / "err", fresh=fresh)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.0)
    child.send_signal(signal.SIGKILL)
    assert child.wait(DEADLINE_S) == -signal.SIGKILL
    child.send_signal(signal.SIGKILL)  # Meets nobody, and is no error.


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere peers are not forked")
def test_settings_of_the_environment_reach_no_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANIST_NAME", "from-outside")
    child = launch(["config", "show"], directory=tmp_path, stdout=tmp_path / "out", stderr=tmp_path / "err")
    assert child.wait(DEADLINE_S) == 0
    assert "from-outside" not in (tmp_path / "out").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere an ordered end alone ends children")
@pytest.mark.parametrize("fresh", [False, True])
def test_not_even_a_killed_program_leaves_children_behind(tmp_path: Path, fresh: bool) -> None:
    program = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        from tanist.peer.drills.launcher import launch
        here = Path({str(tmp_path)!r})
        words = ["up", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data", "data"]
        child = launch(words, directory=here, stdout=here / "out", stderr=here / "err", fresh={fresh})
        child.send_signal(signal.SIGSTOP)
        print(child.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    pid = int(done.stdout)
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if fresh:
            # It ends when its stdin does, as soon as it goes on.
            signal.pidfd_send_signal(descriptor, signal.SIGCONT)
        ended, _, _ = select.select([descriptor], [], [], DEADLINE_S)
        assert ended, f"process {pid} runs on"
    finally:
        os.close(descriptor)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere peers are not forked")
def test_a_forked_peer_has_nothing_left_to_import(tmp_path: Path) -> None:
    """Else each start of each peer pays for it: what `tanist up` imports late is to be added to `PRELOADED`."""
    program = textwrap.dedent(
        """
        import importlib, json, os, signal, sys, threading, time, urllib.request
        from tanist.peer.drills.forker import PRELOADED
        for module in PRELOADED:
            importlib.import_module(module)
        from tanist.peer.cli import main
        from tanist.peer.drills.ports import Port
        http, before, late = Port(), set(sys.modules), []

        def look():
            while True:
                try:
                    answer = json.load(urllib.request.urlopen(f"http://{http.address}/status", timeout=5))
                except OSError:
                    time.sleep(0.01)
                    continue
                if answer["role"] == "server":
                    late.extend(sorted(set(sys.modules) - before))
                    os.kill(os.getpid(), signal.SIGTERM)
                    return

        threading.Thread(target=look, daemon=True).start()
        main(["up", "--listen", "127.0.0.1:0", "--http", http.address, "--data", "d", "--app", "kv", "--allow-drills"])
        print(json.dumps(late), file=sys.stderr)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S, check=True
    )
    assert done.stderr.splitlines()[-1] == "[]"
