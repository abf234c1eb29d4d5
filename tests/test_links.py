"""Links as inputs of the core: several to one peer are one, and a newer start replaces an older."""

from tanist.election.evidence import Evidence
from tanist.election.messages import Goodbye, Message, Refuse
from tanist.election.ready import DialFailed, Input, LinkDown, LinkUp, Received
from tanist.peer.links import LINKS_PER_PEER_MAX, Links
from tanist.transport.hello import Hello


class FakeLink:
    """A link that remembers what was done with it."""

    def __init__(self, peer: str = "p", incarnation: tuple[int, int] = (1, 7)) -> None:
        self.remote = Hello(
            cluster="c", safety="survivor", id=peer, name=peer, incarnation=incarnation, address="127.0.0.1:1"
        )
        self.closed = self.told = ""

    def send(self, message: Message) -> None:
        assert isinstance(message, Refuse) and not self.closed
        self.told = message.text

    def send_frame(self, frame: bytes) -> None:
        raise AssertionError("nothing is sent here")

    def close(self, reason: str) -> None:
        self.closed = reason


def connected() -> tuple[Links, list[Input]]:
    links, fed = Links(lambda *_: None), []  # type: tuple[Links, list[Input]]
    links.connect(fed.append)
    return links, fed


def test_what_comes_before_the_core_is_there_is_not_lost() -> None:
    links = Links(lambda *_: None)
    link = FakeLink()
    links.link_up(link, "127.0.0.1:1")
    links.received(link, [Goodbye("x")])
    fed: list[Input] = []
    links.connect(fed.append)
    assert fed == [LinkUp(link.remote.as_remote(), "127.0.0.1:1"), Received("p", Goodbye("x"))]


def test_a_peer_is_lost_with_its_last_link_only() -> None:
    links, fed = connected()
    first, second = FakeLink(), FakeLink()
    links.link_up(first, None)
    links.link_up(second, None)
    assert links.to("p") is second
    fed.clear()
    links.link_down(second, Evidence.CLOSED, "x")
    assert fed == [] and links.to("p") is first
    links.link_down(first, Evidence.UNREACHABLE, "y")
    assert fed == [LinkDown("p", Evidence.UNREACHABLE, "y")]
    assert links.to("p") is None and "p" not in links


def test_a_newer_start_replaces_the_older_and_its_last_bytes_count_no_more() -> None:
    links, fed = connected()
    old, new = FakeLink(incarnation=(1, 7)), FakeLink(incarnation=(2, 9))
    links.link_up(old, None)
    fed.clear()
    links.link_up(new, None)
    assert old.closed
    assert fed[0] == LinkDown("p", Evidence.CLOSED, "it started again")
    assert isinstance(fed[1], LinkUp)
    fed.clear()
    links.received(old, [Goodbye("late")])
    links.link_down(old, Evidence.CLOSED, "")
    assert fed == []


def test_an_older_start_does_not_replace_a_newer() -> None:
    links, fed = connected()
    new, old = FakeLink(incarnation=(2, 9)), FakeLink(incarnation=(1, 7))
    links.link_up(new, None)
    fed.clear()
    links.link_up(old, "127.0.0.1:1")
    assert old.closed and not new.closed
    assert links.to("p") is new
    assert [type(f) for f in fed] == [DialFailed]


def test_links_of_one_peer_are_bounded() -> None:
    links, _ = connected()
    all_links = [FakeLink() for _ in range(LINKS_PER_PEER_MAX + 1)]
    for link in all_links:
        links.link_up(link, None)
    assert [bool(link.closed) for link in all_links] == [True] + [False] * LINKS_PER_PEER_MAX


def test_closing_a_peer_ends_all_its_links_silently() -> None:
    links, fed = connected()
    first, second = FakeLink(), FakeLink()
    links.link_up(first, None)
    links.link_up(second, None)
    fed.clear()
    links.close("p", "silent")
    assert first.closed == second.closed == "silent"
    links.link_down(first, Evidence.CLOSED, "silent")
    links.received(second, [Goodbye("late")])
    assert fed == []


def test_two_processes_of_one_id_that_both_answer_are_told_apart_and_the_later_is_turned_away() -> None:
    links, fed = connected()
    original, copy = FakeLink(incarnation=(4, 7)), FakeLink(incarnation=(5, 9))
    links.link_up(original, None)
    links.link_up(copy, None)
    assert links.to("p") is copy, "as far as is known the newer start replaces the older"
    again = FakeLink(incarnation=(4, 7))
    fed.clear()
    links.link_up(again, None)
    assert links.to("p") is again and "a data directory was copied" in copy.told and copy.closed
    assert [type(f) for f in fed] == [LinkDown, LinkUp]
    fed.clear()
    late = FakeLink(incarnation=(5, 9))
    links.link_up(late, "127.0.0.1:1")
    assert links.to("p") is again and late.told and late.closed
    assert [type(f) for f in fed] == [DialFailed]
    # A real restart of the original counts as ever.
    restarted = FakeLink(incarnation=(6, 11))
    links.link_up(restarted, None)
    assert links.to("p") is restarted and not restarted.told


def test_a_process_that_counts_its_start_higher_is_the_same_process() -> None:
    links, fed = connected()
    before, after = FakeLink(incarnation=(4, 7)), FakeLink(incarnation=(9, 7))
    links.link_up(before, None)
    links.link_up(after, None)
    assert not before.closed and links.to("p") is after
    assert [type(f) for f in fed] == [LinkUp, LinkUp]
