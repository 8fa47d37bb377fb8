"""Every event that can happen to a few connections happens in any order.

Three workers, each with a journal of its own, share one SQLite file, and TikTok rotates strictly. The
workers read, run background batches, are stopped for longer than their lease, killed anywhere and
started again; the store fails before the work or after it; responses are lost in transit; the person
reconnects, disconnects, or revokes the grant at TikTok. `Interleaving.check` has the rules that must
hold after each step, `Interleaving.finish` the rules that must hold when all workers run again.

`make drill` tries more random orders than the suite has time for: CONNECTOR_MACHINE_EXAMPLES is their number.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from .harness import REFRESH_PATH, Fault
from .interleavings import CONNECTIONS, WORKERS, Interleaving

T = TypeVar("T")
EXAMPLES = int(os.environ.get("CONNECTOR_MACHINE_EXAMPLES", "0"))
STEPS = 60
MIN_STEPS = 2500

PERSON_ACTIONS = ["reconnect", "reconnect", "revoke at TikTok", "disconnect"]
TIKTOK_FAULTS = [("drop_after_effect", None), ("status", 503), ("garbage", "html")]

workers = st.integers(0, WORKERS - 1)
connections = st.integers(0, CONNECTIONS - 1)
choices, step_counts = st.integers(0, 5), st.integers(0, 10)
operations = st.sampled_from(
    ["apply_outcomes", "acquire_refresh_lease", "lease_due_connections", "*"]
)
faults = st.sampled_from(["before", "before", "after"])
durations = st.sampled_from([1, 20, 61, 61, 1000, 5000, 7200])
counts: Counter[str] = Counter()


class TokenMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._is_open = False
        self.interleaving = Interleaving()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(work)
        except BaseException as error:
            if self._is_open:
                error.add_note("\n".join(self.interleaving.breakpoints.history))
            self._is_open = False
            raise

    @initialize()
    def open(self) -> None:
        self.run(self.interleaving.open())
        self._is_open = True

    @rule(connection=connections, worker=workers)
    def read(self, connection: int, worker: int) -> None:
        if worker in self.interleaving.workers:
            self.run(self.interleaving.read(worker, connection))

    @rule(connection=connections)
    def refresh_in_all_workers(self, connection: int) -> None:
        self.run(self.interleaving.refresh_in_all(connection))

    @rule()
    def run_batch_in_all_workers(self) -> None:
        self.run(self.interleaving.run_batch_in_all())

    @rule(connection=connections, worker=workers, action=st.sampled_from(PERSON_ACTIONS))
    def act_as_person(self, connection: int, worker: int, action: str) -> None:
        if action == "reconnect":
            self.run(self.interleaving.connect(connection))
        elif action == "revoke at TikTok":
            self.run(self.interleaving.revoke_at_tiktok(connection))
        elif worker in self.interleaving.workers:
            self.run(self.interleaving.disconnect(worker, connection))

    @rule(worker=workers, choice=choices, steps=step_counts)
    def advance_worker(self, worker: int, choice: int, steps: int) -> None:
        self.run(self.interleaving.advance_worker(worker, choice=choice, steps=steps))

    @rule()
    def release_all_breakpoints(self) -> None:
        self.run(self.interleaving.breakpoints.release_all())

    @rule(worker=workers, choice=choices, steps=step_counts)
    def stop_worker(self, worker: int, choice: int, steps: int) -> None:
        if worker in self.interleaving.workers:
            self.advance_worker(worker, choice, steps)
            self.interleaving.breakpoints.stop(self.interleaving.workers[worker])

    @rule()
    def resume_all_workers(self) -> None:
        self.interleaving.resume_all()

    @rule(worker=workers, choice=choices, steps=step_counts)
    def kill_worker(self, worker: int, choice: int, steps: int) -> None:
        if worker in self.interleaving.workers:
            self.advance_worker(worker, choice, steps)
            self.run(self.interleaving.kill(worker))

    @rule()
    def start_missing_workers(self) -> None:
        self.run(self.interleaving.start_missing_workers())

    @rule(seconds=durations)
    def pass_time(self, seconds: int) -> None:
        self.run(self.interleaving.pass_time(seconds))

    @rule(worker=workers, operation=operations, fault=faults)
    def start_store_fault(self, worker: int, operation: str, fault: Fault) -> None:
        if worker in self.interleaving.workers:
            self.interleaving.workers[worker].replica.database.faults[operation] = fault

    @rule(connection=connections, worker=workers, fault=faults, steps=step_counts)
    def refresh_with_store_fault(
        self, connection: int, worker: int, fault: Fault, steps: int
    ) -> None:
        if worker in self.interleaving.workers:
            self.start_store_fault(worker, "apply_outcomes", fault)
            self.run(self.interleaving.refresh(worker, connection))
            self.advance_worker(worker, 0, steps)

    @rule()
    def end_store_faults(self) -> None:
        self.interleaving.end_store_faults()

    @rule(fault=st.sampled_from(TIKTOK_FAULTS))
    def start_tiktok_fault(self, fault: tuple[str, object]) -> None:
        kind, value = fault
        self.run(self.interleaving.harness.simulator.fault(REFRESH_PATH, kind, value))

    @invariant()
    def all_rules_hold(self) -> None:
        if self._is_open:
            counts["steps"] += 1
            self.run(self.interleaving.check())

    def teardown(self) -> None:
        try:
            if self._is_open:
                self.run(self.interleaving.finish())
        finally:
            self.run(self.interleaving.close())
            self._runner.close()
            counts.update(self.interleaving.counts)


def test_no_order_of_events_loses_a_connection() -> None:
    run_state_machine_as_test(
        TokenMachine,
        settings=settings(
            max_examples=EXAMPLES or 45,
            stateful_step_count=STEPS,
            derandomize=not EXAMPLES,
            database=None,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
    assert counts["steps"] >= MIN_STEPS
    # The events must all have happened, or the test would prove less than its name says.
    for event in ("kills", "lost grants", "superseded", "dead_refresh_token_presented"):
        assert counts[event], event
