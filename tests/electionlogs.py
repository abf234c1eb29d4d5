"""The election logs that a virtual world would have written: each step's events as lines, with each peer's clocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tanist.election.events import Event
from tanist.election.ready import Ready
from tanist.election.settings import MS
from tanist.election.simulation.world import VirtualPeer, World
from tanist.peer.electionlog.line import LogLine, as_json, make_line
from tanist.peer.electionlog.peer_events import PeerStarted


class Scribe:
    """Watches a world from its begin, and keeps the lines of each peer in the order it wrote them."""

    def __init__(self, world: World) -> None:
        self.lines: list[LogLine] = []
        self._starts: dict[tuple[str, int], int] = {}
        world.watchers.append(self._watch)

    def _watch(self, peer: VirtualPeer, ready: Ready) -> None:
        key = peer.id, peer.incarnation
        if key not in self._starts:
            self._starts[key] = 0
            pace, safety = peer.settings.pace, str(peer.settings.safety)
            patience = pace.retry_attempts, pace.retry_interval_ms, pace.heartbeat_timeout_ms
            self._write(peer, PeerStarted("0", safety, "custom", peer.name, "", "", *patience))
        for event in ready.events:
            self._write(peer, event)

    def _write(self, peer: VirtualPeer, event: Event) -> None:
        assert peer.core is not None
        key = peer.id, peer.incarnation
        self._starts[key] += 1
        now = peer.clock()
        line = make_line(
            event,
            cluster="home",
            peer=peer.id,
            name=peer.name,
            incarnation=f"{peer.incarnation}-{peer.incarnation:x}",
            seq=self._starts[key],
            wall_ms=1_700_000_000_000 + (now + peer.wall_ahead) // 1_000_000,
            mono_ms=now / MS,
        )
        self.lines.append(line)

    def write(self, folder: Path) -> list[Path]:
        """A file for each peer, as real ones write them."""
        files: dict[str, list[str]] = {}
        for line in self.lines:
            files.setdefault(line.name, []).append(as_json(line) + "\n")
        for name, lines in files.items():
            (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
        return [folder / f"{name}.jsonl" for name in sorted(files)]


def scribes_of_all(monkeypatch: pytest.MonkeyPatch) -> list[Scribe]:
    """From now on every world that is made has a scribe, in this list: also one whose begin nobody else sees."""
    scribes: list[Scribe] = []
    begin = World.__init__

    def with_scribe(world: World, *args: Any, **options: Any) -> None:
        begin(world, *args, **options)
        scribes.append(Scribe(world))

    monkeypatch.setattr(World, "__init__", with_scribe)
    return scribes
