"""Conditions and rules: what adds up, what ends, what comes and goes; all in given time."""

import pytest

from tanist.peer.faults.conditions import CLEAR, Conditions, Way, check, merge
from tanist.peer.faults.rules import RULES_MAX, Rule, Rules


def rule(
    conditions: Conditions, peer: str | None = None, way: Way = Way.BOTH, since: float = 0.0, until: float | None = None
) -> Rule:
    return Rule(peer=peer, way=way, conditions=conditions, since=since, until=until)


def test_conditions_add_up() -> None:
    both = merge(
        [
            Conditions(delay_ms=10, loss=0.5, drop=0.25, bandwidth=100),
            Conditions(delay_ms=5, loss=0.5, blackhole=True, reset_after=9),
        ]
    )
    assert both == Conditions(delay_ms=15, loss=0.75, drop=0.25, bandwidth=100, blackhole=True, reset_after=9)
    assert merge([]) == CLEAR


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (Conditions(delay_ms=-1), "delay_ms must be from 0"),
        (Conditions(delay_ms=float("nan")), "delay_ms must be from 0"),
        (Conditions(loss=1.5), "loss is a share"),
        (Conditions(bandwidth=-1), "bandwidth is in bytes"),
        (Conditions(reset_after=-1), "reset_after is a number"),
        (Conditions(up_ms=5), "needs both"),
    ],
)
def test_conditions_that_make_no_sense_are_refused(wrong: Conditions, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check(wrong)


def test_a_rule_is_for_one_peer_by_name_or_id_and_for_one_way() -> None:
    rules = Rules()
    rules.put(1, rule(Conditions(delay_ms=10), peer="bob", way=Way.IN))
    rules.put(2, rule(Conditions(delay_ms=5)))
    assert rules.effective(("id-of-bob", "bob"), Way.IN, 0).delay_ms == 15
    assert rules.effective(("bob",), Way.OUT, 0).delay_ms == 5
    assert rules.effective((), Way.IN, 0).delay_ms == 5
    rules.drop(2)
    assert rules.effective(("ann",), Way.IN, 0) == CLEAR


def test_a_rule_ends_by_itself_and_says_when() -> None:
    rules = Rules()
    rules.put(1, rule(Conditions(loss=1), until=5.0))
    assert rules.next_change(1.0) == 5.0
    assert rules.effective((), Way.IN, 4.999).loss == 1
    assert rules.effective((), Way.IN, 5.0) == CLEAR
    rules.expire(5.0)
    assert len(rules) == 0 and rules.next_change(5.0) is None


def test_a_flapping_link_is_down_first_and_up_after() -> None:
    rules = Rules()
    rules.put(1, rule(Conditions(blackhole=True, down_ms=200, up_ms=300), since=10.0))
    down = [rules.effective((), Way.IN, 10 + step / 10 + 0.05).blackhole for step in range(10)]
    assert down == [True, True, False, False, False, True, True, False, False, False]
    assert rules.next_change(10.0) == pytest.approx(10.2)
    assert rules.next_change(10.2001) == pytest.approx(10.5)


def test_rules_are_bounded() -> None:
    rules = Rules()
    for key in range(RULES_MAX):
        rules.put(key, rule(CLEAR))
    rules.put(0, rule(CLEAR))
    with pytest.raises(ValueError, match="clear some first"):
        rules.put("one more", rule(CLEAR))
