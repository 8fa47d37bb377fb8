"""The metrics in the text format that Prometheus reads."""

from __future__ import annotations

from connector.metrics import Metrics
from connector.model import Attempt
from connector.store import ConnectionCount, DeliveryResult

from .manual_clock import NOON


def attempt(result: str) -> Attempt:
    return Attempt(
        at=NOON, operation="refresh", actor="background", result=result, duration_ms=1500
    )


def lines(metrics: Metrics) -> set[str]:
    return set(metrics.render().decode().splitlines())


def test_token_operations_are_counted_by_result_and_their_durations_are_summed() -> None:
    metrics = Metrics()
    for result in ("ok", "ok", "slow_down"):
        metrics.record_attempt("login_kit", attempt(result))
    labels = 'family="login_kit",operation="refresh"'
    assert lines(metrics) >= {
        f'connector_token_operations_total{{{labels},result="ok"}} 2.0',
        f'connector_token_operations_total{{{labels},result="slow_down"}} 1.0',
        f"connector_token_operation_duration_seconds_sum{{{labels}}} 4.5",
    }


def test_a_warning_that_is_gone_is_counted_as_zero() -> None:
    metrics = Metrics()
    metrics.set_warning_counts({"privileges": 2})
    metrics.set_warning_counts({"privileges": 0})
    assert 'connector_warnings{kind="privileges"} 0.0' in lines(metrics)


def test_a_status_without_connections_disappears_from_the_metrics() -> None:
    metrics = Metrics()
    metrics.set_connection_counts(
        [ConnectionCount(family="marketing", status="refresh_failing", count=3)]
    )
    metrics.set_connection_counts([ConnectionCount(family="marketing", status="active", count=3)])
    assert 'connector_connections{family="marketing",status="active"} 3.0' in lines(metrics)
    assert "refresh_failing" not in metrics.render().decode()


def test_each_metrics_object_counts_separately() -> None:
    first, second = Metrics(), Metrics()
    first.record_request(route="/token", method="GET", status=200, seconds=0.002)
    labels = 'method="GET",route="/token",status="200"'
    assert f"connector_http_request_duration_seconds_count{{{labels}}} 1.0" in lines(first)
    assert "/token" not in second.render().decode()


def test_the_journal_metrics_show_its_entries_its_orphans_and_whether_writes_fail() -> None:
    metrics = Metrics()
    metrics.set_journal_state(entry_count=7, orphan_count=2, write_failing=True)
    assert lines(metrics) >= {
        "connector_journal_entries 7.0",
        "connector_journal_orphans 2.0",
        "connector_journal_write_failing 1.0",
    }


def test_attempts_to_deliver_an_event_are_counted_by_their_result() -> None:
    metrics = Metrics()
    failed = DeliveryResult(id=1, state="pending", duration_ms=200)
    metrics.record_delivery(DeliveryResult(id=1, state="delivered", duration_ms=200))
    metrics.record_delivery(failed)
    metrics.record_delivery(failed)
    metrics.record_delivery(DeliveryResult(id=1, state="exhausted", duration_ms=200))
    metrics.record_disabled_endpoint()
    metrics.set_last_event(4711)
    assert lines(metrics) >= {
        'connector_deliveries_total{result="delivered"} 1.0',
        'connector_deliveries_total{result="failed"} 2.0',
        'connector_deliveries_total{result="exhausted"} 1.0',
        "connector_delivery_duration_seconds_count 4.0",
        "connector_endpoints_disabled_total 1.0",
        "connector_event_last_seq 4711.0",
    }
