"""The turn game's table: one game of tic-tac-toe for whoever comes, played by asking again and again.

Nobody holds a connection, so that players are known by an id of their own making, the end of a game is told to whoever
asks next, and one who never comes back must not keep the table for ever.
"""

from tanist.peer.application import Application, Context, Refused, command, query
from tanist.peer.apps.grid import DRAW, TOKENS, Grid, TableView

UID_LENGTH_MAX = 200
"""Characters of a player's id."""
CLEARED_S = 0.5
"""Seconds from when both know the end to an empty table."""
ABSENT_S = 60.0
"""Seconds without a move, or until both have been told the end, after which the table is empty again. One who waits
alone for another and asks on has no such limit."""


class Table(Application):
    """The table. Rows and columns are 0 to 2."""

    players: list[str]
    """Ids of those at the table: x, then o."""
    grid: Grid
    last: tuple[str, int, int] = ("", -1, -1)
    """Who moved last, and where."""
    told: bool = False
    """Whether both know the end."""
    timer: int = 0
    """The timer that empties the table."""

    @command
    def sit(self, ctx: Context, uid: str) -> TableView:
        """The turn game: take a seat; the same id gets its own again."""
        if not 0 < len(uid) <= UID_LENGTH_MAX:
            raise Refused(f"uid: 1 to {UID_LENGTH_MAX} characters", "bad_uid")
        if self.told:
            # Somebody begins the next game before the table was cleared.
            ctx.cancel(self.timer)
            self.empty(ctx)
        if uid not in self.players:
            if len(self.players) == len(TOKENS):
                raise Refused("The game has two players already", "table_full")
            self.players.append(uid)
            self._empty_after(ctx, ABSENT_S)
        return self._view(uid)

    @command
    def wait(self, ctx: Context) -> None:
        """The turn game: somebody asks whether it begins, so one who waits alone is there, and keeps the seat."""
        if len(self.players) == 1:
            self._empty_after(ctx, ABSENT_S)

    @command
    def put(self, ctx: Context, uid: str, row: int, col: int) -> TableView:
        """The turn game: make a move. The very move that was made last, said again, changes nothing."""
        if uid not in self.players:
            raise Refused("Join the game first", "not_at_the_table")
        if self.last == (uid, row, col):
            return self._view(uid)
        if len(self.players) < len(TOKENS):
            raise Refused("Wait for another player", "no_opponent")
        if not (0 <= row <= 2 and 0 <= col <= 2):
            raise Refused("row and col are 0, 1 or 2", "out_of_range")
        self.grid.place(TOKENS[self.players.index(uid)], row + 1, col + 1)
        self.last = (uid, row, col)
        self._empty_after(ctx, ABSENT_S)
        return self._view(uid)

    @command
    def seen(self, ctx: Context) -> None:
        """The turn game: the player who did not make the last move has been told the end."""
        if self.grid.winner:
            self.told = True
            self._empty_after(ctx, CLEARED_S)

    @command(internal=True)
    def empty(self, ctx: Context) -> None:
        """The game is over, or somebody stayed away for long."""
        self.players, self.grid, self.last, self.told, self.timer = [], Grid(), ("", -1, -1), False, 0

    @query
    def table(self, ctx: Context) -> TableView:
        """The turn game: its board, and whose turn it is."""
        return self._view("")

    def _view(self, uid: str) -> TableView:
        token = TOKENS[self.players.index(uid)] if uid in self.players else ""
        winner = self.grid.winner if self.grid.winner != DRAW else ""
        rows = [self.grid.cells[i : i + 3] for i in (0, 3, 6)]
        alone, full = len(self.players) == 1, len(self.players) == len(TOKENS)
        return TableView(token, self.grid.turn or TOKENS[0], alone, full, rows, winner, self.grid.winner == DRAW)

    def _empty_after(self, ctx: Context, seconds: float) -> None:
        if self.timer:
            ctx.cancel(self.timer)
        self.timer = ctx.after(seconds, self.empty)
