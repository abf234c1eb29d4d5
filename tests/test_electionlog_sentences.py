"""Sentences: the event's template, with names for ids, and nothing a terminal would obey."""

import pytest

from tanist.election.events import (
    BallotEnded,
    CanvassStarted,
    Event,
    FallbackChosen,
    HistoriesCompared,
    ListPublished,
    MemberChanged,
    RetryStarted,
    RoleChanged,
    VoteCast,
)
from tanist.peer.electionlog.line import LogLine, as_json, make_line, parse
from tanist.peer.electionlog.peer_events import ApplicationFault
from tanist.peer.electionlog.sentences import NAMES_MAX, Names, sentence

ANNA, BERT = "7f3a9c10", "c0ffee12"


@pytest.fixture
def names() -> Names:
    names = Names()
    names.add(ANNA, "anna")
    names.add(BERT, "bert")
    return names


def line_of(event: Event) -> LogLine:
    return make_line(event, cluster="home", peer=ANNA, name="anna", incarnation="1-1", seq=1, wall_ms=0, mono_ms=0.0)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (VoteCast(2, BERT, True, ""), "vote for bert as number 2: yes"),
        (RoleChanged("client", "seeking", f"1@{ANNA}", f"{ANNA} is gone"), "client -> seeking (anna is gone)"),
        (ListPublished("1@x", 2, [f"{BERT} counts best"]), "fallback list 2: bert counts best"),
        (
            BallotEnded(2, "won", [], {ANNA: "silent"}, 1.0),
            "ballot for number 2: won (support nobody, left out anna silent)",
        ),
        (FallbackChosen(BERT, "it stands"), "going to bert (it stands)"),
        (FallbackChosen(ANNA, "nobody is before me"), "standing itself (nobody is before me)"),
        (CanvassStarted(2, [ANNA, "stranger"], False), "canvassing anna, stranger for number 2"),
        (MemberChanged(BERT, "bert", "h:1", "joined"), f"bert ({BERT}) at h:1: joined"),
        (RetryStarted(1, 3, "h:1", 1499.6), "retry 1/3 of h:1, 1500 ms after the loss"),
    ],
)
def test_events_are_told_with_names(names: Names, event: Event, said: str) -> None:
    assert sentence(line_of(event), names) == said


def test_a_short_id_is_no_word_of_the_prose() -> None:
    names = Names()
    names.add("a", "anna")
    event = HistoriesCompared("a", 3, 0, 1, "a longer one goes on")
    assert sentence(line_of(event), names) == "history of anna forks at 3: a longer one goes on"


def test_names_and_texts_cannot_drive_the_terminal(names: Names) -> None:
    names.add(BERT, "\x1b[31mbert")
    assert "\x1b" not in sentence(line_of(VoteCast(2, BERT, False, "\x1b]0;owned\x07")), names)
    assert (
        sentence(line_of(ApplicationFault("poll", "vote", "{oops} a\nb")), names) == "poll.vote failed: {oops} a\\x0ab"
    )


def test_an_unknown_event_is_told_by_its_fields(names: Names) -> None:
    raw = as_json(line_of(VoteCast(2, BERT, True, ""))).replace("vote_cast", "tea\\u001b_served")
    assert sentence(parse(raw.encode()), names) == "tea\\x1b_served number=2 candidate=bert granted=yes reason="


def test_names_are_learned_from_lines_and_have_an_end() -> None:
    names = Names()
    names.learn(line_of(MemberChanged(BERT, "bert", "h:1", "joined")))
    assert (names.of(ANNA), names.of(BERT), names.of("other")) == ("anna", "bert", "other")
    for i in range(2 * NAMES_MAX):
        names.add(f"id-{i}", f"name-{i}")
    assert names.of(f"id-{2 * NAMES_MAX - 1}") == f"id-{2 * NAMES_MAX - 1}"
    names.add(BERT, "bertha")
    assert names.of(BERT) == "bertha"
