"""A cluster of real processes for tests of tanist itself: nobody is started, and nothing stands between the peers."""

import signal
from collections.abc import Iterable
from pathlib import Path

import msgspec

from tanist.peer.drills.cluster import RealCluster, now
from tanist.peer.drills.process import last_words
from tanist.peer.drills.watched import DEADLINE_S
from tanist.peer.electionlog.catalogue import CATALOGUE
from tanist.peer.electionlog.checks.check import check
from tanist.peer.electionlog.files import FILE_NAME
from tanist.peer.electionlog.reader import read_one_by_one

__all__ = ["DEADLINE_S", "Cluster", "now"]


class Cluster(RealCluster):
    """Peers of one cluster, each started by the test. `async with`, so that nothing outlives it."""

    def __init__(self, folder: Path, *, pace: str = "fast", safety: str = "survivor", flags: Iterable[str] = ()):
        """`folder` takes all data and output. `flags` go to every peer."""
        super().__init__(folder, names=(), safety=safety, pace=pace, apps=("kv", "chat"), flags=flags, links=False)

    async def __aexit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        await super().__aexit__(kind, *rest)
        if kind is not None:
            print(last_words(list(self.peers.values())))
        else:
            self._must_be_clean()

    def _must_be_clean(self) -> None:
        """Even where everything else went well: no traceback, no event nobody knows, no rule that the logs break."""
        for peer in self.peers.values():
            assert "Traceback" not in peer.stderr, f"{peer.name} wrote a traceback:\n{peer.stderr}"
            for event in peer.events():
                known = CATALOGUE.get(event["event"])
                assert known is not None, f"{peer.name} told of {event['event']}, which is not in the catalogue"
                msgspec.convert(event["fields"], known)
        logs = [peer.data / FILE_NAME for peer in self.peers.values() if (peer.data / FILE_NAME).exists()]
        # The last line of a killed peer may be cut short, and a test may damage one: what can be read is checked.
        broken = check(read_one_by_one(logs, lambda problem: None))
        assert not broken, "\n".join(map(str, broken))

    def kill_all(self) -> None:
        """SIGKILL to all at the same moment, and wait until they are gone."""
        for peer in self.peers.values():
            if peer.running:
                peer.signal(signal.SIGKILL)
        for peer in self.peers.values():
            peer.kill()
