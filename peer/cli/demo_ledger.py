"""The application of the demo: a list of numbers, in the order the cluster took them.

A list and no set, so that a number that was written twice, or lost, can be seen.
"""

from tanist.peer.application import Application, Context, command, query


class Ledger(Application):
    """Numbers, in the order they were written."""

    lines: list[int]

    @command
    def write(self, ctx: Context, number: int) -> int:
        """Append a number; how many there are."""
        self.lines.append(number)
        return len(self.lines)

    @query
    def count(self, ctx: Context) -> int:
        """How many numbers there are."""
        return len(self.lines)

    @query
    def numbers(self, ctx: Context) -> list[int]:
        """All numbers, in order."""
        return self.lines
