"""What an application takes, as `GET /apps/APP` tells it: for help, completion, and secrets that are asked for."""

import msgspec

OWN = {
    "HELP": "This list, or more about one command: HELP command.",
    "WATCH": "Keep the answer of a query in sight below: WATCH query. WATCH alone ends that.",
    "QUIT": "End the console.",
}
"""Words of the console itself."""


class Argument(msgspec.Struct, frozen=True):
    """One argument. `default` is shown to people; it is "" where the argument must be given."""

    name: str
    type: str
    required: bool
    default: str = ""
    secret: bool = False
    choices: list[str] = []
    """The words that it takes, if it takes only some."""


class Operation(msgspec.Struct, frozen=True):
    """A command or query."""

    name: str
    doc: str
    arguments: list[Argument]

    @property
    def usage(self) -> str:
        """How it is typed: `SEND nick text`."""
        words = [a.name if a.required else f"[{a.name}]" for a in self.arguments]
        return " ".join([self.name.upper(), *words])


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

    def help_lines(self, word: str = "") -> list[str]:
        """All commands, or one in full; an unknown one gets the list of all."""
        if (operation := self.find(word)) is not None:
            return _explained(operation)
        return [*self.doc.splitlines(), "", *self.rows()]

    def rows(self) -> list[str]:
        """A line for each command and query, and for the console's own words."""
        rows = [(o.usage, o.doc.partition("\n")[0]) for o in self.operations]
        rows += OWN.items()
        width = max(len(usage) for usage, _ in rows)
        return [f"{usage:{width}}  {doc}".rstrip() for usage, doc in rows]


def _explained(operation: Operation) -> list[str]:
    lines = [operation.usage, *operation.doc.splitlines()]
    width = max((len(a.name) for a in operation.arguments), default=0)
    for argument in operation.arguments:
        said = argument.type if argument.required else f"{argument.type}, {argument.default} unless given"
        secret = ", asked for without showing it if you leave it out" if argument.secret else ""
        lines.append(f"  {argument.name:{width}}  {said}{secret}")
    return lines
