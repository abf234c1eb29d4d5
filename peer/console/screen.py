"""The console on a terminal: a prompt that stays at the bottom, and above it answers, events and news."""

import asyncio
import contextlib
import textwrap
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.shortcuts import CompleteStyle

from tanist.peer.cli.output import COLOURS
from tanist.peer.console.above import Above
from tanist.peer.console.carrying import done_on_terminal
from tanist.peer.console.completing import Completing, hint
from tanist.peer.console.drawing import drawn
from tanist.peer.console.signatures import Argument, Signatures
from tanist.peer.console.typed import LINE_BYTES_MAX, read, to_ask, with_word
from tanist.peer.console.watching import Watching
from tanist.peer.electionlog.terminal import printable

if TYPE_CHECKING:
    from tanist.peer.console.remote import Remote

LINES_MAX = 1000
"""Lines that wait for their turn: a list that was pasted."""
ROWS_KEPT = 8
"""Rows of the terminal that what is watched leaves to the prompt, its menu, and what scrolls above it."""
END_S = 2.0
"""Seconds that an ending console waits for answers."""


class Screen:
    """Reads lines and shows what comes. It is the `Teller` of its `Remote`."""

    def __init__(self, session: PromptSession[str], above: Above, coloured: bool) -> None:
        self._session = session
        self._above = above
        self._coloured = coloured
        self._lines: asyncio.Queue[str] = asyncio.Queue(LINES_MAX)
        self._watching: Watching | None = None

    # What is shown

    def event(self, line: str) -> None:
        """Something happened in the application."""
        self._above.say(f"» {printable(line)}")
        if self._watching is not None:
            self._watching.look()

    def news(self, text: str) -> None:
        """Something about the connection or the cluster."""
        columns = self._session.output.get_size().columns
        self._above.say(*(self._paint(line, "warn") for line in textwrap.wrap(f"-- {printable(text)}", columns)))
        self._session.app.invalidate()

    def say(self, *lines: str) -> None:
        """Show lines."""
        self._above.say(*lines)

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if self._coloured else text

    # The loop

    async def run(self, remote: "Remote") -> None:
        """Read lines and have them done until QUIT or Ctrl-D."""
        signatures = remote.place.signatures
        self._session.completer = Completing(signatures)
        self._session.bottom_toolbar = lambda: self._below(remote, signatures)
        self._watching = Watching(remote.ask, self._session.app.invalidate)
        watch = asyncio.create_task(self._watching.run())
        tasks = [asyncio.create_task(self._above.show()), asyncio.create_task(self._work(remote, signatures)), watch]
        try:
            # Raw from begin to end: between two prompts nothing is echoed, and no key is lost.
            with self._session.input.raw_mode():
                await self._read_lines(signatures)
                watch.cancel()
                await self._wait_for_answers(remote)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self._above.flush()

    async def _read_lines(self, signatures: Signatures) -> None:
        while (text := await self._read(f"{signatures.name}> ")) is not None:
            # What is pasted may have several lines.
            for line in text.splitlines():
                if not await self._typed(line.strip(), signatures):
                    return

    async def _wait_for_answers(self, remote: "Remote") -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await self._lines.join()
        if unanswered := self._lines.qsize() + remote.waits:
            self.news(f"{unanswered} of your lines had no answer yet")

    async def _read(self, prompt: str) -> str | None:
        """A line, or None at the end."""
        while True:
            try:
                return await self._session.prompt_async(prompt, handle_sigint=False)
            except KeyboardInterrupt:
                continue
            except EOFError:
                return None

    async def _typed(self, line: str, signatures: Signatures) -> bool:
        """Take one line; False if it ends the console."""
        typed = read(signatures, line)
        match typed.word.upper():
            case "":
                return True
            case "QUIT":
                return False
            case "HELP":
                columns = self._session.output.get_size().columns
                self.say(*map(printable, signatures.help_lines(line[len("HELP") :].strip(), columns)))
                return True
            case "WATCH" if typed.operation is None:
                self._watch(line[len("WATCH") :].strip(), signatures)
                return True
        for argument in to_ask(typed):
            if (word := await self._secret(argument)) is None:
                self.say(self._paint("not sent", "soft"))
                return True
            line = with_word(line, word)
        if len(line.encode(errors="replace")) > LINE_BYTES_MAX:
            self.say(self._paint(f"a line has at most {LINE_BYTES_MAX} bytes: not sent", "bad"))
        elif self._lines.full():
            self.say(self._paint(f"{LINES_MAX} lines wait for their answers already: not sent", "bad"))
        else:
            self._lines.put_nowait(line)
        return True

    def _watch(self, line: str, signatures: Signatures) -> None:
        """Keep a query in sight."""
        operation = read(signatures, line).operation
        if line and operation not in signatures.queries:
            names = ", ".join(query.name.upper() for query in signatures.queries)
            self.say(self._paint(f"only queries can be watched: {names or 'there is none here'}", "bad"))
        elif len(line.encode(errors="replace")) > LINE_BYTES_MAX:
            self.say(self._paint(f"a line has at most {LINE_BYTES_MAX} bytes: not watched", "bad"))
        elif self._watching is not None:
            self._watching.turn_to(line)

    async def _secret(self, argument: Argument) -> str | None:
        asking: PromptSession[str] = PromptSession(input_processors=[_Unseen()])
        try:
            return await asking.prompt_async(f"{argument.name}: ", handle_sigint=False)
        except (KeyboardInterrupt, EOFError):
            return None

    async def _work(self, remote: "Remote", signatures: Signatures) -> None:
        """Have the lines done, in order."""
        while True:
            line = await self._lines.get()
            answer = await done_on_terminal(remote, line)
            operation = read(signatures, line).operation
            columns = self._session.output.get_size().columns
            self.say(*drawn(operation, answer, self._paint, self._coloured, columns))
            self._lines.task_done()
            self._session.app.invalidate()
            if self._watching is not None:
                self._watching.look()

    def _below(self, remote: "Remote", signatures: Signatures) -> FormattedText:
        """The line at the bottom: what the line is to look like, and where the console is."""
        where = f"at {printable(remote.place.name)}" if remote.reached else "not connected"
        if remote.reached:
            where += f", {printable(remote.server)} serves" if remote.server else ", nobody serves"
        if remote.waits:
            where += ", waiting for an answer"
        text = printable(hint(signatures, self._session.default_buffer.text))
        size = self._session.output.get_size()
        room = size.columns - len(where) - 3
        watched = self._watching.drawn(size.rows - ROWS_KEPT, size.columns) if self._watching is not None else []
        lines = [*watched, f"{text[: max(room, 0)]:{max(room, 0)}} · {where}"]
        return FormattedText([("", "\n".join(lines))])


class _Unseen(Processor):
    """Shows nothing of what is typed, not even how much."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """No text, and the cursor at its begin."""
        return Transformation([], source_to_display=lambda at: 0, display_to_source=lambda at: 0)


def make_session(history: History) -> PromptSession[str]:
    """A prompt in which Ctrl-C clears the line."""
    bindings = KeyBindings()

    @bindings.add("c-c")
    def _clear(event: KeyPressEvent) -> None:
        event.current_buffer.reset()

    return PromptSession(
        history=history,
        key_bindings=bindings,
        complete_while_typing=False,
        complete_style=CompleteStyle.MULTI_COLUMN,
        reserve_space_for_menu=4,
    )
