"""Runs the files that docs/webhooks.md contains, unchanged, in a folder of their own.

A program reports on its standard output that it is ready, and then prints one line for each event that it has handled.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.processes import kill_with_parent
from tests.supabase_stack import ROOT

GUIDE = (ROOT / "docs" / "webhooks.md").read_text()
BLOCK = re.compile(r"^```(?:python|js) title=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = dict(BLOCK.findall(GUIDE))


class Program:
    def __init__(self, process: Process) -> None:
        self._process = process

    async def read_line(self) -> str:
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().rstrip("\n")

    async def read_until(self, text: str) -> list[str]:
        """Returns the lines up to the first one that contains the text, and fails if the program ends before."""
        lines = [await self.read_line()]
        while text not in lines[-1]:
            assert lines[-1] or not self._process.stdout.at_eof(), await self._errors()  # type: ignore[union-attr]  # a pipe
            lines.append(await self.read_line())
        return lines

    async def _errors(self) -> str:
        assert self._process.stderr is not None
        return (await self._process.stderr.read()).decode()

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()


@asynccontextmanager
async def running_program(
    folder: Path, name: str, environment: Mapping[str, str]
) -> AsyncIterator[Program]:
    for file, text in FILES.items():
        (folder / file).write_text(text)
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(ROOT / "node_modules")
    interpreter = sys.executable if name.endswith(".py") else "node"
    process = await asyncio.create_subprocess_exec(
        *kill_with_parent(interpreter, name),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )
    program = Program(process)
    try:
        yield program
    finally:
        await program.kill()
