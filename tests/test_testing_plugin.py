"""The pytest plugin, as a project of a user has it: the tests in here run pytest on tests of their own."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parent.parent
HOW_TO = ROOT / "docs" / "how-to" / "test-your-application.md"
PLUGIN = ("-p", "tanist.peer.testing.plugin", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
"""The last is of no use to users' tests here, and takes longer than most of them."""
IMPORTS = "import pytest\nfrom tanist.peer.testing import Conditions, in_sync, no_server, one_server\n\n"
NOTES = '''
"""The application of the how-to."""
from tanist.peer import Application, Context, command, query


class Notes(Application):
    """Short notes, in the order in which they were taken."""

    notes: list[str]

    @command
    def add(self, ctx: Context, text: str) -> int:
        """Take a note; how many there are."""
        self.notes.append(text)
        return len(self.notes)

    @query
    def all(self, ctx: Context) -> list[str]:
        """All notes."""
        return self.notes
'''


def run(pytester: pytest.Pytester, tests: str, *options: str) -> pytest.RunResult:
    """Run these tests of a user, who has set nothing."""
    pytester.makepyfile(test_users=IMPORTS + textwrap.dedent(tests))
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    return pytester.runpytest_inprocess(*PLUGIN, "--tanist-pace=fast", *options)


def test_the_tests_of_the_how_to_pass(pytester: pytest.Pytester) -> None:
    examples = re.findall(r"```python\n(.*?)```", HOW_TO.read_text("utf-8"), re.DOTALL)
    five_lines = [line for line in examples[0].splitlines() if not line.startswith("@")]
    assert len(five_lines) == 5, "as promised"
    pytester.makepyfile(notes=NOTES)
    run(pytester, "\n\n".join(examples)).assert_outcomes(passed=2)


def test_a_failure_shows_what_the_peers_wrote_and_where_it_is(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        @pytest.mark.tanist(size=2, clients=1)
        def test_fails(cluster):
            server = cluster.server
            cluster.until(lambda c: c.history.acknowledged > 5)
            server.kill()
            cluster.until(one_server)
            assert cluster.server == server
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *assert <peer b> == <peer a>",
            "*what the peers wrote*",
            "* a  * serving as 1@a",
            "* b  * lost the server a: closed *",
            "*term  server *",
            "clients: * writes acknowledged, 0 unknown, * reads, longest silence * s",
            "files: *cluster (election logs, output, history.jsonl)",
        ]
    )
    (files,) = re.findall(r"files: (\S+) ", result.stdout.str())
    assert {path.name for path in Path(files).iterdir()} >= {"a", "b", "a.err", "b.out", "history.jsonl"}
    check = [sys.executable, "-m", "tanist.peer.cli", "check-history", f"{files}/history.jsonl"]
    assert subprocess.run(check, capture_output=True, timeout=30, check=False).returncode in (0, 1)


def test_a_broken_promise_fails_its_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        bad='''
        """An application that is not deterministic."""
        import os
        from tanist.peer import Application, Context, command


        class Bad(Application):
            """Keeps what differs."""

            last: int

            @command
            def keep(self, ctx: Context) -> None:
                """Keep the number of this process."""
                self.last = os.getpid()
        '''
    )
    result = run(
        pytester,
        """
        @pytest.mark.tanist(size=2, app="bad.py:Bad")
        def test_diverges(cluster):
            cluster.real.judge_s = 1.0
            cluster.call("bad/keep")

        @pytest.mark.tanist(size=2, app="bad.py:Bad", judge=False)
        def test_is_not_judged(cluster):
            cluster.call("bad/keep")

        @pytest.mark.tanist(size=1)
        async def test_wrote_a_traceback(async_cluster):
            async with async_cluster as cluster:
                with (cluster.folder / "a.err").open("a") as errors:
                    errors.write("Traceback (most recent call last)")
        """,
    )
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines_random(
        [
            "the cluster broke a promise:",
            "same-state: the states differ: a has * entries; b has * entries",
            "*no-bug: a wrote a traceback; see NAME.err",
        ]
    )


