"""The newest consent wins in every order of events: `grant_machine.py` has the events and the rules.

`make drill` tries more random orders: CONNECTOR_MACHINE_EXAMPLES is their number.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from connector.store import Database
from connector.store.sqlite import SQLite
from tests.supabase_stack import Stack

from .conftest import postgres
from .grant_machine import GrantMachine

EXAMPLES = int(os.environ.get("CONNECTOR_MACHINE_EXAMPLES", "0"))


def check(database: Callable[[Path], Database], reset: Callable[[], None], examples: int) -> None:
    class Machine(GrantMachine):
        pass

    Machine.database, Machine.reset = staticmethod(database), staticmethod(reset)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES or examples,
            stateful_step_count=40,
            deadline=None,
            derandomize=not EXAMPLES,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_order_of_events_on_sqlite() -> None:
    check(SQLite, lambda: None, 40)


def test_any_order_of_events_on_postgres(stack: Stack) -> None:
    check(lambda _: postgres(stack), stack.truncate, 15)
