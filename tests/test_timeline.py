"""What a timeline shows: states, messages, reigns and gaps, faults and marks, made of lines without any page."""

import json
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from electionlogs import Scribe
from hypothesis import given, settings
from hypothesis import strategies as st
from timeline_lines import A1, B2, STARTED, at, election, role, shown

from tanist.election.events import (
    DiskAnswered,
    DiskStalled,
    EntriesLent,
    Event,
    HandoverBegan,
    HandoverEnded,
    MemberChanged,
    PeerLost,
    ReignBegan,
    ReignEnded,
    RetryEnded,
    RetryStarted,
    ServerFollowed,
    ServerLost,
    VoteCast,
    Woke,
)
from tanist.election.simulation.scenario import read_scenario
from tanist.election.simulation.stage import Stage
from tanist.peer.electionlog.catalogue import CATALOGUE
from tanist.peer.electionlog.line import as_json
from tanist.peer.electionlog.peer_events import (
    FaultEnded,
    FaultInjected,
    LoopStalled,
    PeerStopped,
)
from tanist.peer.electionlog.reader import timed
from tanist.peer.electionlog.timeline import building
from tanist.peer.electionlog.timeline.bands import Mark
from tanist.peer.electionlog.timeline.building import Builder
from tanist.peer.electionlog.timeline.drawing import draw
from tanist.peer.electionlog.timeline.model import Timeline
from tanist.peer.electionlog.timeline.page import embedded
from tanist.peer.electionlog.timeline.writing import TimelineError, timeline, write_timeline


def states(timeline: Timeline, peer: str) -> list[tuple[str, float, float]]:
    """The states of a peer's lane, by time."""
    lane = next(number for number, lane in enumerate(timeline.lanes) if lane.name == peer)
    found = [(span.state, span.begin, span.end) for span in timeline.spans if span.lane == lane]
    return sorted(found, key=lambda span: span[1])


def test_roles_are_spans_with_their_terms() -> None:
    found = shown(*election(), at(2000, "a", STARTED, "2-1"))
    assert states(found, "b") == [
        ("seeking", 10, 20),
        ("client", 20, 1000),
        ("seeking", 1000, 1105),
        ("candidate", 1105, 1115),
        ("server", 1115, 2000),
    ]
    terms = {(found.lanes[span.lane].name, span.state): span.term for span in found.spans if span.term}
    assert terms == {("a", "server"): A1, ("b", "client"): A1, ("b", "server"): B2, ("c", "client"): B2}


def test_a_killed_process_is_gone_from_when_others_lost_it() -> None:
    found = shown(*election(), at(2000, "a", STARTED, "2-1"), at(2010, "a", role("seeking", "client"), "2-1"))
    assert states(found, "a")[2:] == [("server", 2, 1000), ("gone", 1000, 2000), ("seeking", 2000, 2010)]
    gone = next(span for span in found.spans if span.state == "gone")
    assert gone.text == "its process ended without a word; b lost it: closed, then refused"


def test_a_process_that_never_returns_is_gone_if_the_evidence_is_certain() -> None:
    assert states(shown(*election()), "a")[-1] == ("gone", 1000, 1121)
    seen = {"server_lost": ServerLost("a", A1, "silent", "", 100.0), "retry_ended": RetryEnded(1, 1, "h", "silent", "")}
    silent = [at(ms, line.peer, seen[line.event]) if line.event in seen else (ms, line) for ms, line in election()]
    assert states(shown(*silent), "a")[-1] == ("server", 2, 1121), "a silent one may well be there"


def test_only_a_peers_server_or_its_clients_know_whether_it_is_gone() -> None:
    lines = [
        at(0, "a", role("candidate", "server")),
        at(5, "c", role("seeking", "client")),
        at(5, "c", ServerFollowed("a", "h", A1, 1.0)),
    ]
    woken = at(500, "b", PeerLost("c", "closed", ""))
    assert states(shown(*lines, woken, at(900, "b", LoopStalled(1.0))), "c") == [("client", 5, 900)], (
        "one that it does not follow may have lost it for reasons of its own"
    )
    server = at(500, "a", PeerLost("c", "closed", ""))
    assert states(shown(*lines, server, at(900, "a", LoopStalled(1.0))), "c")[-1] == ("gone", 500, 900)
    cut = [at(500, "c", ServerLost("a", A1, "closed", "", 1.0)), at(600, "c", RetryEnded(1, 3, "h", "silent", ""))]
    assert states(shown(*lines, *cut), "a") == [("server", 0, 600)], "its link was cut, and a retry said so"


