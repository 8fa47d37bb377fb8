"""The endpoints for health, readiness and metrics."""

from __future__ import annotations

from collections import Counter

from aiohttp import web

from connector.errors import ConnectorError, OnHold
from connector.service_warnings import WARNING_KINDS, WarningKind

from .app_keys import HTTP_SETTINGS, SERVICES
from .schemas import HealthResponse, ReadinessResponse, ReadinessWarning

MISSING_KEY = (
    "Another replica encrypts with a key that this replica lacks, so this replica cannot use some tokens. "
    "`connector check` names the key: add it to CONNECTOR_ENCRYPTION_KEYS and restart."
)
JOURNAL_ORPHANS = (
    "The journal folder contains files of dead processes that could not be adopted. The log names each "
    "file and the reason."
)


async def healthz(request: web.Request) -> HealthResponse:
    """Check that the process runs."""
    return HealthResponse(status="ok")


async def readyz(request: web.Request) -> ReadinessResponse:
    """Check that the database responds and has the right schema, and that the journal is writable.

    The service is ready in spite of warnings. They are at most 30 seconds old.
    """
    services = request.app[SERVICES]
    await services.store.require_schema()
    if services.journal.write_error is not None:
        # An idle process writes nothing else, so this attempt notices that the disk has space again.
        async with services.journal.reserve():
            pass
    return ReadinessResponse(status="ready", warnings=_warnings(request))


def _warnings(request: web.Request) -> list[ReadinessWarning]:
    services = request.app[SERVICES]
    problems: tuple[tuple[bool, WarningKind, str], ...] = (
        (request.app[HTTP_SETTINGS].hold, "hold", OnHold.MESSAGE),
        (services.cipher.has_missed_key, "encryption_keys", MISSING_KEY),
        (services.journal.orphan_count > 0, "journal_orphans", JOURNAL_ORPHANS),
    )
    found = [(kind, message) for is_present, kind, message in problems if is_present]
    found += [(warning.kind, str(warning)) for warning in services.warnings.current]
    return [ReadinessWarning(kind=kind, message=message) for kind, message in found]


async def get_metrics(request: web.Request) -> web.Response:
    """Get the metrics, for Prometheus."""
    services = request.app[SERVICES]
    metrics, journal = services.metrics, services.journal
    try:
        metrics.set_connection_counts(await services.statistics.connection_counts())
        metrics.set_last_webhooks(await services.store.list_webhook_apps())
        metrics.set_pending_deliveries(await services.events.endpoints.count_pending())
    except ConnectorError:
        # While the database is unreachable, the other metrics matter most.
        metrics.set_connection_counts(())
    metrics.set_journal_state(
        entry_count=journal.entry_count,
        orphan_count=journal.orphan_count,
        write_failing=journal.write_error is not None,
    )
    counts = Counter(warning.kind for warning in _warnings(request))
    metrics.set_warning_counts({kind: counts[kind] for kind in WARNING_KINDS})
    return web.Response(
        body=metrics.render(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    )
