"""Measures an operation at TikTok and describes it as an `Attempt`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .clock import Clock
from .errors import ConnectorError, TikTokError
from .model import Attempt, Operation

AttemptObserver = Callable[[str, Attempt], None]
"""Called with the family and the attempt, to count attempts."""


def ignore_attempt(_family: str, _attempt: Attempt) -> None:
    pass


@dataclass(frozen=True)
class AttemptTimer:
    """Measures one operation. `start` is called before the operation, and `finish` returns the attempt."""

    operation: Operation
    actor: str
    clock: Clock
    started: float

    @classmethod
    def start(cls, operation: Operation, *, actor: str, clock: Clock) -> AttemptTimer:
        return cls(operation, actor, clock, clock.ticks())

    def finish(self, error: ConnectorError | None = None, *, message: str = "") -> Attempt:
        """Returns the attempt. A `message` replaces the message of the error."""
        upstream = error.upstream if isinstance(error, TikTokError) else None
        return Attempt(
            at=self.clock.now(),
            operation=self.operation,
            actor=self.actor,
            result=error.code if error else "ok",
            tiktok_code=str(upstream.code) if upstream and upstream.code is not None else None,
            message=message or (error.message if error else ""),
            request_id=upstream.request_id if upstream else None,
            duration_ms=round((self.clock.ticks() - self.started) * 1000),
        )
