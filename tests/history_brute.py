"""The definition of linearizability, tried in every order: slow, and plainly right. For small histories."""

from collections.abc import Sequence

from tanist.election.linearizability.models import ANY, Model, State
from tanist.election.linearizability.operations import Operation, Outcome


def linearizable(model: Model, operations: Sequence[Operation]) -> bool:
    """Whether there is an order of all that were answered, and of any that are unknown, that the model allows."""
    return _one(model, [o for o in operations if o.outcome is not Outcome.FAIL], model.initial())


def _one(model: Model, left: list[Operation], state: State) -> bool:
    if all(o.outcome is Outcome.UNKNOWN for o in left):
        return True
    for operation in left:
        # It may come first if nothing else was over before it began.
        if any(other.ended < operation.began for other in left):
            continue
        after, answer = model.apply(state, operation)
        if operation.outcome is Outcome.OK and answer is not ANY and answer != operation.result:
            continue
        if _one(model, [o for o in left if o is not operation], after):
            return True
    return False
