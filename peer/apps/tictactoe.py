"""Tic-tac-toe, in rooms."""

from tanist.peer.application import Context, Event, Refused, command, query
from tanist.peer.apps.checks import checked_name
from tanist.peer.apps.grid import DRAW, TOKENS, Board, Grid, Room
from tanist.peer.apps.table import Table

ROOMS_MAX = 1000
"""Rooms at a time."""


class Began(Event):
    """The room is full, the game begins."""

    template = "You are {you}, x begins"
    you: str


class Moved(Event):
    """Your opponent moved."""

    template = "{token} moves to {row} {col}"
    token: str
    row: int
    col: int


class Ended(Event):
    """Your opponent's move ended the game: `lose` or `draw`."""

    template = "{outcome}"
    outcome: str


class Left(Event):
    """Your opponent left before the end."""

    template = "Your opponent left"


class TicTacToe(Table, on_heal="archive"):
    """Tic-tac-toe in rooms: create one, somebody joins, and x begins. Rows and columns are 1 to 3.

    After a split no move of the other side is made here: it answered the board that its player saw there.
    """

    rooms: dict[str, Room]
    seats: dict[str, str]
    """Session to room."""

    @command
    def create(self, ctx: Context, room: str) -> str:
        """Open a room and wait for another; you will be x."""
        checked_name(room, "room")
        self._check_free(ctx)
        if room in self.rooms:
            raise Refused("There is such a room", "room_taken")
        if len(self.rooms) >= ROOMS_MAX:
            raise Refused(f"{ROOMS_MAX} rooms are open: no more", "too_many_rooms")
        self._leave(ctx)
        self.rooms[room] = Room([ctx.session.id], Grid())
        self.seats[ctx.session.id] = room
        return "OK"

    @command
    def join(self, ctx: Context, room: str = "") -> str:
        """Play in this room, or in the one that has waited longest; you will be o."""
        self._check_free(ctx)
        name = room or next(iter(self.waiting(ctx)), "")
        found = self.rooms.get(name)
        if found is None:
            raise Refused("There is no such room" if room else "No room waits for a player: create one", "no_room")
        if not found.waits:
            raise Refused("This room is full", "room_full")
        self._leave(ctx)
        found.players.append(ctx.session.id)
        self.seats[ctx.session.id] = name
        for token, player in zip(TOKENS, found.players, strict=True):
            ctx.publish(Began(token), to=player)
        return "OK"

    @command
    def move(self, ctx: Context, row: int, col: int) -> str:
        """Put your token into a cell: OK, or win or draw if that ends the game."""
        room, token = self._room(ctx)
        if room.waits:
            raise Refused("Wait for another player", "no_opponent")
        room.grid.place(token, row, col)
        other = room.players[room.players[0] == ctx.session.id]
        ctx.publish(Moved(token, row, col), to=other)
        if not room.grid.winner:
            return "OK"
        draw = room.grid.winner == DRAW
        ctx.publish(Ended("draw" if draw else "lose"), to=other)
        return "draw" if draw else "win"

    @query
    def board(self, ctx: Context) -> Board:
        """The board of your game, also after its end."""
        room, token = self._room(ctx)
        turn = "" if room.waits else room.grid.turn
        return Board(self.seats[ctx.session.id], token, room.grid.cells, turn, room.grid.winner)

    @query
    def waiting(self, ctx: Context) -> list[str]:
        """Rooms that wait for a player."""
        return [name for name, room in self.rooms.items() if room.waits]

    @command
    def leave(self, ctx: Context) -> str:
        """Leave your room: a game that is not over ends."""
        self._room(ctx)
        self._leave(ctx)
        return "OK"

    def closed(self, ctx: Context) -> None:
        """Somebody left altogether."""
        self._leave(ctx)

    def _room(self, ctx: Context) -> tuple[Room, str]:
        """The caller's room and token."""
        name = self.seats.get(ctx.session.id)
        if name is None:
            raise Refused("You are in no room: create or join one", "not_in_a_room")
        room = self.rooms[name]
        return room, TOKENS[room.players.index(ctx.session.id)]

    def _check_free(self, ctx: Context) -> None:
        """Refuses one who is in a game that is not over."""
        name = self.seats.get(ctx.session.id)
        if name is not None and not self.rooms[name].grid.winner:
            raise Refused("You are in a room: leave it first", "in_a_room")

    def _leave(self, ctx: Context) -> None:
        """Out of the room, if in one: a game that is not over ends for both, the board of one that is stays."""
        me = ctx.session.id
        name = self.seats.pop(me, None)
        if name is None:
            return
        room = self.rooms[name]
        others = [player for player in room.players if self.seats.get(player) == name]
        if others and room.grid.winner:
            return
        for player in others:
            del self.seats[player]
            ctx.publish(Left(), to=player)
        del self.rooms[name]
