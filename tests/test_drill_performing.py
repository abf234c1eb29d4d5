"""Performing drills: each step does what it says to the right peers, and what does not come true is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tanist.election.settings import PACES, Safety
from tanist.peer.drills.asking import Status
from tanist.peer.drills.chronicle import LogFiles
from tanist.peer.drills.facts import Facts, promised_s
from tanist.peer.drills.performing import Failed, Performer, stretch
from tanist.peer.drills.reading import parse_drill
from tanist.peer.drills.target import CannotPerform, Disk

NAMES = ("anna", "ben", "carl", "dora", "emil")


class FakeTarget:
    """Peers that are only written down: who serves, who runs, and all that was done to them."""

    def __init__(self) -> None:
        self.names: list[str] = list(NAMES)
        self.alive = list(NAMES)
        self.server = "anna"
        self.did: list[str] = []
        self.refused = ""

    def running(self, name: str) -> bool:
        return name in self.alive

    async def statuses(self) -> dict[str, Status | None]:
        return {name: self._status(name) for name in self.alive}

    def _status(self, name: str) -> Status:
        others = [n for n in NAMES if n != self.server]
        listed = [{"name": n, "id": n, "in_sync": True, "counts": True, "lag": 0} for n in others]
        return {
            "name": name,
            "id": name,
            "role": "server" if name == self.server else "client",
            "safety": "survivor",
            "term": {"number": 1, "holder": self.server},
            "server": {"name": self.server, "id": self.server},
            "fallbacks": listed,
            "members": [{"name": n, "id": n, "state": "live"} for n in NAMES],
        }

    def _do(self, text: str) -> None:
        if self.refused:
            raise CannotPerform(self.refused)
        self.did.append(text)

    async def kill(self, names: Sequence[str]) -> None:
        self._do(f"kill {' '.join(names)}")
        self.alive = [name for name in self.alive if name not in names]
        if self.server in names:
            self.server = next(iter(self.alive), "")

    async def terminate(self, name: str) -> None:
        self._do(f"terminate {name}")

    async def start(self, names: Sequence[str]) -> None:
        self._do(f"start {' '.join(names)}")
        self.alive = [name for name in NAMES if name in (*self.alive, *names)]

    async def pause(self, name: str, for_ms: float) -> None:
        self._do(f"pause {name} {for_ms:g}")

    async def resume(self, name: str) -> None:
        self._do(f"resume {name}")

    async def add(self, name: str) -> None:
        self._do(f"add {name}")

    async def leave(self, name: str) -> None:
        self._do(f"leave {name}")

    async def hand_over(self, server: str, to: str) -> None:
        self._do(f"handover {server} {to}".strip())

    async def cut(self, links: Sequence[tuple[str, str]]) -> None:
        for a, b in links:
            self._do(f"{a}>{b}")

    async def mend(self, a: str = "", b: str = "") -> None:
        self._do(f"mend {a} {b}".strip())

    async def reset(self, a: str, b: str) -> None:
        self._do(f"reset {a} {b}")

    async def weather(self, *, loss: float | None = None, duplication: float | None = None) -> None:
        self._do(f"weather {loss} {duplication}")

    async def delay(self, a: str, b: str, ms: float) -> None:
        self._do(f"delay {a} {b} {ms:g}")

    async def disk(self, name: str, kind: Disk | None, ms: float = 0.0) -> None:
        self._do(f"disk {name} {kind} {ms:g}")

    async def clock(self, name: str, ms: float) -> None:
        self._do(f"clock {name} {ms:g}")

    async def undo(self) -> None:
        self._do("undo")


class FakeClients:
    """Clients that were answered, or not."""

    answered = True
    silence_s = 0.0

    def answered_since(self, began_s: float) -> bool:
        return self.answered

    def longest_silence_s(self) -> float:
        return self.silence_s


class Stage:
    """A performance on a fake target."""

    def __init__(self, tmp_path: Path, *, safety: Safety = Safety.SURVIVOR, pace: str = "lan") -> None:
        self.target = FakeTarget()
        self.clients = FakeClients()
        self.told: list[str] = []
        self.safety, self.pace = safety, PACES[pace]
        self.facts = Facts(self.target, self.clients, LogFiles({"anna": tmp_path}), self.pace)
        self.performer: Any = None

    async def play(self, steps: str, expects: str = "") -> list[str]:
        """Perform steps (lines of YAML); gives what was done to peers."""
        drill = parse_drill(f"title: x\nsteps:\n{steps}\n{expects}", "x.yaml", NAMES)
        self.performer = Performer(drill, self.target, self.facts, self.safety, self.pace, self.told.append)
        await self.performer.perform()
        return self.target.did


@pytest.mark.parametrize(
    ("step", "did"),
    [
        ("kill server", ["kill anna"]),
        ("kill all", ["kill anna ben carl dora emil"]),
        ("terminate clients", ["terminate ben", "terminate carl", "terminate dora", "terminate emil"]),
        ("start others", ["start carl dora emil"]),
        ("pause heir 4s", ["pause ben 4000"]),
        ("pause heir", ["pause ben 0"]),
        ("resume last", ["resume emil"]),
        ("add newcomer", ["add newcomer"]),
        ("leave other", ["leave carl"]),
        ("handover server", ["handover anna"]),
        ("handover server to other", ["handover anna carl"]),
        ("cut server>others", ["anna>carl", "anna>dora", "anna>emil"]),
        ("cut heir<>other", ["ben>carl", "carl>ben"]),
        ("part server | heir other", ["anna>ben", "anna>carl", "ben>anna", "carl>anna"]),
        ("part server other | heir other", ["anna>ben", "ben>anna"]),
        ("mend", ["mend"]),
        ("mend server<>heir", ["mend anna ben"]),
        ("reset server-heir", ["reset anna ben"]),
        ("loss 20%", ["weather 0.2 None"]),
        ("duplication 50%", ["weather None 0.5"]),
        ("delay dora>server 300ms", ["delay dora anna 300"]),
        ("disk full server", ["disk anna full 0"]),
        ("disk slow heir 300ms", ["disk ben slow 300"]),
        ("disk read-only heir", ["disk ben read-only 0"]),
        ("disk failing heir", ["disk ben failing 0"]),
        ("disk well heir", ["disk ben None 0"]),
        ("clock server -1h", ["clock anna -3.6e+06"]),
    ],
)
async def test_each_step_does_what_it_says(tmp_path: Path, step: str, did: list[str]) -> None:
    assert await Stage(tmp_path).play(f"- {step}") == did


async def test_roles_stay_until_they_are_given_anew(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    did = await stage.play("- kill server\n- start server\n- recast\n- kill server\n- kill heir")
    assert did == ["kill anna", "start anna", "kill ben", "kill anna"]
    assert stage.told == ["kill anna", "start anna", "recast", "kill ben", "kill anna"]


async def test_blocks_repeat_and_go_round_and_belong_to_a_mode(tmp_path: Path) -> None:
    steps = (
        "- {each: others, repeat: 2, steps: [terminate peer]}\n- quorum: leave last\n- survivor: [mend, resume last]"
    )
    assert await Stage(tmp_path).play(steps) == [
        *["terminate carl", "terminate dora", "terminate emil"] * 2,
        "mend",
        "resume emil",
    ]
    assert (await Stage(tmp_path, safety=Safety.QUORUM).play(steps))[-1] == "leave emil"


async def test_what_is_waited_for_in_vain_is_told_with_what_was_so(tmp_path: Path) -> None:
    with pytest.raises(Failed) as caught:
        await Stage(tmp_path).play("- mend\n- wait server heir within 50ms\n- kill server")
    assert str(caught.value).startswith(
        "x.yaml:4:3: wait server ben within 50ms: in vain; anna serves (list: ben, carl"
    )


async def test_an_expectation_in_between_ends_the_drill(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="expect no-server: anna serves"):
        await Stage(tmp_path).play("- expect no-server\n- kill server")


async def test_what_cannot_be_done_ends_the_drill(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.target.refused = "it does not run"
    with pytest.raises(Failed, match="kill anna: it does not run"):
        await stage.play("- kill server")


async def test_what_was_never_to_be_so_is_noticed_while_it_lasts(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    await stage.play("- never serves heir\n- never no-server\n- kill server\n- run 200ms\n- start server\n- mend")
    first, second = stage.performer.never
    assert not first.passed and "ben serves" in first.told and first.where == "x.yaml:3:3"
    assert second.passed


async def test_expectations_are_looked_at_one_by_one(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.clients.silence_s = 9.0
    await stage.play("- mend", "expects: [server server, outage within death, quorum: no-server, reigns = 0]")
    found = await stage.performer.expectations()
    assert [(result.text, result.passed) for result in found] == [
        ("server anna", True),
        ("outage within death", False),
        ("reigns = 0", True),
    ]
    assert found[1].told.startswith("clients waited 9.00 s at most; promised are ")


@pytest.mark.parametrize(
    ("fact", "so"),
    [
        ("settled", True),
        ("served", True),
        ("server anna", True),
        ("server heir", False),
        ("serves server", True),
        ("not no-server", True),
        ("follows ben anna", True),
        ("follows anna anna", False),
        ("role ben client", True),
        ("list heir other dora last", True),
        ("list heir", False),
        ("members all", True),
        ("running heir", True),
        ("outage within 1s", True),
        ("reigns > 0", False),
        ("event * reign_began", False),
    ],
)
async def test_each_condition_looks_at_what_it_says(tmp_path: Path, fact: str, so: bool) -> None:
    await Stage(tmp_path).play(f"- expect {fact if so else f'not {fact}'}")
    with pytest.raises(Failed):
        await Stage(tmp_path).play(f"- expect {f'not {fact}' if so else fact}")


@pytest.mark.parametrize(
    ("fact", "message"),
    [
        ("serves clients", "clients is no peer here, or several"),
        ("event * no_such_event", "there is no event"),
        ("event * reign_began colour=red", "reign_began has no 'colour'"),
    ],
)
async def test_a_condition_without_a_sense_is_told(tmp_path: Path, fact: str, message: str) -> None:
    with pytest.raises(Failed, match=message):
        await Stage(tmp_path).play(f"- wait {fact}")


def test_paces_stretch_times_and_promises() -> None:
    assert stretch(PACES["lan"]) == 1 and stretch(PACES["classic"]) == 4
    assert promised_s(PACES["lan"], "handover") < promised_s(PACES["lan"], "death") < promised_s(PACES["lan"], "freeze")
    assert promised_s(PACES["lan"], "death") < promised_s(PACES["classic"], "death")
    assert promised_s(PACES["classic"], "700ms") == 0.7
