"""Fixtures of many tests, and a time limit for each test.

Tests use real programs. If a program is missing, the tests that need it fail with the command that installs
the program.

A test that hangs is interrupted like by Ctrl-C: asyncio then cancels the running task, so the failure shows
where the test waited, and the next test can use the same event loop. pytest-timeout was tried. It raises in
the code that the loop happens to run, so the traceback ends in `select`; if another task is running, the test
still hangs. A fixture that hangs, or a test that cannot be interrupted, ends the whole run:
`faulthandler_timeout` in pyproject.toml.
"""

from __future__ import annotations

import faulthandler
import signal
import threading
from collections.abc import Generator, Iterator

import pytest

from .supabase_stack import MissingProgram, Stack

TEST_TIMEOUT = 180.0
"""Seconds for one test without its fixtures. The slowest test takes about twenty seconds."""

REPEAT_INTERVAL = 10.0
"""Seconds between two interruptions of a test that still hangs."""


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """One Supabase for the whole run. A test that writes to the database calls `stack.truncate()` first."""
    try:
        running = Stack()
        running.start()
    except MissingProgram as error:
        pytest.fail(str(error), pytrace=False)
    yield running
    running.stop()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    hung = threading.Event()

    def interrupt(*_: object) -> None:
        hung.set()
        faulthandler.dump_traceback(file=2)
        signal.raise_signal(signal.SIGINT)

    # A shell's background job ignores SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, TEST_TIMEOUT, REPEAT_INTERVAL)
    try:
        return (yield)
    finally:
        _stop_timer()
        if hung.is_set():
            pytest.fail(f"The test hung for {TEST_TIMEOUT:g} seconds.")


def pytest_enter_pdb() -> None:
    _stop_timer()


def _stop_timer() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
