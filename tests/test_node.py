"""What a peer believes to be on its disk."""

from __future__ import annotations

from random import Random

from tanist.election.fallbacks import FallbackList
from tanist.election.history import Term
from tanist.election.node import Node, Self
from tanist.election.records import Stored
from tanist.election.settings import ElectionSettings

OLD = FallbackList(Term(1, "id-x"), 3, ())
NEW = FallbackList(Term(4, "id-b"), 2, ())


def test_a_list_is_stored_when_the_disk_says_so_however_it_was_learnt() -> None:
    node = Node(Self("id-a", "a", "a:1"), ElectionSettings(), Stored(fallbacks=OLD), Random(1))
    assert node.list_stored == OLD.age()
    assert node.learn_list(NEW)
    assert node.list_stored == OLD.age(), "a version of another reign says nothing about this one's"
    node.persisted(node.persist_id)
    assert node.list_stored == NEW.age()


def test_an_older_list_replaces_none() -> None:
    node = Node(Self("id-a", "a", "a:1"), ElectionSettings(), Stored(fallbacks=NEW), Random(1))
    assert not node.learn_list(OLD)
    assert not node.learn_list(NEW)
    assert node.fallbacks == NEW