def test_a_peer_that_was_found_again_is_not_gone() -> None:
    found = shown(
        at(0, "a", role("candidate", "server")),
        at(5, "b", ServerFollowed("a", "h", A1, 1.0)),
        at(500, "b", ServerLost("a", A1, "closed", "", 1.0)),
        at(600, "b", ServerFollowed("a", "h", A1, 100.0)),
        at(900, "b", LoopStalled(1.0)),
    )
    assert states(found, "a") == [("server", 0, 900)]


def test_a_restart_that_nobody_noticed_says_so() -> None:
    found = shown(at(0, "a", STARTED), at(10, "a", role("seeking", "server")), at(90, "a", STARTED, "2-1"))
    gone = next(span for span in found.spans if span.state == "gone")
    assert (gone.begin, gone.end) == (10, 90)
    assert "when is not known" in gone.text


def test_a_stop_is_said_and_lasts_until_the_next_start() -> None:
    found = shown(
        at(0, "a", STARTED),
        at(50, "a", PeerStopped("told to end", 0)),
        at(80, "a", STARTED, "2-1"),
        at(90, "b", STARTED),
    )
    assert states(found, "a") == [("seeking", 0, 50), ("stopped", 50, 80), ("seeking", 80, 90)]


def test_what_a_log_begins_with_is_known_from_what_it_tells_first() -> None:
    found = shown(at(0, "a", LoopStalled(1.0)), at(40, "a", role("client", "seeking")), at(60, "a", LoopStalled(1.0)))
    assert states(found, "a") == [("client", 0, 40), ("seeking", 40, 60)]


def test_a_frozen_server_is_away_and_does_not_serve_meanwhile() -> None:
    found = shown(
        at(0, "a", role("candidate", "server")),
        at(0, "a", ReignBegan(A1, 0, 0.0, True)),
        at(2, "b", ServerFollowed("a", "h:1", A1, 1.0)),
        at(600, "b", ServerLost("a", A1, "silent", "", 500.0)),
        at(700, "b", role("candidate", "server")),
        at(700, "b", ReignBegan(B2, 0, 100.0, False)),
        at(2000, "a", LoopStalled(1900.0)),
        at(2001, "a", Woke(1901.0, "server")),
        at(2010, "a", ReignEnded(A1, "gave way")),
        at(2010, "a", role("server", "seeking")),
    )
    (away,) = found.absences
    assert (away.kind, away.begin, away.end) == ("away", 100, 2001), "the stall and the jump are one"
    first, second = found.reigns
    assert list(first.served) == [(0, 100), (2001, 2010)]
    assert (first.row, second.row) == (0, 1), "its reign lies beside its successor's"
    assert [(gap.begin, gap.end) for gap in found.gaps] == [(100, 700)]


def test_a_disk_that_hangs_is_an_absence_until_it_answers_or_the_lines_end() -> None:
    lines = [at(0, "a", role("candidate", "server")), at(500, "a", DiskStalled(200.0, "server"))]
    (open_one,) = shown(*lines, at(700, "b", STARTED)).absences
    assert (open_one.kind, open_one.begin, open_one.end) == ("disk", 300, 700)
    (closed,) = shown(*lines, at(800, "a", DiskAnswered(500.0))).absences
    assert (closed.begin, closed.end) == (300, 800)


def test_reigns_and_the_gap_between_them() -> None:
    found = shown(*election())
    first, second = found.reigns
    assert (first.begin, first.end, first.open, first.why, first.lasts) == (2, 1000, 3, "lost: closed", False)
    assert (second.begin, second.end, second.lasts) == (1115, 1121, True)
    assert dict(second.facts)["elected by"] == "c; left out: a refused"
    (gap,) = found.gaps
    assert (gap.begin, gap.end) == (1000, 1115)
    assert gap.text == "nobody served for 115 ms, after 1@a; 3 calls waited, the longest 118 ms; then 2@b"


