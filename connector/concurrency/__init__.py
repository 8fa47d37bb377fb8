"""General tools for asyncio that do not depend on the service's data.

`SingleFlight` runs one task per key, which callers share. `Batcher` merges concurrent calls into one.
`AdaptiveLimit` limits the number of background tasks. `FailureLimit` counts failures by a key. `poll` repeats with
a growing pause. `sleep_until` sleeps until an event or for some seconds.
`scoped_task` runs a task that ends before its block ends.
"""

from __future__ import annotations

from .adaptive_limit import AdaptiveLimit
from .batcher import MAX_BATCH_SIZE, Batcher
from .failure_limit import FailureLimit, LimitObserver, LimitReporter, ignore_limit
from .polling import poll, sleep_until
from .single_flight import SingleFlight
from .task_scope import scoped_task

__all__ = [
    "MAX_BATCH_SIZE",
    "AdaptiveLimit",
    "Batcher",
    "FailureLimit",
    "LimitObserver",
    "LimitReporter",
    "SingleFlight",
    "ignore_limit",
    "poll",
    "scoped_task",
    "sleep_until",
]
