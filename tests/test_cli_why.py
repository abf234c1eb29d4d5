"""`tanist why` as a person sees it: the story with its numbers, from files, and safe for a terminal."""

from pathlib import Path

import msgspec
import pytest
from past_lines import A1, B2, at, beas_part, beginning, cyds_part, settled

from tanist.election.events import ServerFollowed, ServerLost
from tanist.peer.cli import asking
from tanist.peer.cli.exits import Exit, VerbError
from tanist.peer.cli.why import why_lines
from tanist.peer.electionlog.line import as_json
from tanist.peer.past.fromlogs import past_of_logs
from tanist.peer.past.telling import tell

FAILOVER = [*beginning(), *beas_part(), *cyds_part(), *settled()]
STORY = """\
bea served as term 2, after 1 of ann from 1970-01-01T00:00:01.620Z, entry 9: ann was lost: closed

What happened
  00:00:01.000  bea lost the server of term 1: closed (reset), 16 ms after its last heartbeat
                retry 1/2 after 300 ms: refused (errno 111)
                retry 2/2 after 600 ms: refused
                went to bea: nobody is before me
                served after 620 ms without a server
  00:00:01.002  cyd lost the server of term 1: closed, 19 ms after its last heartbeat
                followed after 628 ms without a server
  ballot        bea stood for number 2: won, supported by cyd; opposed by cyd (better_rank); left out: ann (refused)

The fallback list, as bea had it then
  #  name  waited for  reason
  1  bea   yes         better link
  2  cyd   no          lower link

What it cost
     16 ms  last heartbeat to suspicion
    601 ms  suspicion to the last retry's end
      9 ms  ballot
    620 ms  suspicion to the new reign
      5 ms  new reign to its first acknowledgement
      8 ms  new reign to its first command
    700 ms  the longest that callers waited for an answer
         7  calls waited
         6  of them were sent again
         1  of these had been done already, and were done once

  peer  then    without a server  callers waited  calls  sent again  done before
  bea   server  620 ms            650 ms          3      2           1
  cyd   client  628 ms            700 ms          4      4           0"""


@pytest.fixture
def logs(tmp_path: Path) -> list[Path]:
    """The files of the three peers."""
    files = []
    for peer in "abc":
        file = tmp_path / f"{peer}.jsonl"
        file.write_text("".join(as_json(line) + "\n" for line in FAILOVER if line.peer == peer))
        files.append(file)
    return files


def test_the_story_of_a_failover(logs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert asking.show_why_of_logs(logs, "last", json=False) == Exit.OK
    assert capsys.readouterr().out.rstrip() == STORY
    asking.show_why_of_logs(logs, "1", json=False)
    first = capsys.readouterr().out
    assert first.startswith("ann served as term 1 from ") and "the first server of this cluster" in first
    assert first.rstrip().endswith("It ended: ann was lost: closed. tanist why 2@b")


def test_json_is_what_a_peer_answers(logs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    asking.show_why_of_logs(logs, "2@bea", json=True)
    said = msgspec.json.decode(capsys.readouterr().out)
    assert said == {"reigns": [msgspec.to_builtins(tell(past_of_logs(FAILOVER), (2, "b")))]}


def test_terms_that_are_none(logs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(VerbError, match="is no term") as usage:
        asking.show_why_of_logs(logs, "yesterday", json=False)
    assert usage.value.status == Exit.USAGE
    with pytest.raises(VerbError, match="nothing is known of term 9") as unknown:
        asking.show_why_of_logs(logs, "9", json=False)
    assert unknown.value.status == Exit.FAILED
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(VerbError, match="nobody has served"):
        asking.show_why_of_logs([tmp_path / "empty.jsonl"], "last", json=False)


def test_a_record_that_lacks_its_server_says_so_and_names_steer_no_terminal() -> None:
    lost = ServerLost("a", A1, "silent", "\x1b[2J", 900.0, 7, ["b\x1b[31m counts (x)"])
    lines = [*beginning(), at(1000, "c", lost), at(1600, "c", ServerFollowed("b", "h", B2, 600.0))]
    text = "\n".join(why_lines(msgspec.to_builtins(tell(past_of_logs(lines), (2, "b")))))
    assert "has not told yet" in text and "\x1b" not in text and "\\x1b[2J" in text
