"""Applications as the guests of one virtual life: their machines, what clients ask of them, and the looking back."""

from collections.abc import Sequence
from random import Random

import msgspec

from tanist.election.entries import Command, Kind, Proposal
from tanist.election.linearizability.check import Verdict, check
from tanist.election.linearizability.models import Kv
from tanist.election.linearizability.report import lines
from tanist.election.sessions import SESSION_CODES
from tanist.election.settings import Safety
from tanist.election.simulation.broken import Broken
from tanist.election.simulation.machine import Machine, Seen
from tanist.peer.application.replies import ErrorReply, ResultReply
from tanist.peer.simulate.arguments import Commands
from tanist.peer.simulate.kv_history import APP, MODELLED, kv_history
from tanist.peer.simulate.loading import Applications
from tanist.peer.simulate.machines import ApplicationMachine
from tanist.peer.simulate.mirror import Mirror
from tanist.peer.simulate.referee import Referee

LINEARIZE_STEPS_MAX = 1_000_000
"""Steps that the check of one history may take: thousands of times what the history of a life needs."""

_encode = msgspec.msgpack.Encoder().encode
_decode_reply = msgspec.msgpack.Decoder(ResultReply | ErrorReply).decode
_decode_query = msgspec.msgpack.Decoder(tuple[str, str, bytes]).decode


class ApplicationGuest:
    """The applications in one life. `checked` counts the operations that were held against a model.

    Every second `seed` keeps `kv` to the commands that its model knows, so that whole histories are checked.
    """

    def __init__(self, applications: Applications, mirror: Mirror, seed: int = 0) -> None:
        self._applications = applications
        self._commands = Commands(applications.classes, only={APP: MODELLED} if seed % 2 == 0 else {})
        self._mirror = mirror
        self.referee = Referee()
        self.checked = 0

    def machine(self, name: str) -> ApplicationMachine:
        """The machine of a process that begins now."""
        return ApplicationMachine(name, self._applications.make(), self.referee)

    def command(self, rng: Random, session: str, sequence: int) -> bytes:
        """The body of a random command."""
        app, name, arguments = self._commands.draw(rng)
        return _encode(Command(session, sequence, sequence, app, name, msgspec.Raw(arguments)))

    def query(self, rng: Random) -> bytes:
        """A random query; empty where the applications have none."""
        drawn = self._commands.draw_query(rng)
        return b"" if drawn is None else _encode(drawn)

    def look(self, machine: Machine, query: bytes) -> bytes:
        """The answer to a query. A refusal is one; an exception is the application's bug. Raises Broken."""
        assert isinstance(machine, ApplicationMachine)
        return machine.query(*_decode_query(query))

    def was_done(self, reply: bytes) -> bool:
        """Whether the session was open, so that the reply tells of the command."""
        decoded = _decode_reply(reply)
        return isinstance(decoded, ResultReply) or decoded.code not in SESSION_CODES

    def due(self, machine: Machine, now_ns: int) -> Sequence[Proposal]:
        """Timers that are due."""
        assert isinstance(machine, ApplicationMachine)
        return [Proposal(Kind.TIMER, _encode(due)) for due in machine.machine.due_timers(now_ns)]

    def look_back(self, history: Sequence[Seen], safety: Safety) -> None:
        """The same log in a process elsewhere; and what clients of `kv` saw in quorum mode, against its model."""
        self._mirror.look(self.referee)
        if safety is Safety.QUORUM:
            operations = kv_history(history)
            self.checked += len(operations)
            report = check(Kv(), operations, steps_max=LINEARIZE_STEPS_MAX)
            if report.verdict is not Verdict.OK:
                raise Broken("linearizable", "\n".join(lines(report)))
