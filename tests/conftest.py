"""What many tests stand on. Real parts only; a missing one is a failure that says what to do.

A test that hangs is interrupted as by Ctrl-C, which asyncio answers by cancelling what it runs: the
failure shows where it waited, and the next test finds the loop unharmed. pytest-timeout was tried. It
raises inside whatever the loop is at, so the traceback ends in `select`, and if that is another task the
test goes on hanging. What cannot be interrupted, or hangs in a fixture, ends the whole run:
`faulthandler_timeout` in pyproject.toml.
"""

from __future__ import annotations

import faulthandler
import signal
import threading
from collections.abc import Generator, Iterator

import pytest

from .stack import Missing, Stack

LONGEST = 180.0
"""Seconds for one test without its fixtures; the longest takes some twenty."""

INSISTING = 10.0
"""Between one interruption and the next, which leaves no more time to clean up."""


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


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    hung = threading.Event()

    def interrupt(*_: object) -> None:
        hung.set()
        faulthandler.dump_traceback(file=2)
        signal.raise_signal(signal.SIGINT)

    # A run that was sent to the background would be deaf to it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, LONGEST, INSISTING)
    try:
        return (yield)
    finally:
        _be_patient()
        if hung.is_set():
            pytest.fail(f"It hung: {LONGEST:g} seconds were not enough.")


def pytest_enter_pdb() -> None:
    _be_patient()


def _be_patient() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
