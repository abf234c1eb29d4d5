"""Who a linked peer really is: its newest start, an older copy of its data, or a second process with its id.

A start is newer than another by its stored count; its random part tells two processes of one count apart. Everyone
keeps the newest start of every peer that it has met. One that comes with an older start, or with the same count and
another random part, runs on an older copy of its data: it may have promised what it does not know of. It is told so,
takes itself for damaged (see `repairing`), counts its starts above the one that is known, and is repaired.

A copy that was made while its peer ran may count as newer. But the server knows what it was told in its own reign: who
says it holds less than it acknowledged there runs on older data too.

A second process with this peer's id is another thing: one of the two has to end, and it is the one that came later.
"""

from typing import TYPE_CHECKING

from tanist.election import events
from tanist.election.evidence import Evidence
from tanist.election.messages import Follow, Message, Outdated, Seek
from tanist.election.records import SeenRecord
from tanist.election.repairing import find_damage
from tanist.election.settings import NUMBER_LEAP_MAX

if TYPE_CHECKING:
    from tanist.election.core import Core
    from tanist.election.node import Node
    from tanist.election.ready import Remote

COPY = "clone"
"""The code by which a peer is told that another process has its id."""
SEEN_MAX = 256
"""Peers whose newest start is kept: four rosters full; who comes beyond is only kept once it is a member."""


def linked(core: "Core", remote: "Remote", dialed: str | None) -> None:
    """A link to a peer is open: from now on it is known where it listens, and who it is."""
    node = core.node
    if dialed is not None:
        node.dial_outcome(dialed)
        if dialed in node.me.given:
            core.reached[dialed] = remote.id
    node.links[remote.id] = remote
    node.emit(events.PeerSeen(remote.id, remote.name, remote.address))
    _note_start(node, remote)


def turned_away(core: "Core", address: str, evidence: Evidence, detail: str) -> None:
    """A dial failed: say so when someone answered who will not talk, or who is this peer's double."""
    if evidence is Evidence.CLONE:
        met_clone(core, detail)
    elif evidence is Evidence.REJECTED:
        _rejected(core.node, address, detail)


def _note_start(node: "Node", remote: "Remote") -> None:
    """A peer is linked: keep its start if it is the newest, or tell it that it runs on older data."""
    start, nonce = remote.incarnation
    known = node.starts.get(remote.id)
    if known is not None and known[1] != nonce and start <= known[0]:
        tell_outdated(node, remote.id, known[0])
        return
    node.outdated.discard(remote.id)
    room = len(node.starts) < SEEN_MAX or remote.id in node.starts or node.log.roster.get(remote.id) is not None
    if start and room and known != (start, nonce):
        node.starts[remote.id] = (start, nonce)
        node.persist(SeenRecord(remote.id, start, nonce))


def tell_outdated(node: "Node", peer: str, start: int) -> None:
    """Tell a peer that its data are older than what is known of it, and hear of nothing else until it knows."""
    node.outdated.add(peer)
    node.emit(events.OlderData(peer, start))
    node.send(peer, Outdated(start))


def heard(node: "Node", peer: str, message: Message) -> bool:
    """Whether a message of a linked peer is to be taken in: one with older data may only look for its repair."""
    if peer not in node.outdated:
        return True
    match message:
        case Follow(member=member) if member.damaged:
            node.outdated.discard(peer)
            return True
        case Seek():
            return True
        case _:
            return False


def outdated(core: "Core", peer: str, start: int) -> None:
    """This peer is told that its data are older than what others know of it."""
    node = core.node
    own, nonce = node.incarnation
    if not own <= start <= own + NUMBER_LEAP_MAX:
        node.emit(events.Implausible(peer, f"start {start} of this peer, whose own is {own}"))
        return
    node.incarnation = (start + 1, nonce)
    node.persist(SeenRecord(node.me.id, start + 1, nonce))
    find_damage(core, start + 1, f"it is older than what {peer} knows of this peer: a copy was restored, or kept on")


def watch_founding(node: "Node") -> None:
    """Once this peer's cluster is founded, whoever is no member of it says hello anew, and may be of another one."""
    founding = node.log.roster.founding
    if founding == node.founding_said:
        return
    node.founding_said = founding
    for peer in [p for p in node.links if node.log.roster.get(p) is None]:
        node.close(peer, "this peer's cluster is founded now")


def _rejected(node: "Node", address: str, detail: str) -> None:
    """A peer that was dialed refuses to talk, or is refused: said once, until it is another reason."""
    if node.rejections.get(address) == detail:
        return
    if len(node.rejections) >= SEEN_MAX:
        node.rejections.clear()
    node.rejections[address] = detail
    node.emit(events.PeerRefused(address, Evidence.REJECTED, detail))


def met_clone(core: "Core", detail: str, *, proved: bool = False) -> None:
    """A process with this peer's own id answers. The one that came later ends: `proved`, or not yet in any cluster."""
    node = core.node
    node.emit(events.PeerRefused(node.me.id, Evidence.CLONE, detail))
    if proved or not node.belonged:
        text = f"another process runs with the id of this peer ({node.me.id}): {detail}"
        node.halt("refused", f"{text}. Its data directory was copied: give this peer an empty one")
