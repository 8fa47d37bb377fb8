"""The work that every process repeats: pending grants, and the cleanup of old rows."""

from __future__ import annotations

import logging

from connector.clock import Clock
from connector.errors import ConnectorError
from connector.oauth import CodeExchange

from .cleanup import CleanupJob

log = logging.getLogger(__name__)

PERIODIC_WORK_SECONDS = 5.0


async def run_periodic_work(code_exchange: CodeExchange, cleanup: CleanupJob, clock: Clock) -> None:
    """Runs until it is cancelled. An error in a round does not end the loop."""
    while True:
        try:
            await code_exchange.retry_pending()
            await cleanup.run_once()
        except ConnectorError as error:
            log.warning("periodic work postponed error=%s", error.code)
        except Exception:
            log.exception("unexpected error in periodic work")
        await clock.sleep(PERIODIC_WORK_SECONDS)
