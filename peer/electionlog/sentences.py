"""Events as sentences for people: the event's own template, with names for ids and no control characters."""

import re
from functools import cache
from string import Formatter
from typing import Any

from tanist.election.events import Event, FallbackChosen, MemberChanged, PeerSeen
from tanist.peer.electionlog.line import LogLine
from tanist.peer.electionlog.terminal import printable

NAMES_MAX = 1024
"""Ids whose names are remembered; far more than a roster holds, and a flood of strangers ends there."""
TEXTS_MAX = 4096
"""Texts remembered as they are told; each is at most as long as a line."""
ID_IN_PROSE_CHARS_MIN = 6
"""An id of fewer characters could be a word of the sentence, so it is only replaced where it stands alone."""

_INTRODUCING = (MemberChanged, PeerSeen)
"""The events that tell the name of a peer besides its id."""
_TERM = re.compile(r"(\d+)@(\S+)")
_WORD = re.compile(r"[\w-]+")


class Names:
    """The names of peers by id, learned from the lines that tell them."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._told: dict[str, str] = {}
        """Texts that were looked through before: logs say the same words again and again."""

    def learn(self, line: LogLine) -> None:
        """Remember who wrote the line, and whom it introduces."""
        if self._names.get(line.peer) != line.name:
            self.add(line.peer, line.name)
        if isinstance(line.body, _INTRODUCING):
            self.add(line.body.peer, line.body.name)

    def add(self, peer: str, name: str) -> None:
        """Remember one name; an empty one, or one too many, is not."""
        if name and self._names.get(peer) != name and (peer in self._names or len(self._names) < NAMES_MAX):
            self._names[peer] = name
            self._told.clear()

    def of(self, peer: str) -> str:
        """The name of a peer for people, or its id where no name is known."""
        return printable(self._names.get(peer, peer))

    def knows(self, peer: str) -> bool:
        """Whether a line told the name of this peer."""
        return peer in self._names

    def in_text(self, text: str) -> str:
        """A value for people: an id, a term, or prose, with the names of the ids in it."""
        told = self._told.get(text)
        if told is None:
            told = self._in_text(text)
            if len(self._told) >= TEXTS_MAX:
                self._told.clear()
            self._told[text] = told
        return told

    def _in_text(self, text: str) -> str:
        if text in self._names:
            return self.of(text)
        if term := _TERM.fullmatch(text):
            return f"{term[1]}@{self.of(term[2])}"
        return printable(_WORD.sub(self._word, text))

    def _word(self, match: re.Match[str]) -> str:
        word = match.group()
        return self._names.get(word, word) if len(word) >= ID_IN_PROSE_CHARS_MIN else word

    def in_item(self, text: str) -> str:
        """An item of a list of peers: an id, alone or with words after it ("id counts reason")."""
        head, space, rest = text.partition(" ")
        return self.in_text(head) + space + (self.in_text(rest) if rest else "")


def sentence(line: LogLine, names: Names) -> str:
    """What the line says, as one printable line of text. An unknown event is told by its name and fields."""
    if line.body is None:
        fields = " ".join(f"{key}={_shown(value, names)}" for key, value in line.fields.items())
        return printable(f"{line.event} {fields}".rstrip())
    if isinstance(line.body, FallbackChosen) and line.body.peer == line.peer:
        # It waits for nobody: "going to itself" would only puzzle.
        return f"standing itself ({names.in_text(line.body.reason)})"
    return told(line.body, names)


def told(event: Event, names: Names) -> str:
    """An event as its own template tells it."""
    values: dict[str, Any] = {}
    for field in _fields_told(type(event)):
        value = getattr(event, field)
        kind = value.__class__
        if kind is str:
            value = names.in_text(value)
        elif kind is not int and kind is not float:
            value = _shown(value, names)
        # Numbers keep their type, for the template's own formats.
        values[field] = value
    if isinstance(event, _INTRODUCING):
        # The line introduces a peer: it tells the name itself, so the id must stay one.
        values["peer"] = printable(event.peer)
    text = event.line.format_map(values)
    # An empty value leaves two spaces, or one at the end.
    return " ".join(text.split()) if "  " in text or text[-1:] == " " else text


@cache
def _fields_told(cls: type[Event]) -> tuple[str, ...]:
    """The fields that an event's template names."""
    return tuple(name for _, name, _, _ in Formatter().parse(cls.line) if name)


def _shown(value: Any, names: Names) -> Any:
    if isinstance(value, str):
        return names.in_text(value)
    match value:
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(names.in_item(str(item)) for item in value) or "nobody"
        case dict():
            pairs = (f"{names.in_text(str(key))} {names.in_text(str(item))}" for key, item in value.items())
            return ", ".join(pairs) or "nobody"
    return str(value)