def test_a_reign_that_began_before_all_lines_is_there_from_the_first() -> None:
    found = shown(
        at(100, "b", LoopStalled(1.0)),
        at(500, "b", ServerLost("a", "4@a", "closed", "", 10.0)),
        at(900, "b", role("candidate", "server")),
        at(900, "b", ReignBegan("5@b", 1, 400.0, False)),
        at(950, "b", LoopStalled(1.0)),
    )
    assert [(reign.number, reign.begin, reign.end, reign.lane) for reign in found.reigns] == [
        (4, 0, 400, -1),
        (5, 800, 850, 0),
    ]
    assert [(gap.begin, gap.end) for gap in found.gaps] == [(400, 800)]


def paths(found: Timeline, kind: str) -> list[tuple[list[tuple[str, float]], bool]]:
    """The arrows of a kind: where they were when, and whether they had effect."""
    names = [lane.name for lane in found.lanes]
    return [([(names[lane], ms) for lane, ms in a.path], a.ok) for a in found.arrows if a.kind == kind]


def test_messages_go_from_lane_to_lane() -> None:
    found = shown(*election())
    assert paths(found, "canvass") == [
        ([("b", 1106), ("a", 1106)], False),
        ([("b", 1106), ("c", 1108), ("b", 1110)], True),
    ]
    assert paths(found, "vote") == [([("b", 1110), ("c", 1112), ("b", 1114)], True)]
    assert paths(found, "lost") == [([("a", 970), ("b", 1000)], False), ([("a", 970), ("c", 1001)], False)]
    assert paths(found, "retry") == [([("b", 1100), ("a", 1104)], False)]
    assert paths(found, "fallback") == [([("c", 1107), ("b", 1107)], True)]
    assert paths(found, "follow") == [
        ([("a", 21), ("b", 21)], True),
        ([("a", 22), ("c", 22)], True),
        ([("b", 1115), ("c", 1120)], True),
    ], "who waited when a reign began heard of its begin; others came by themselves"
    told = [arrow for arrow in found.arrows if arrow.kind == "canvass"]
    assert [arrow.guess for arrow in told] == [False, True]
    assert found.lines[told[1].line].event == "canvass_answered"


def test_a_hand_over_is_an_arrow_from_order_to_obedience() -> None:
    obeyed = shown(
        at(0, "a", role("candidate", "server")),
        at(0, "b", role("seeking", "client")),
        at(10, "a", HandoverBegan("b", "asked to")),
        at(14, "b", role("client", "candidate", "the server told me to stand")),
    )
    assert paths(obeyed, "handover") == [([("a", 10), ("b", 14)], True)]
    failed = shown(
        at(0, "b", role("seeking", "client")),
        at(10, "a", HandoverBegan("b", "asked to")),
        at(30, "a", HandoverEnded("it fell silent", 20.0)),
    )
    assert paths(failed, "handover") == [([("a", 10), ("b", 10)], False)]
    assert failed.arrows[0].text == "a hands over to b (asked to): it fell silent"


def test_refused_votes_and_answered_retries() -> None:
    found = shown(
        at(0, "a", role("seeking", "client")),
        at(1, "b", ServerLost("a", A1, "silent", "", float("nan"))),
        at(2, "b", RetryStarted(1, 3, "h", 1.0)),
        at(6, "b", RetryEnded(1, 3, "h", "answered", "")),
        at(7, "b", VoteCast(2, "a", False, "stale_number")),
    )
    assert paths(found, "lost") == [([("a", 1), ("b", 1)], False)]
    assert paths(found, "retry") == [([("b", 2), ("a", 4), ("b", 6)], True)]
    assert paths(found, "vote") == [([("a", 7), ("b", 7)], False)]


def test_peers_without_a_log_have_a_lane_if_others_say_their_name() -> None:
    found = shown(
        at(0, "b", MemberChanged("carl-id", "carl", "h:1", "joined")),
        at(1, "b", EntriesLent("carl-id", 1, 2)),
        at(2, "b", PeerLost("a stranger", "closed", "")),
    )
    assert [(lane.name, lane.logged) for lane in found.lanes] == [("b", True), ("carl", False)]
    assert [arrow.text for arrow in found.arrows] == ["carl lends b the entries 1 to 2"]


