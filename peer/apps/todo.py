"""To-do lists, one a person."""

import msgspec

from tanist.peer.application import Choice, Context, Event, Refused, Superseded, command, query
from tanist.peer.apps.checks import checked_text
from tanist.peer.apps.names import Named

TEXT_LENGTH_MAX = 200
"""Characters of a task."""
TASKS_MAX = 200
"""Tasks on one list: who has more should do some."""
LISTS_MAX = 1000
"""Lists kept: one for each who ever added a task."""


class Task(msgspec.Struct):
    """One task; `index` is its place in the log, by which it is known again after a split."""

    number: int
    text: str
    index: int
    done: bool = False


class Item(msgspec.Struct, frozen=True):
    """A task as it is listed."""

    number: int
    text: str
    done: bool

    def __str__(self) -> str:
        return f"{self.number} [{'x' if self.done else ' '}] {self.text}"


class List(msgspec.Struct):
    """A person's tasks by number, and the last number that was given."""

    tasks: dict[int, Task]
    last: int = 0


class Changed(Event):
    """A list was changed by another connection of its owner."""

    template = "{what}: {text}"
    what: str
    number: int
    text: str


class Todo(Named):
    """To-do lists, one a person: whoever logs in by a name has that name's list, on any number of connections."""

    TAKE = "Log in first: LOGIN name"
    SHARED = True

    lists: dict[str, List]

    @command
    def login(self, ctx: Context, name: str) -> str:
        """Work on the list of this name from now on."""
        self.take(ctx, name)
        return "OK"

    @command
    def add(self, ctx: Context, text: str) -> int:
        """Add a task; its number."""
        user = self.caller(ctx)
        text = checked_text(text, TEXT_LENGTH_MAX)
        if user not in self.lists and len(self.lists) >= LISTS_MAX:
            raise Refused(f"{LISTS_MAX} people have lists: no more", "too_many_lists")
        if user in self.lists and len(self.lists[user].tasks) >= TASKS_MAX:
            raise Refused(f"A list has at most {TASKS_MAX} tasks", "full")
        mine = self.lists.setdefault(user, List({}))
        mine.last += 1
        task = mine.tasks[mine.last] = Task(mine.last, text, ctx.index)
        self._tell(ctx, user, "Added", task)
        return task.number

    @query
    def list_(self, ctx: Context) -> list[Item]:
        """Your tasks."""
        mine = self.lists.get(self.caller(ctx), List({}))
        return [Item(task.number, task.text, task.done) for task in mine.tasks.values()]

    @command
    def done(self, ctx: Context, id: int) -> str:
        """Tick a task off."""
        user, task = self._task(ctx, id)
        task.done = True
        self._tell(ctx, user, "Done", task)
        return "OK"

    @command
    def del_(self, ctx: Context, id: int) -> str:
        """Take a task off the list."""
        user, task = self._task(ctx, id)
        del self.lists[user].tasks[id]
        self._tell(ctx, user, "Deleted", task)
        return "OK"

    def healed(self, ctx: Context, lost: Superseded) -> Choice:
        """What was added on the other side is added here; what names a task counts if both sides mean the same one."""
        choice = super().healed(ctx, lost)
        if lost.command in ("done", "del") and ctx.session.id in self.names:
            task = self.lists.get(self.names[ctx.session.id], List({})).tasks.get(lost.arguments["id"])
            return choice if task is not None and task.index <= lost.fork else "archive"
        return choice

    def _task(self, ctx: Context, number: int) -> tuple[str, Task]:
        user = self.caller(ctx)
        task = self.lists[user].tasks.get(number) if user in self.lists else None
        if task is None:
            raise Refused(f"Your list has no task {number}", "unknown_task")
        return user, task

    def _tell(self, ctx: Context, user: str, what: str, task: Task) -> None:
        others = [session for session, name in self.names.items() if name == user and session != ctx.session.id]
        if others:
            ctx.publish(Changed(what, task.number, f"{task.number} {task.text}"), to=others)
