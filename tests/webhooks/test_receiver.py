"""The receiver stores a webhook for the right families within two seconds, counts it and names it in the log."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from sqlite3 import connect

import pytest

from connector.errors import StoreUnreachable, Unauthenticated
from connector.settings import build_families
from connector.store import Store, WebhookOutcome
from connector.store.sqlite import SQLite
from connector.webhooks import WebhookReceiver, receiver
from tests.manual_clock import NOON, ManualClock
from tests.running_service import BUSINESS_APP, LOGIN_KIT_APP, settings_for
from tests.signed_webhooks import signature_of, webhook_body
from tests.store.pausable_database import PausableDatabase
from tiktok_simulator import App

SIMULATOR_URL = "http://127.0.0.1:9"


@dataclass
class Harness:
    receiver: WebhookReceiver
    store: Store
    database: PausableDatabase
    path: Path
    counts: Counter[tuple[str, str]]

    async def receive(self, body: bytes, *, app: App = LOGIN_KIT_APP) -> WebhookOutcome:
        signature = signature_of(body, signed_at=NOON, secret=app.secret)
        return await self.receiver.receive(body, signature=signature)


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    path, counts = tmp_path / "connector.db", Counter[tuple[str, str]]()
    sqlite = SQLite(path)
    await sqlite.open()
    database = PausableDatabase(sqlite)
    store = Store(database)
    webhook_receiver = WebhookReceiver(
        build_families(settings_for(tmp_path, SIMULATOR_URL)),
        store=store,
        clock=ManualClock(),
        count=lambda event, outcome: counts.update([(event, outcome)]),
    )
    yield Harness(webhook_receiver, store, database, path, counts)
    database.resume()
    await sqlite.close()


async def test_a_webhook_is_stored_once_and_a_repetition_is_a_duplicate(harness: Harness) -> None:
    body = webhook_body("comment.update", created_at=NOON, comment_id=9007199254740993)
    assert await harness.receive(body) == "stored"
    assert await harness.receive(body) == "duplicate"
    [stored] = await harness.store.list_webhooks(max_rows=10)
    assert (stored.event, stored.app) == ("comment.update", LOGIN_KIT_APP.id)
    assert stored.content == {"comment_id": 9007199254740993}
    assert harness.counts == {("comment.update", "stored"): 1, ("comment.update", "duplicate"): 1}


@pytest.mark.parametrize(
    ("app", "families"),
    [(LOGIN_KIT_APP, ["login_kit"]), (BUSINESS_APP, ["marketing", "accounts"])],
)
async def test_a_webhook_concerns_the_families_of_its_app(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, app: App, families: list[str]
) -> None:
    passed: list[object] = []
    call = harness.database.call

    async def record(operation: str, **arguments: object) -> list[dict[str, object]]:
        passed.append(arguments["families"])
        return await call(operation, **arguments)

    monkeypatch.setattr(harness.database, "call", record)
    await harness.receive(webhook_body(created_at=NOON, app=app), app=app)
    assert passed == [families]


async def test_an_event_that_tiktok_does_not_document_is_counted_as_other(harness: Harness) -> None:
    await harness.receive(webhook_body("post.liked", created_at=NOON))
    assert harness.counts == {("other", "stored"): 1}


@pytest.mark.parametrize("body", [b"no json", b"{}", b'{"event":7}'])
async def test_a_signed_body_that_cannot_be_read_is_stored_and_somebody_is_warned(
    harness: Harness, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    assert await harness.receive(body) == "unreadable"
    [stored] = await harness.store.list_webhooks(max_rows=10)
    assert (stored.event, stored.outcome, stored.content) == ("", "unreadable", {})
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == "webhook unreadable app=awkey outcome=unreadable"


async def test_a_webhook_with_the_signature_of_the_other_app_is_refused_and_counted(
    harness: Harness,
) -> None:
    body = webhook_body(created_at=NOON, app=BUSINESS_APP)
    with pytest.raises(Unauthenticated):
        await harness.receive(body, app=LOGIN_KIT_APP)
    assert harness.counts == {("other", "refused"): 1}
    assert await harness.store.list_webhooks(max_rows=10) == []


async def test_a_signature_of_another_time_is_refused_and_somebody_is_warned(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    body = webhook_body(created_at=NOON)
    late = signature_of(body, signed_at=NOON + timedelta(minutes=6), secret=LOGIN_KIT_APP.secret)
    with pytest.raises(Unauthenticated):
        await harness.receiver.receive(body, signature=late)
    assert "webhook refused reason=signature_age" in caplog.text
    caplog.clear()
    with pytest.raises(Unauthenticated):
        await harness.receive(body, app=BUSINESS_APP)
    assert caplog.text == ""


async def test_a_database_that_does_not_answer_in_time_makes_tiktok_repeat_the_webhook(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "STORE_SECONDS", 0.05)
    body = webhook_body(created_at=NOON)
    harness.database.pause()
    with pytest.raises(StoreUnreachable) as raised:
        await harness.receive(body)
    assert raised.value.retry_after
    assert harness.counts == {("authorization.removed", "failed"): 1}
    harness.database.resume()
    assert await harness.receive(body) == "stored"


def test_tiktok_waits_two_seconds_at_most_for_the_database() -> None:
    assert timedelta(seconds=receiver.STORE_SECONDS) == timedelta(seconds=2)


async def test_a_database_that_refuses_the_webhook_makes_tiktok_repeat_it(harness: Harness) -> None:
    with closing(connect(harness.path)) as connection, connection:
        connection.execute("drop table webhooks")
    with pytest.raises(StoreUnreachable):
        await harness.receive(webhook_body(created_at=NOON))


async def test_the_log_names_the_event_and_the_outcome_but_no_content(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await harness.receive(webhook_body("comment.update", created_at=NOON, text="secret comment"))
    assert [record.getMessage() for record in caplog.records] == [
        "webhook received event=comment.update outcome=stored"
    ]
