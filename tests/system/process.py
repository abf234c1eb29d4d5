"""A verb of the command line, run to its end."""

import asyncio
import sys
from pathlib import Path

from tanist.peer.drills.launcher import die_with_parent, environment

TANIST = (sys.executable, "-m", "tanist.peer.cli")
"""The command, run by the interpreter that runs the tests."""


async def tanist(*words: str, folder: Path, deadline_s: float = 30.0) -> tuple[int, str, str]:
    """Run a verb to its end; gives exit status, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        *TANIST,
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(folder),
        cwd=folder,
        preexec_fn=die_with_parent,
    )
    try:
        async with asyncio.timeout(deadline_s):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
