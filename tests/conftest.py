"""What many tests stand on. Real parts only; a missing one is a failure that says what to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .stack import Missing, Stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """One Supabase for the whole run; whoever writes to it calls `stack.truncate()` first."""
    try:
        running = Stack()
        running.start()
    except Missing as missing:
        pytest.fail(str(missing), pytrace=False)
    yield running
    running.stop()
