"""Collects the Prometheus metrics of one service in their own registry.

Label values are fixed words, such as a route pattern or an error code: never an id or a requested path,
because each value creates a time series.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .model import Attempt
from .store import ConnectionCount, DeliveryResult, WebhookApp

REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30)
DELIVERY_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)
TOKEN_OPERATION_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)

DELIVERY_RESULTS = {"delivered": "delivered", "pending": "failed", "exhausted": "exhausted"}
"""The value of the label `result` for each state of a delivery after an attempt."""


class Metrics:
    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "connector_http_request_duration_seconds",
            "Duration of HTTP requests to this service.",
            ("route", "method", "status"),
            buckets=REQUEST_BUCKETS,
            registry=self._registry,
        )
        self._token_operations = Counter(
            "connector_token_operations_total",
            "Token operations at TikTok. The result is ok or an error code.",
            ("family", "operation", "result"),
            registry=self._registry,
        )
        self._token_operation_durations = Histogram(
            "connector_token_operation_duration_seconds",
            "Duration of token operations at TikTok.",
            ("family", "operation"),
            buckets=TOKEN_OPERATION_BUCKETS,
            registry=self._registry,
        )
        self._connections = Gauge(
            "connector_connections",
            "Connections in the database, counted within the last 30 seconds.",
            ("family", "status"),
            registry=self._registry,
        )
        self._journal_entries = Gauge(
            "connector_journal_entries",
            "Journal entries: claims of authorization codes, and responses from TikTok that are not "
            "in the database yet.",
            registry=self._registry,
        )
        self._journal_orphans = Gauge(
            "connector_journal_orphans",
            "Journal files of dead processes that this process could not adopt, for example damaged files.",
            registry=self._registry,
        )
        self._journal_write_failing = Gauge(
            "connector_journal_write_failing",
            "1 if the last write to the journal failed, otherwise 0.",
            registry=self._registry,
        )
        self._audit_entries_dropped = Counter(
            "connector_audit_entries_dropped_total",
            "Audit entries that were lost because the database did not accept them.",
            registry=self._registry,
        )
        self._limited_requests = Counter(
            "connector_limited_requests_total",
            "Requests refused after wrong credentials (credential, peer) or rejected codes "
            "(code_state, code_user, code_peer).",
            ("limit",),
            registry=self._registry,
        )
        self._webhooks = Counter(
            "connector_webhooks_total",
            "Webhooks from TikTok. The outcome is duplicate, connection_ended, check_scheduled, stored, "
            "unreadable, refused or failed.",
            ("event", "outcome"),
            registry=self._registry,
        )
        self._last_webhooks = Gauge(
            "connector_last_webhook_timestamp_seconds",
            "When the last webhook from TikTok for this app was stored.",
            ("app",),
            registry=self._registry,
        )
        self._deliveries = Counter(
            "connector_deliveries_total",
            "Attempts to deliver an event: delivered, failed, or exhausted after the last attempt.",
            ("result",),
            registry=self._registry,
        )
        self._delivery_durations = Histogram(
            "connector_delivery_duration_seconds",
            "Duration of attempts to deliver an event.",
            buckets=DELIVERY_BUCKETS,
            registry=self._registry,
        )
        self._pending_deliveries = Gauge(
            "connector_deliveries_pending",
            "Deliveries that are not finished, counted within the last 30 seconds.",
            registry=self._registry,
        )
        self._disabled_endpoints = Counter(
            "connector_endpoints_disabled_total",
            "Endpoints that this process disabled, because they responded with 410, or every attempt failed for 5 days.",
            registry=self._registry,
        )
        self._last_event = Gauge(
            "connector_event_last_seq",
            "The number of the newest event.",
            registry=self._registry,
        )
        self._delivery_series = {
            state: self._deliveries.labels(result) for state, result in DELIVERY_RESULTS.items()
        }
        self._warnings = Gauge(
            "connector_warnings",
            "Warnings in the response of /readyz.",
            ("kind",),
            registry=self._registry,
        )
        self._request_series: dict[tuple[str, str, int], Histogram] = {}

    def record_attempt(self, family: str, attempt: Attempt) -> None:
        self._token_operations.labels(family, attempt.operation, attempt.result).inc()
        duration = attempt.duration_ms / 1000
        self._token_operation_durations.labels(family, attempt.operation).observe(duration)

    def record_request(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Records one request. The labelled series are cached, because every request calls this method."""
        key = (route, method, status)
        series = self._request_series.get(key)
        if series is None:
            series = self._request_series[key] = self._requests.labels(route, method, str(status))
        series.observe(seconds)

    def record_limited_request(self, limit: str) -> None:
        self._limited_requests.labels(limit).inc()

    def record_webhook(self, event: str, outcome: str) -> None:
        self._webhooks.labels(event, outcome).inc()

    def record_dropped_audit_entries(self, number: int) -> None:
        self._audit_entries_dropped.inc(number)

    def record_delivery(self, result: DeliveryResult) -> None:
        self._delivery_series[result.state].inc()
        self._delivery_durations.observe(result.duration_ms / 1000)

    def set_pending_deliveries(self, number: int) -> None:
        self._pending_deliveries.set(number)

    def record_disabled_endpoint(self) -> None:
        self._disabled_endpoints.inc()

    def set_last_event(self, seq: int) -> None:
        self._last_event.set(seq)

    def set_connection_counts(self, counts: Iterable[ConnectionCount]) -> None:
        """Replaces all counts, so that a status without connections disappears."""
        self._connections.clear()
        for count in counts:
            self._connections.labels(count.family, count.status).set(count.count)

    def set_last_webhooks(self, apps: Iterable[WebhookApp]) -> None:
        for app in apps:
            self._last_webhooks.labels(app.app).set(app.last_webhook_at.timestamp())

    def set_journal_state(
        self, *, entry_count: int, orphan_count: int, write_failing: bool
    ) -> None:
        self._journal_entries.set(entry_count)
        self._journal_orphans.set(orphan_count)
        self._journal_write_failing.set(write_failing)

    def set_warning_counts(self, counts: Mapping[str, int]) -> None:
        self._warnings.clear()
        for kind, count in counts.items():
            self._warnings.labels(kind).set(count)

    def render(self) -> bytes:
        """Returns the metrics in the Prometheus text format."""
        return generate_latest(self._registry)
