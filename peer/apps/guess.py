"""Guess the number."""

import msgspec

from tanist.peer.application import Application, Context, Refused, command

LOWEST, HIGHEST = 1, 100
"""The numbers to guess from."""


class Game(msgspec.Struct):
    """One player's game."""

    secret: int
    attempts: int = 0

    def __repr__(self) -> str:
        # Whatever prints a game, an error or a debugger's log, must not give the number away.
        return f"Game(attempts={self.attempts})"


class Guess(Application, on_heal="archive"):
    """Guess a number from 1 to 100: start, then guess; each player has a number of their own.

    The number comes from the log's own chance, so that every peer draws the same one and the game goes on when the
    server changes. It leaves the state only by being guessed. After a split nothing of the other side is played again:
    its answers were about another number.
    """

    games: dict[str, Game]
    """Session to game."""

    @command
    def start(self, ctx: Context) -> str:
        """Think of a new number."""
        self.games[ctx.session.id] = Game(ctx.random.randint(LOWEST, HIGHEST))
        return "OK"

    @command
    def guess(self, ctx: Context, n: int) -> str:
        """Try a number: it is higher, lower, or correct."""
        game = self.games.get(ctx.session.id)
        if game is None:
            raise Refused("Start a game first", "no_game")
        if not LOWEST <= n <= HIGHEST:
            raise Refused(f"The number is from {LOWEST} to {HIGHEST}", "out_of_range")
        game.attempts += 1
        if n != game.secret:
            return "higher" if n < game.secret else "lower"
        del self.games[ctx.session.id]
        return f"correct in {game.attempts}"

    def closed(self, ctx: Context) -> None:
        """Somebody left, and gave up."""
        self.games.pop(ctx.session.id, None)
