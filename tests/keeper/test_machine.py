"""A machine that does to a few connections whatever can be done to them, in any order.

Three workers, each with a journal of its own, on one SQLite file, and a TikTok that rotates strictly.
They read, tend, are stopped for longer than their lease, killed anywhere and started again; the
store fails before the work or after it; answers are lost on the wire; the person reconnects,
disconnects, or takes the grant back at TikTok. What must hold after each step is in `Play.check`,
what must hold once everybody is well again in `Play.finish`.

CONNECTOR_MACHINE_EXAMPLES=4000 tries at random for longer than the suite has time for.
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

from .play import CONNECTIONS, WORKERS, Play
from .scene import REFRESH, Fault

T = TypeVar("T")
EXAMPLES = int(os.environ.get("CONNECTOR_MACHINE_EXAMPLES", "0"))
STEPS = 60
LEAST = 5000

PERSON = ["reconnects", "reconnects", "takes it back at TikTok", "disconnects"]
UNWELL = [("drop_after_effect", None), ("status", 503), ("garbage", "html")]

worker = st.integers(0, WORKERS - 1)
connection = st.integers(0, CONNECTIONS - 1)
which, far = st.integers(0, 5), st.integers(0, 10)
operation = st.sampled_from(["save_outcomes", "claim_refresh", "claim_due", "*"])
fault = st.sampled_from(["before", "before", "after"])
seconds = st.sampled_from([1, 20, 61, 61, 1000, 5000, 7200])
counted: Counter[str] = Counter()


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._is_open = False
        self.play = Play()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(work)
        except BaseException as error:
            if self._is_open:
                error.add_note("\n".join(self.play.stage.story))
            self._is_open = False
            raise

    @initialize()
    def open(self) -> None:
        self.run(self.play.open())
        self._is_open = True

    @rule(of=connection, by=worker)
    def read(self, of: int, by: int) -> None:
        if by in self.play.workers:
            self.run(self.play.read(by, of))

    @rule(of=connection)
    def all_refresh(self, of: int) -> None:
        self.run(self.play.refresh_by_all(of))

    @rule()
    def all_tend(self) -> None:
        self.run(self.play.tend_by_all())

    @rule(of=connection, by=worker, what=st.sampled_from(PERSON))
    def the_person(self, of: int, by: int, what: str) -> None:
        if what == "reconnects":
            self.run(self.play.connect(of))
        elif what == "takes it back at TikTok":
            self.run(self.play.take_back(of))
        elif by in self.play.workers:
            self.run(self.play.disconnect(by, of))

    @rule(by=worker, which=which, far=far)
    def go_on(self, by: int, which: int, far: int) -> None:
        """One of them, a few points far."""
        self.run(self.play.go_on(by, which, far))

    @rule()
    def finish_what_can_be(self) -> None:
        self.run(self.play.stage.drain())

    @rule(by=worker, which=which, far=far)
    def stop(self, by: int, which: int, far: int) -> None:
        if by in self.play.workers:
            self.run(self.play.go_on(by, which, far))
            self.play.stage.stop(self.play.workers[by])

    @rule()
    def wake(self) -> None:
        self.play.wake_all()

    @rule(by=worker, which=which, far=far)
    def kill(self, by: int, which: int, far: int) -> None:
        if by in self.play.workers:
            self.run(self.play.go_on(by, which, far))
            self.run(self.play.kill(by))

    @rule()
    def start_again(self) -> None:
        self.run(self.play.start_all())

    @rule(seconds=seconds)
    def time_passes(self, seconds: int) -> None:
        self.run(self.play.let_pass(seconds))

    @rule(by=worker, what=operation, fault=fault)
    def the_store_fails(self, by: int, what: str, fault: Fault) -> None:
        if by in self.play.workers:
            self.play.workers[by].replica.database.fails[what] = fault

    @rule(of=connection, by=worker, fault=fault, far=far)
    def the_store_fails_a_refresh(self, of: int, by: int, fault: Fault, far: int) -> None:
        if by in self.play.workers:
            self.the_store_fails(by, "save_outcomes", fault)
            self.run(self.play.refresh(by, of))
            self.run(self.play.go_on(by, 0, far))

    @rule()
    def the_store_is_back(self) -> None:
        self.play.mend_all()

    @rule(kind=st.sampled_from(UNWELL))
    def tiktok_is_unwell(self, kind: tuple[str, object]) -> None:
        self.run(self.play.scene.simulator.fault(REFRESH, kind[0], kind[1]))

    @invariant()
    def the_rules_hold(self) -> None:
        if self._is_open:
            counted["steps"] += 1
            self.run(self.play.check())

    def teardown(self) -> None:
        try:
            if self._is_open:
                self.run(self.play.finish())
        finally:
            self.run(self.play.close())
            self._runner.close()
            counted.update(self.play.counted)


def test_whatever_happens_in_whatever_order_no_connection_is_lost() -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES or 150,
            stateful_step_count=STEPS,
            derandomize=not EXAMPLES,
            database=None,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
    assert counted["steps"] >= LEAST
    # Else it would prove less than it seems to.
    for happened in ("kills", "lost on the wire", "superseded", "dead_refresh_token_presented"):
        assert counted[happened], happened
