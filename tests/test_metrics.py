"""What is counted, as Prometheus reads it."""

from __future__ import annotations

from connector.metrics import Metrics
from connector.model import Attempt
from connector.store import Census

from .clocks import NOON


def attempt(verdict: str) -> Attempt:
    return Attempt(at=NOON, what="refresh", who="keeper", verdict=verdict, took_ms=1500)


def lines(metrics: Metrics) -> set[str]:
    return set(metrics.text().decode().splitlines())


def test_attempts_are_counted_by_how_they_ended() -> None:
    metrics = Metrics()
    for verdict in ("ok", "ok", "slow_down"):
        metrics.attempted("login_kit", attempt(verdict))
    labels = 'family="login_kit",verdict="{}",what="refresh"'
    assert lines(metrics) >= {
        f"connector_attempts_total{{{labels.format('ok')}}} 2.0",
        f"connector_attempts_total{{{labels.format('slow_down')}}} 1.0",
        'connector_attempt_seconds_sum{family="login_kit",what="refresh"} 4.5',
    }


def test_a_status_nobody_is_in_any_more_is_not_told_from_memory() -> None:
    metrics = Metrics()
    metrics.counted([Census(family="marketing", status="refresh_failing", times=3)])
    metrics.counted([Census(family="marketing", status="active", times=3)])
    assert 'connector_connections{family="marketing",status="active"} 3.0' in lines(metrics)
    assert "refresh_failing" not in metrics.text().decode()


def test_every_house_counts_for_itself() -> None:
    one, another = Metrics(), Metrics()
    one.answered("GET", "/token", 200, 0.002)
    labels = 'method="GET",resource="/token",status="200"'
    assert f"connector_request_seconds_count{{{labels}}} 1.0" in lines(one)
    assert "/token" not in another.text().decode()
