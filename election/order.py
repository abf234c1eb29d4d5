"""Who goes before a seeking peer, and for whom it has to wait: questions to what it knows, which change nothing."""

from tanist.election.contacts import Contacts
from tanist.election.node import Node
from tanist.election.safety import rules_of


def who_may_know(node: Node, but: str) -> dict[str, str]:
    """Address -> id ("" when unknown) of all who may know a server, without the one at `but`."""
    found = {address: "" for address in node.me.given if address != node.me.address}
    for entry in node.fallbacks.entries:
        found[entry.address] = entry.id
    for member in node.others():
        found[node.address_of(member.id) or member.address] = member.id
    found.pop(but, None)
    return {a: i for a, i in found.items() if i != node.me.id}


def before_me(node: Node, contacts: Contacts) -> list[str]:
    """The peers that go before this one when a server is looked for, best first."""
    listed = [e.id for e in node.fallbacks.entries if e.id != node.me.id]
    place = node.fallbacks.place(node.me.id)
    if not node.able:
        members = [m.id for m in node.others() if m.serve and m.voter and m.id not in listed]
        return [*listed, *members]
    if place is not None:
        return [e.id for e in node.fallbacks.entries[:place]]
    # Not in the list: behind it, and among such by freshness, then id.
    freshness = rules_of(node.settings.safety).freshness
    mine = freshness(node.log.history())
    better = []
    for peer, contact in contacts.by_id.items():
        member = node.log.roster.get(peer)
        if peer in listed or not contact.answered or not contact.able:
            continue
        if member is not None and not (member.serve and member.voter):
            continue
        theirs = freshness(contact.history)
        if theirs > mine or (theirs == mine and peer < node.me.id):
            better.append(peer)
    return [*listed, *sorted(better)]


def met_history(node: Node, contacts: Contacts) -> bool:
    """Survivor mode: whether this peer has no history, and one that answers has one and may stand."""
    if node.quorum or node.log.last:
        return False
    return any(c.answered and c.able and c.history.last for c in contacts.by_id.values())


def waited_for(node: Node, contacts: Contacts, evidence: str) -> list[str]:
    """Survivor mode: members that may hold what this peer, which does not count, never had."""
    out = []
    for member in node.others():
        contact = contacts.of(member.id)
        # Refused throughout a whole retry round, a process is gone for certain; at a start it may only be late.
        dead = contact.refusals >= node.times.attempts and evidence != "start"
        left = member.id == node.last_server and evidence == "goodbye"
        if not (contact.answered or dead or left):
            out.append(member.id)
    return out
