"""The rules of tic-tac-toe, nine cells, turns and three in a line, and how a game is drawn."""

import msgspec

from tanist.peer.application import Refused

TOKENS = ("x", "o")
"""The players; x begins."""
DRAW = "draw"
"""The winner of a game that nobody won."""
LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
"""Cells in a row, a column or a diagonal, counted from the top left."""


def no_cells() -> list[str]:
    """Nine empty cells."""
    return [""] * 9


class Grid(msgspec.Struct):
    """A game: its cells row by row, each a token or "", and the winner's token, `DRAW`, or "" while it goes on."""

    cells: list[str] = msgspec.field(default_factory=no_cells)
    winner: str = ""

    @property
    def turn(self) -> str:
        """Whose move it is, "" after the end."""
        return "" if self.winner else TOKENS[sum(map(bool, self.cells)) % 2]

    def place(self, token: str, row: int, col: int) -> None:
        """Put a token into a cell; rows and columns are 1 to 3. Refuses what the rules forbid."""
        if self.winner:
            raise Refused("The game is over", "game_over")
        if token != self.turn:
            raise Refused("It is not your turn", "not_your_turn")
        if not (1 <= row <= 3 and 1 <= col <= 3):
            raise Refused("Rows and columns are 1 to 3", "out_of_range")
        cell = 3 * (row - 1) + col - 1
        if self.cells[cell]:
            raise Refused("The cell is taken", "cell_taken")
        self.cells[cell] = token
        if any(all(self.cells[at] == token for at in line) for line in LINES):
            self.winner = token
        elif all(self.cells):
            self.winner = DRAW


class Room(msgspec.Struct):
    """A game, and the sessions that play it, in the order of `TOKENS`."""

    players: list[str]
    grid: Grid

    @property
    def waits(self) -> bool:
        """Whether a player is missing."""
        return len(self.players) < len(TOKENS)


class Board(msgspec.Struct, frozen=True):
    """A game as one of its players sees it, in a room: `turn` is the token to move, "" if none is."""

    room: str
    you: str
    cells: list[str]
    turn: str
    winner: str

    def __str__(self) -> str:
        if self.winner:
            state = "draw" if self.winner == DRAW else "you win" if self.winner == self.you else "you lose"
        elif self.turn:
            state = "your turn" if self.turn == self.you else "the other moves"
        else:
            state = "waiting for another"
        return f"{drawn(self.cells)}\nYou are {self.you}: {state}"


class TableView(msgspec.Struct, frozen=True):
    """The turn game's table: who asks, whose move it is, whether one or both are there, the rows, how it ended."""

    you: str
    turn: str
    alone: bool
    full: bool
    rows: list[list[str]]
    winner: str
    draw: bool

    def __str__(self) -> str:
        return drawn([cell for row in self.rows for cell in row])


def drawn(cells: list[str]) -> str:
    """The cells as text, with the numbers of rows and columns."""
    rows = [" | ".join(cell or " " for cell in cells[at : at + 3]) for at in (0, 3, 6)]
    between = "\n  ---+---+---\n"
    return "   1   2   3\n" + between.join(f"{number}  {row}" for number, row in enumerate(rows, 1))
