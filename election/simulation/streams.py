"""Chance of a virtual world: one stream a concern, all from one seed, so that one more draw shifts no other."""

from __future__ import annotations

from random import Random


class Streams:
    """Each stream is seeded by a string, which gives the same numbers in every process, whatever its hash seed."""

    def __init__(self, seed: int | str) -> None:
        self.seed = seed
        self.network = Random(f"{seed} network")
        self.disk = Random(f"{seed} disk")
        self.process = Random(f"{seed} process")
        self.workload = Random(f"{seed} workload")
        self.timers = Random(f"{seed} timers")

    def core(self, name: str, incarnation: int) -> Random:
        """The stream of one process of one peer, its own whatever the others draw."""
        return Random(f"{self.seed} core {name} {incarnation}")


__all__ = ["Streams"]
