"""What is counted, in a registry of its own. Labels are words of ours: never an id, never an address."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .model import Attempt
from .store import Census

REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30)
ATTEMPT_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)


class Metrics:
    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "connector_request_seconds",
            "Requests answered, by address, and how long they took.",
            ("method", "resource", "status"),
            buckets=REQUEST_SECONDS,
            registry=self._registry,
        )
        self._attempts = Counter(
            "connector_attempts",
            "What was tried with TikTok, and how it ended.",
            ("family", "what", "verdict"),
            registry=self._registry,
        )
        self._attempt_seconds = Histogram(
            "connector_attempt_seconds",
            "How long what was tried with TikTok took.",
            ("family", "what"),
            buckets=ATTEMPT_SECONDS,
            registry=self._registry,
        )
        self._connections = Gauge(
            "connector_connections",
            "Connections in the store, at most half a minute ago.",
            ("family", "status"),
            registry=self._registry,
        )
        self._held = Gauge(
            "connector_journal_held",
            "Answers of TikTok's that the store does not have yet.",
            registry=self._registry,
        )
        self._trouble = Gauge(
            "connector_journal_trouble",
            "1 while the journal's disk refuses us.",
            registry=self._registry,
        )
        self._series: dict[tuple[str, str, int], Histogram] = {}

    def attempted(self, family: str, attempt: Attempt) -> None:
        self._attempts.labels(family, attempt.what, attempt.verdict).inc()
        self._attempt_seconds.labels(family, attempt.what).observe(attempt.took_ms / 1000)

    def answered(self, method: str, resource: str, status: int, seconds: float) -> None:
        """On the way of every request, so a series once made is kept at hand."""
        key = (method, resource, status)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._requests.labels(method, resource, str(status))
        series.observe(seconds)

    def counted(self, census: Iterable[Census]) -> None:
        self._connections.clear()
        for line in census:
            self._connections.labels(line.family, line.status).set(line.times)

    def journal(self, *, held: int, in_trouble: bool) -> None:
        self._held.set(held)
        self._trouble.set(in_trouble)

    def text(self) -> bytes:
        return generate_latest(self._registry)