def test_peers_are_hurt_and_asked_by_what_a_test_sees(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        from tanist.peer.testing import CallRefused

        def test_everything(cluster):
            server, heir = cluster.server, cluster.heir
            assert server != heir and heir in cluster.clients and len(cluster.peers) == 3
            assert cluster.call("kv/incr", key="n") == 1
            with pytest.raises(CallRefused) as refused:
                cluster.call("kv/set", key="", value="x", at=heir)
            assert (refused.value.status, refused.value.code) == (409, "bad_key")
            cluster.link(server, "c", Conditions(delay_ms=1))
            cluster.partition(server, cluster.clients)
            cluster.until(lambda c: len(c.servers) == 2)
            cluster.heal()
            cluster.until(in_sync)
            heir.pause(0.2)
            heir.resume()
            assert cluster["c"].terminate() == 0 and not cluster["c"].running
            cluster["c"].start()
            cluster["b"].restart()
            assert cluster.join("d").status()["name"] == "d"
            cluster.until(in_sync)
            assert cluster.query("kv/get", key="n", at=cluster.server, read="server") == "1"
            assert cluster["d"].log("peer_started")[0]["name"] == "d"

        @pytest.mark.tanist(safety="quorum")
        def test_power_cut(cluster):
            cluster.kill(*cluster.peers)
            with pytest.raises(AssertionError, match="no peer runs"):
                cluster.call("kv/incr", key="n")
            cluster.mend()
            cluster.until(one_server)
            cluster.partition("a", "b", "c")
            cluster.until(no_server)
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_marker_that_says_nothing_known_is_explained(pytester: pytest.Pytester) -> None:
    markers = ("sise=3", "safety='both'", "3")
    tests = [f"@pytest.mark.tanist({marker})\ndef test_{n}(cluster): pass\n" for n, marker in enumerate(markers)]
    result = run(pytester, "\n".join(tests), "--strict-markers")
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(
        [
            "E *UsageError: *::test_0: *Object contains unknown field `sise`; it takes size, safety, pace, app,*",
            "E *UsageError: *::test_1: *safety is one of survivor, quorum, not both",
            "E *UsageError: *::test_2: @pytest.mark.tanist takes names, as in size=5",
        ]
    )


def test_options_are_for_tests_that_do_not_say_it(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        def test_options(cluster):
            assert (len(cluster.peers), cluster.real.safety, cluster.real.pace) == (2, "quorum", "lan")

        @pytest.mark.tanist(size=1, safety="survivor", pace="fast")
        def test_marker(cluster):
            assert (len(cluster.peers), cluster.real.safety, cluster.real.pace) == (1, "survivor", "fast")
        """,
        *("--tanist-size=2", "--tanist-safety=quorum", "--tanist-pace=lan", "--tanist-clients=0"),
    )
    result.assert_outcomes(passed=2)


@pytest.mark.slow
def test_clusters_of_several_workers_do_not_clash(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    pytester.makepyfile(
        test_users=IMPORTS
        + textwrap.dedent(
            """
            @pytest.mark.parametrize("turn", range(2))
            @pytest.mark.tanist(pace="lan", clients=1)
            def test_side_by_side(cluster, turn):
                assert len(cluster.peers) == 3
                cluster.server.kill()
                cluster.until(one_server)
            """
        )
    )
    result = pytester.runpytest_subprocess(*PLUGIN, "-n", "2")
    result.assert_outcomes(passed=2)


def test_who_uses_no_cluster_pays_nothing() -> None:
    program = "import sys, tanist.peer.testing.plugin; print({'aiohttp', 'msgspec', 'asyncio'} & set(sys.modules))"
    # Pytest itself brings asyncio in no more than the plugin does.
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() in ("set()", "{'asyncio'}")
