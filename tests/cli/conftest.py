"""A simulator, and a terminal whose settings point at it: on SQLite, or on the Supabase stack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.houses import Simulator, running_simulator
from tests.stack import Stack

from .shell import Shell, environment


@pytest.fixture
async def tiktok() -> AsyncIterator[Simulator]:
    async with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def shell(tiktok: Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, environment(tiktok), capsys)


@pytest.fixture
def on_supabase(shell: Shell, stack: Stack) -> Shell:
    stack.truncate()
    shell.environment |= stack.environment()
    return shell