def test_faults_are_bands_until_they_end_or_their_process_does() -> None:
    slow = FaultInjected("f1", "slow-disk", "200 ms a write", 500.0)
    found = shown(
        at(0, "a", STARTED),
        at(10, "a", slow),
        at(20, "b", FaultInjected("f1", "pause", "", 30.0)),
        at(100, "a", FaultEnded("f1", "slow-disk", "", "its time is over")),
        at(200, "a", FaultInjected("f2", "clock", "+1 h", float("nan"))),
        at(300, "a", STARTED, "2-1"),
        at(400, "a", FaultInjected("f1", "slow-disk", "", 5000.0), "2-1"),
        at(900, "b", LoopStalled(1.0)),
    )
    told = [(band.lane, band.kind, band.begin, band.end) for band in found.bands]
    assert told == [
        (0, "slow-disk", 10, 100),
        (1, "pause", 20, 50),
        (0, "clock", 200, 300),
        (0, "slow-disk", 400, 900),
    ]
    assert found.bands[0].text == "slow-disk 200 ms a write"
    assert found.lines[found.bands[0].line].event == "fault_injected"


def test_marks_are_bands_in_their_lanes() -> None:
    marks = [
        Mark(500, "b was killed", kind="kill", peer="b"),
        Mark(600, "the network is cut", until_ms=800),
        Mark(9e12, "from another clock"),
    ]
    found = shown(at(100, "a", STARTED), at(1000, "b", STARTED), marks=marks)
    told = [(band.lane, band.kind, band.begin, band.end, band.mark) for band in found.bands]
    assert told == [(1, "kill", 400, 400, True), (-1, "mark", 500, 700, True)]


def test_what_came_before_the_time_asked_for_says_how_things_stood() -> None:
    found = shown(*election(), since_ms=1100)
    assert found.begin_ms == 1100
    assert found.left_out == 15
    assert states(found, "c")[0] == ("seeking", 0, 20)
    assert found.reigns[0].number == 2
    assert [(gap.begin, gap.end) for gap in found.gaps] == [(0, 15)]
    assert found.lines[found.arrows[-1].line].event == "server_followed"


def test_too_many_lines_leave_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "LINES_MAX", 100)
    builder = Builder()
    for n in range(building.LINES_MAX + 5):
        builder.take(*at(n, "a", LoopStalled(0.1)))
    for n in range(building.WRITERS_MAX + 5):
        builder.take(*at(building.LINES_MAX + 5, f"p{n}", LoopStalled(0.1)))
    found = draw(builder.found)
    assert len(found.lines) == building.LINES_MAX
    assert len(found.lanes) == building.WRITERS_MAX
    assert found.left_out == 5 + (building.WRITERS_MAX - 1) + 6


def test_how_far_clocks_were_off_is_told() -> None:
    _, line = at(1000, "a", LoopStalled(1.0))
    (lane,) = shown((1000.0, line), (1250.5, line)).lanes
    assert lane.behind_ms == (0.0, 250.5)


def files(folder: Path) -> list[Path]:
    found = []
    for peer in "abc":
        path = folder / peer / "election.jsonl"
        path.parent.mkdir()
        path.write_text("".join(as_json(line) + "\n" for _, line in election() if line.peer == peer))
        found.append(path)
    return found


def test_the_page_is_written_whole_and_never_over_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = files(tmp_path)
    page = tmp_path / "page.html"
    assert timeline([tmp_path], page) == 0
    said = capsys.readouterr()
    assert said.out == f"28 lines of 3 peers: open {page} in a browser\n"
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert not list(tmp_path.glob("*.part"))
    with pytest.raises(TimelineError, match="is one of the election logs"):
        write_timeline([tmp_path], logs[1])
    assert timeline([tmp_path], tmp_path / "no" / "page.html") == 1
    assert "cannot be written" in capsys.readouterr().err


