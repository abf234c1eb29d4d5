"""What an application takes, as `GET /apps/APP` tells it: for help, completion, and secrets that are asked for."""

import textwrap

import msgspec

OWN = {
    "HELP": "This list, or more about one command: HELP command.",
    "WATCH": "Keep the answer of a query in sight below: WATCH query. WATCH alone ends that.",
    "QUIT": "End the console.",
}
"""Words of the console itself."""
COLUMNS = 120
"""Columns of help where nobody says how many there are."""
MEANING_COLUMNS_MIN = 24
"""Columns that what a command means has beside it, at least; else it stands below."""


class Argument(msgspec.Struct, frozen=True):
    """One argument. `default` is shown to people; it is "" where the argument must be given."""

    name: str
    type: str
    required: bool
    default: str = ""
    secret: bool = False
    choices: list[str] = []
    """The words that it takes, if it takes only some."""

    @property
    def is_file(self) -> bool:
        """Whether it is bytes, for which a file is named."""
        return self.type == "Blob"

    @property
    def typed(self) -> str:
        """How it stands in a usage."""
        word = "|".join(self.choices) or ("file" if self.is_file else self.name)
        return word if self.required else f"[{word}]"


class Operation(msgspec.Struct, frozen=True):
    """A command or query."""

    name: str
    doc: str
    arguments: list[Argument]
    returns: str = ""

    @property
    def usage(self) -> str:
        """How it is typed: `SEND nick text`, `UPLOAD name file`."""
        return " ".join([self.name.upper(), *(a.typed for a in self.arguments)])

    @property
    def takes_bytes(self) -> bool:
        """Whether its last argument is bytes."""
        return bool(self.arguments) and self.arguments[-1].is_file

    @property
    def gives_bytes(self) -> bool:
        """Whether its answer is bytes."""
        return "Blob" in self.returns.split(" | ")


class Signatures(msgspec.Struct, frozen=True):
    """An application."""

    name: str
    doc: str
    commands: list[Operation]
    queries: list[Operation]

    @property
    def operations(self) -> list[Operation]:
        """All that can be typed."""
        return [*self.commands, *self.queries]

    def find(self, word: str) -> Operation | None:
        """The command or query of that name, in whatever case."""
        return next((o for o in self.operations if o.name == word.lower()), None)

    def help_lines(self, word: str = "", columns: int = COLUMNS) -> list[str]:
        """All commands, or one in full; an unknown one gets the list of all."""
        if (operation := self.find(word)) is not None:
            return _explained(operation, columns)
        rows = [(o.usage, o.doc.partition("\n")[0]) for o in self.operations]
        return [*_wrapped(self.doc, columns), "", *_in_rows([*rows, *OWN.items()], columns)]


def _wrapped(doc: str, columns: int) -> list[str]:
    """A docstring whose paragraphs are as wide as the terminal."""
    paragraphs = (textwrap.wrap(paragraph, columns) for paragraph in doc.split("\n\n"))
    return [line for lines in paragraphs for line in [*lines, ""]][:-1]


def _in_rows(rows: list[tuple[str, str]], columns: int) -> list[str]:
    """What is typed, and what that means beside it, or below it where there is no room."""
    width = max(len(typed) for typed, _ in rows)
    beside = columns - width - 2 >= MEANING_COLUMNS_MIN
    indent = width + 2 if beside else 4
    lines: list[str] = []
    for typed, meaning in rows:
        meant = textwrap.wrap(meaning, max(columns - indent, 1))
        if beside:
            lines.append(f"{typed:{width}}  {meant.pop(0) if meant else ''}".rstrip())
        else:
            lines.append(typed)
        lines += [" " * indent + line for line in meant]
    return lines


def _explained(operation: Operation, columns: int) -> list[str]:
    rows = []
    for argument in operation.arguments:
        said = argument.type if argument.required else f"{argument.type}, {argument.default} unless given"
        secret = ", asked for without showing it if you leave it out" if argument.secret else ""
        rows.append(("  file", "a file on this machine") if argument.is_file else (f"  {argument.name}", said + secret))
    return [operation.usage, *_wrapped(operation.doc, columns), *(_in_rows(rows, columns) if rows else [])]
