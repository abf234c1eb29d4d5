"""A disk that hangs: a peer whose records are not on disk within `disk_timeout` is unfit until they are.

Its heartbeats would still go out and its confirmations still come, so nobody else can notice. A server gives up its
reign, so that the heir serves; a candidate gives up its ballot; a client says that nothing may wait for its disk.
Nothing is lost or doubted by it: what was asked to be kept is still on its way, and once it is there all is as before.
"""

from typing import TYPE_CHECKING

from tanist.election import events
from tanist.election.settings import MS

if TYPE_CHECKING:
    from tanist.election.core import Core


def watch_disk(core: "Core") -> None:
    """See whether the disk hangs, or has answered again."""
    node = core.node
    since = node.disk_waits_since()
    waited = 0 if since is None else node.now - since
    if not node.disk_stalled:
        if waited >= node.times.disk:
            node.disk_stalled = f"a write has taken {waited / MS / 1000:.1f} s so far"
            node.disk_stalled_at = node.now - waited
            node.emit(events.DiskStalled(waited / MS, str(core.role)))
            core.behaviour.disk_stalled()
    elif waited < node.times.disk:
        node.disk_stalled = ""
        node.emit(events.DiskAnswered((node.now - node.disk_stalled_at) / MS))
        core.behaviour.disk_answered()


def disk_deadline(core: "Core") -> int | None:
    """When the disk will have taken too long."""
    node = core.node
    since = node.disk_waits_since()
    return None if since is None or node.disk_stalled else since + node.times.disk


__all__ = ["disk_deadline", "watch_disk"]
