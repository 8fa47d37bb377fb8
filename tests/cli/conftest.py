"""A simulator, and commands whose settings point at it: on SQLite or on the Supabase stack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.running_service import Simulator, running_simulator
from tests.supabase_stack import Stack

from .runner import CommandRunner, environment


@pytest.fixture
async def tiktok() -> AsyncIterator[Simulator]:
    async with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def cli(tiktok: Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandRunner:
    return CommandRunner(tmp_path, environment(tiktok), capsys)


@pytest.fixture
def cli_on_supabase(cli: CommandRunner, stack: Stack) -> CommandRunner:
    stack.truncate()
    cli.environment |= stack.environment()
    return cli
