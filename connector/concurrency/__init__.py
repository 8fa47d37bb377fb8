"""Building blocks for asyncio, free of any knowledge of the service's data.

`SingleFlight`: one task per key, shared by callers. `Batcher`: concurrent calls merged into one.
`AdaptiveLimit`: how many background tasks may run. `poll`: repeat with a growing pause.
`scoped_task`: a task that never outlives its block.
"""

from __future__ import annotations

from .adaptive_limit import AdaptiveLimit
from .batcher import MAX_BATCH_SIZE, Batcher
from .polling import poll
from .single_flight import SingleFlight
from .task_scope import scoped_task

__all__ = ["MAX_BATCH_SIZE", "AdaptiveLimit", "Batcher", "SingleFlight", "poll", "scoped_task"]
