"""The service reports that it is alive and ready, and publishes its metrics."""

from __future__ import annotations

from contextlib import closing
from sqlite3 import connect

import pytest

from connector.encryption import DecryptionFailed, EncryptionKey, TokenCipher
from connector.errors import JournalUnwritable
from tests.credentials import ANNA
from tests.journal.disks import files_up_to
from tests.running_service import AS_SERVER
from tests.supabase_stack import Stack

from .conftest import Harness, StartService


def metric_value(text: str, metric: str, **labels: str) -> float:
    for line in text.splitlines():
        series, _, value = line.rpartition(" ")
        has_labels = all(f'{name}="{word}"' in series for name, word in labels.items())
        if series.partition("{")[0] == metric and has_labels:
            return float(value)
    return 0.0


async def metrics_text(harness: Harness) -> str:
    return (await harness.get("/metrics", AS_SERVER)).text


async def test_a_started_service_is_alive_and_ready(each_store: Harness) -> None:
    assert (await each_store.get("/healthz")).json == {"status": "ok"}
    assert (await each_store.get("/readyz")).json == {"status": "ready", "warnings": []}


async def test_a_service_with_an_outdated_schema_is_not_ready_and_logs_the_remedy(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(connect(harness.service.settings.database)) as database, database:
        database.execute("update schema set version = 99")
    response = await harness.get("/readyz")
    assert (response.status, response.code) == (502, "configuration")
    assert "sql" not in response.json["error"]
    assert "choose another SQLite file" in caplog.text
    assert (await harness.get("/healthz")).status == 200


async def test_requests_are_counted_by_route_pattern_not_by_requested_path(
    harness: Harness,
) -> None:
    for path in ("/connections/a", "/connections/b", "/nothing/c", "/nothing/d?e"):
        await harness.get(path, AS_SERVER)
    text, name = await metrics_text(harness), "connector_http_request_duration_seconds_count"
    labels = {"method": "GET", "route": "/connections/{id}", "status": "404"}
    assert metric_value(text, name, **labels) == 2
    assert metric_value(text, name, method="-", route="unknown") == 2


async def test_token_operations_are_counted_by_result(harness: Harness) -> None:
    connection_id = (await harness.connect())["connection_id"]
    await harness.post(f"/connections/{connection_id}/refresh", AS_SERVER)
    await harness.simulator.fault("advertiser/get", "code", 40002)
    await harness.post(f"/connections/{connection_id}/refresh", AS_SERVER)
    await harness.post("/oauth/exchange", code="unknown", state=await harness.state())
    text, name = await metrics_text(harness), "connector_token_operations_total"
    for operation, result in (
        ("exchange", "ok"),
        ("exchange", "code_spent"),
        ("probe", "ok"),
        ("probe", "tiktok_refused"),
    ):
        assert metric_value(text, name, family="marketing", operation=operation, result=result) == 1


async def test_connections_are_counted_at_most_once_in_thirty_seconds(harness: Harness) -> None:
    await harness.connect()
    labels = {"family": "marketing", "status": "active"}
    assert metric_value(await metrics_text(harness), "connector_connections", **labels) == 1
    await harness.connect(user_id=ANNA.replace("6", "7"))
    assert metric_value(await metrics_text(harness), "connector_connections", **labels) == 1
    harness.simulator.clock.advance(30)
    assert metric_value(await metrics_text(harness), "connector_connections", **labels) == 2


async def test_the_metrics_show_the_journals_entries_and_whether_writes_fail(
    harness: Harness,
) -> None:
    text = await metrics_text(harness)
    assert "connector_journal_entries 0.0" in text
    assert "connector_journal_write_failing 0.0" in text
    harness.service.journal.write_error = "The disk is full."
    assert "connector_journal_write_failing 1.0" in await metrics_text(harness)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_metrics_are_only_for_servers(harness: Harness, method: str) -> None:
    assert (await harness.call(method, "/metrics", headers=harness.as_user())).status == 403
    response = await harness.call(method, "/metrics", headers=AS_SERVER)
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")


async def test_an_idle_service_is_ready_again_as_soon_as_the_disk_accepts_writes(
    start_service: StartService, stack: Stack
) -> None:
    harness = await start_service(**stack.environment())
    journal = harness.service.journal
    with files_up_to(0):
        with pytest.raises(JournalUnwritable):
            async with journal.reserve():
                raise AssertionError("the disk was not tried")
        for _ in range(2):
            response = await harness.get("/readyz")
            assert (response.status, response.code) == (503, "journal_unwritable")
    assert (await harness.get("/readyz")).json == {"status": "ready", "warnings": []}
    assert "connector_journal_write_failing 0.0" in await metrics_text(harness)


async def test_readyz_warns_if_another_replica_encrypts_with_a_key_that_this_one_lacks(
    start_service: StartService,
) -> None:
    harness = await start_service()
    newer = TokenCipher((EncryptionKey.generate("new"),))
    with pytest.raises(DecryptionFailed):
        harness.service.cipher.decrypt(
            newer.encrypt("text", associated_data="row"), associated_data="row"
        )
    response = await harness.get("/readyz")
    [warning] = response.json["warnings"]
    assert (response.status, warning["kind"]) == (200, "encryption_keys")
    assert "add it to CONNECTOR_ENCRYPTION_KEYS and restart" in warning["message"]


async def test_readyz_warns_while_a_damaged_file_of_a_dead_process_is_in_the_journal_folder(
    start_service: StartService,
) -> None:
    harness = await start_service()
    journal = harness.service.journal
    orphan = journal.path / f"{'0' * 32}.db"
    orphan.write_text("not a database, and longer than the header of a database " * 10)
    await journal.adopt_dead_files()
    response = await harness.get("/readyz")
    assert (response.status, response.json["warnings"][0]["kind"]) == (200, "journal_orphans")
    orphan.unlink()
    await journal.adopt_dead_files()
    assert (await harness.get("/readyz")).json["warnings"] == []
