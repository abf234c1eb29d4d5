"""Completion from signatures: commands, the words that an argument takes, and what the line is to look like."""

from collections.abc import Iterable
from typing import NamedTuple

from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from tanist.peer.console.signatures import OWN, Signatures
from tanist.peer.console.typed import read


class _Choice(NamedTuple):
    """A word, what it means, and whether more may follow it."""

    word: str
    meaning: str
    goes_on: bool


class Completing(Completer):
    """Completes the lines of one application."""

    def __init__(self, signatures: Signatures) -> None:
        self._signatures = signatures
        self._commands = [
            _Choice(o.name.upper(), o.doc.partition("\n")[0], bool(o.arguments)) for o in signatures.operations
        ]
        self._own = [_Choice(word, meaning, word != "QUIT") for word, meaning in OWN.items()]

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """What the word at the cursor may become."""
        before = document.text_before_cursor.lstrip()
        typed = read(self._signatures, before)
        if typed.spans and typed.spans[-1][0].is_file:
            file = Document(before[typed.spans[-1][1] :])
            yield from PathCompleter(expanduser=True).get_completions(file, complete_event)
            return
        begun = before.rpartition(" ")[2]
        for choice in self._choices(before, begun):
            if choice.word.lower().startswith(begun.lower()):
                text = choice.word + " " * choice.goes_on
                yield Completion(text, -len(begun), display=choice.word, display_meta=choice.meaning)

    def _choices(self, before: str, begun: str) -> list[_Choice]:
        if " " not in before:
            return _cased([*self._commands, *self._own], begun)
        typed = read(self._signatures, before)
        if typed.operation is None:
            return _cased(self._after(typed.word.upper()), begun)
        place = len(typed.spans) - (1 if begun else 0)
        if place >= len(typed.operation.arguments):
            return []
        argument = typed.operation.arguments[place]
        return [_Choice(word, argument.name, place + 1 < len(typed.operation.arguments)) for word in argument.choices]

    def _after(self, word: str) -> list[_Choice]:
        """What may follow a word of the console's own."""
        if word == "WATCH":
            queries = {o.name.upper() for o in self._signatures.queries}
            return [choice for choice in self._commands if choice.word in queries]
        return [choice._replace(goes_on=False) for choice in self._commands] if word == "HELP" else []


def _cased(choices: list[_Choice], begun: str) -> list[_Choice]:
    """Commands in the case that the user began to type them in."""
    return [choice._replace(word=choice.word.lower()) for choice in choices] if begun.islower() else choices


def hint(signatures: Signatures, line: str) -> str:
    """What the line is to look like, as far as one knows what it is to be."""
    typed = read(signatures, line)
    if typed.operation is None:
        return "HELP lists the commands, Tab completes, Ctrl-D ends"
    return f"{typed.operation.usage}  {typed.operation.doc.partition(chr(10))[0]}".rstrip()
