"""Lines on stderr: short, coloured on a terminal only, and a terminal that stands still blocks nobody."""

import io
import threading
from datetime import UTC

import pytest

from tanist.election.events import Event, ReignBegan, ServerLost
from tanist.peer.electionlog.human import HumanLog, rendered
from tanist.peer.electionlog.line import LogLine, make_line
from tanist.peer.electionlog.peer_events import DialFailed, LoopStalled
from tanist.peer.electionlog.sentences import Names


def line_of(event: Event, seq: int = 1) -> LogLine:
    return make_line(
        event,
        cluster="home",
        peer="a1",
        name="anna",
        incarnation="3-beef",
        seq=seq,
        wall_ms=1_795_000_000_007,
        mono_ms=0.0,
    )


class StuckStream(io.StringIO):
    """A terminal under Ctrl-S: a write blocks until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.stuck = threading.Event()
        self.let_go = threading.Event()

    def write(self, text: str) -> int:
        self.stuck.set()
        assert self.let_go.wait(10)
        return super().write(text)


def test_a_line_is_time_level_and_sentence() -> None:
    names = Names()
    names.add("a1", "anna")
    assert rendered(line_of(ReignBegan("1@a1", 0, 0.0, True)), names, colour=False, zone=UTC) == (
        "11:06:40.007  serving as 1@anna"
    )
    lost = line_of(ServerLost("a1", "1@a1", "closed", "", 3.0))
    assert rendered(lost, names, colour=False, zone=UTC) == "11:06:40.007  warning: lost the server anna: closed"


def test_colour_is_by_level() -> None:
    assert "\x1b[33m" in rendered(line_of(LoopStalled(1.0)), Names(), colour=True, zone=UTC)
    assert "\x1b" not in rendered(line_of(LoopStalled(1.0)), Names(), colour=False, zone=UTC)


def test_lines_below_the_level_are_not_written_and_names_are_learned() -> None:
    stream = io.StringIO()
    human = HumanLog(stream, zone=UTC)
    human(line_of(DialFailed("host:1", "refused", "")))
    human(line_of(ReignBegan("1@a1", 0, 0.0, True)))
    assert human.close()
    assert stream.getvalue() == "11:06:40.007  serving as 1@anna\n"


def test_without_a_stream_it_is_what_stderr_is_by_then(capsys: pytest.CaptureFixture[str]) -> None:
    human = HumanLog(zone=UTC)
    human(line_of(LoopStalled(1.0)))
    assert human.close()
    assert "stood still for 1 ms" in capsys.readouterr().err


def test_a_stuck_terminal_blocks_nobody_and_missed_lines_are_counted() -> None:
    stream = StuckStream()
    human = HumanLog(stream, zone=UTC, queued_lines_max=2)
    human(line_of(LoopStalled(0.0)))
    assert stream.stuck.wait(10)
    for i in range(1, 6):
        human(line_of(LoopStalled(float(i))))
    assert not human.close(timeout_s=0.01)
    stream.let_go.set()
    assert human.close(timeout_s=10)
    text = stream.getvalue()
    assert "(3 lines did not fit" in text
    assert [f"for {i} ms" in text for i in range(6)] == [True, True, True, False, False, False]


def test_a_closed_stream_is_survived() -> None:
    stream = io.StringIO()
    stream.close()
    human = HumanLog(stream)
    human(line_of(LoopStalled(1.0)))
    assert human.close()