def test_what_is_wrong_with_the_files_or_the_question_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = files(tmp_path)
    page = tmp_path / "page.html"
    logs[0].write_text("nonsense\n" + logs[0].read_text())
    assert timeline([tmp_path], page) == 0
    assert "not a line of the election log" in capsys.readouterr().err
    assert "not a line of the election log" in page.read_text()
    assert timeline([*logs, tmp_path / "missing"], page) == 1
    assert timeline([tmp_path], page, since="yesterday-ish") == 2
    capsys.readouterr()
    assert timeline([tmp_path], page, since="2100-01-01T00:00:00Z") == 1
    assert "no line was written since then" in capsys.readouterr().err
    assert timeline([tmp_path / "missing"], page) == 1
    assert "there is no line of an election log" in capsys.readouterr().err


# Lives in the virtual world

FOLDER = Path(__file__).parent / "scenarios"
TOLD = ("heir-and-server-killed", "split-with-commands-on-both-sides", "wall-clock-strobe", "handover-and-commands")


def lived(name: str, folder: Path) -> Timeline:
    """The timeline of a scenario, of the files that its peers would have written."""
    scenario = read_scenario((FOLDER / f"{name}.scenario").read_text(encoding="utf-8"))
    stage = Stage(scenario, scenario.safety[0])
    scribe = Scribe(stage.world)
    stage.play()
    builder = Builder()
    for moment, line in timed(scribe.write(folder), lambda problem: None):
        builder.take(moment, line)
    return draw(builder.found)


@pytest.mark.parametrize("name", TOLD)
def test_what_is_drawn_of_a_life_fits_together(name: str, tmp_path: Path) -> None:
    found = lived(name, tmp_path)
    for lane in found.lanes:
        spans = states(found, lane.name)
        assert all(before[2] == after[1] for before, after in pairwise(spans)), "a lane has neither holes nor overlaps"
        assert spans[-1][2] == found.end
    served = sorted(part for reign in found.reigns for part in reign.served)
    assert served
    for gap in found.gaps:
        assert gap.end > gap.begin
        assert not any(begin < gap.end and end > gap.begin for begin, end in served)
    for arrow in found.arrows:
        moments = [moment for _, moment in arrow.path]
        assert moments == sorted(moments), "nothing arrives before it was sent"
        assert moments[0] >= 0 and moments[-1] <= found.end
        assert -1 <= arrow.line < len(found.lines)


PEERS = st.sampled_from(["a", "b", "no peer"])
TERMS = st.sampled_from(["1@a", "2@b", "3@no peer", "none", "", "@", "9" * 30 + "@a"])
VALUES: dict[str, st.SearchStrategy[object]] = {
    "term": TERMS,
    "peer": PEERS,
    "server": PEERS,
    "heir": PEERS,
    "candidate": PEERS,
    "was": st.sampled_from(["seeking", "server", "what"]),
    "role": st.sampled_from(["seeking", "client", "server", "what"]),
    "number": st.integers(0, 3),
    "without_ms": st.sampled_from([0.0, 900.0, -1.0, float("inf"), float("nan")]),
}


def any_event() -> st.SearchStrategy[Event]:
    """Any event of the catalogue, with values that fit together, or not at all."""
    kinds = []
    for cls in CATALOGUE.values():
        fields = {
            f.name: VALUES[f.name] if f.name in VALUES else st.from_type(f.type) for f in msgspec.structs.fields(cls)
        }
        kinds.append(st.builds(cls, **fields))
    return st.one_of(kinds)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e6), PEERS, any_event(), st.sampled_from(["1-1", "2-1"])), max_size=40))
def test_whatever_lines_say_a_page_comes_of_it(told: list[tuple[float, str, Event, str]]) -> None:
    builder = Builder()
    for moment, peer, event, incarnation in [
        (0.0, "a", LoopStalled(1.0), "1-1"),
        *sorted(told, key=lambda one: one[0]),
    ]:
        builder.take(*at(moment, peer, event, incarnation))
    found = draw(builder.found)
    assert json.loads(embedded(found).replace("\\u003c", "<"))["lanes"]
    for span in found.spans:
        assert 0 <= span.begin <= span.end <= found.end
