"""A webhook is stored once, with its event and its effect on connections."""

from __future__ import annotations

import asyncio
from datetime import datetime

from connector.model import format_utc
from connector.store import Store, WebhookApp
from tests.manual_clock import NOON

from .builders import (
    HOUR,
    connect,
    new_user_id,
)
from .conftest import DatabaseUnderTest
from .event_builders import receive

LATER = NOON + HOUR
PERSON = "The person disconnected the app in TikTok."


# Storing


async def test_a_webhook_is_stored_and_passed_on_as_an_event(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    content = {"publish_id": "v_pub~1", "numbers": [1, 2.5, None], "name": "Müller 🚲"}
    assert await receive(store, "digest", event="video.failed", content=content) == "stored"
    [row] = await store.list_webhooks(max_rows=10)
    assert row.model_dump() == {
        "digest": "digest",
        "app": "app-1",
        "tiktok_user_id": "tiktok-user",
        "event": "video.failed",
        "content": content,
        "outcome": "stored",
        "created_at": NOON,
        "received_at": NOON,
    }
    [event] = database.rows("events")
    webhook = event["data"]["webhook"]
    assert datetime.fromisoformat(webhook.pop("created_at")) == NOON
    assert webhook == {
        "app": "app-1",
        "event": "video.failed",
        "tiktok_user_id": "tiktok-user",
        "content": content,
    }
    assert (event["type"], event["connection_id"]) == ("tiktok.video.failed", None)
    assert (event["user_id"], event["tiktok_user_id"]) == (None, "tiktok-user")


async def test_the_character_nul_in_a_key_is_replaced_before_it_is_stored(store: Store) -> None:
    content = {"a\0b": [{"\0": "c"}]}
    assert await receive(store, event="x", content=content) == "stored"
    [row] = await store.list_webhooks(max_rows=10)
    assert row.content == {"a\ufffdb": [{"\ufffd": "c"}]}


async def test_a_webhook_without_a_time_or_a_user_is_stored(store: Store) -> None:
    assert await receive(store, tiktok_user_id=None, created_at=None, event="x") == "stored"
    [row] = await store.list_webhooks(max_rows=10)
    assert (row.tiktok_user_id, row.created_at) == (None, None)


async def test_an_unreadable_webhook_is_stored_without_an_event(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()

    async def receive_unreadable() -> str:
        return await receive(
            store, "digest", event="", tiktok_user_id=None, created_at=None, unreadable=True
        )

    assert await receive_unreadable() == "unreadable"
    assert await receive_unreadable() == "duplicate"
    assert [row.outcome for row in await store.list_webhooks(max_rows=10)] == ["unreadable"]
    assert database.rows("events") == []


async def test_webhooks_are_listed_from_the_newest(store: Store) -> None:
    for digest, now in (("b", NOON), ("new", LATER), ("a", NOON), ("old", NOON - HOUR)):
        await receive(store, digest, now=now)
    rows = await store.list_webhooks(max_rows=3)
    assert [row.digest for row in rows] == ["new", "a", "b"]


async def test_the_last_webhook_of_each_app_is_known(store: Store) -> None:
    assert await store.list_webhook_apps() == []
    await receive(store, app="second")
    await receive(store, app="first")
    await receive(store, app="first", now=LATER)
    assert await store.list_webhook_apps() == [
        WebhookApp(app="first", last_webhook_at=LATER),
        WebhookApp(app="second", last_webhook_at=NOON),
    ]


async def test_a_webhook_that_comes_again_changes_nothing(database: DatabaseUnderTest) -> None:
    store, user = await database.open_store(), new_user_id()
    await connect(store, user)
    await receive(store, "digest", reason=1)
    await connect(store, user)
    tables = ("webhooks", "webhook_apps", "events", "connections")
    before = {table: database.rows(table) for table in tables}
    assert await receive(store, "digest", reason=1, now=LATER) == "duplicate"
    assert {table: database.rows(table) for table in tables} == before


async def test_of_equal_webhooks_at_the_same_time_one_has_an_effect(
    database: DatabaseUnderTest,
) -> None:
    stores = [await database.open_store() for _ in range(2)]
    await connect(stores[0])
    outcomes = await asyncio.gather(
        *(receive(stores[n % 2], "digest", reason=1) for n in range(20))
    )
    assert sorted(outcomes) == ["connection_ended"] + ["duplicate"] * 19
    assert len(database.rows("webhooks")) == 1
    assert database.event_types() == [
        "connected",
        "reconnect_required",
        "tiktok.authorization.removed",
    ]


async def test_an_event_contains_no_content_that_is_too_large(database: DatabaseUnderTest) -> None:
    store = await database.open_store()
    content = {"text": "x" * 16_385}
    await receive(store, event="comment.update", content=content)
    [webhook], [event] = await store.list_webhooks(max_rows=2), database.rows("events")
    assert webhook.content == content
    assert event["data"]["webhook"]["content"] is None


async def test_the_time_in_an_event_is_written_in_the_same_way_on_each_database(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    await receive(store, event="comment.update", created_at=NOON)
    [event] = database.rows("events")
    assert event["data"]["webhook"]["created_at"] == format_utc(NOON)


async def test_the_end_of_an_authorization_does_not_bring_back_the_id_of_an_erased_person(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    user = new_user_id()
    await connect(store, user, tiktok_user_id="person")
    await store.erase_user(user)
    await receive(store, event="authorization.removed", tiktok_user_id="person", reason=5)
    [webhook], [event] = await store.list_webhooks(max_rows=2), database.rows("events")
    assert webhook.tiktok_user_id is None
    assert (event["tiktok_user_id"], event["data"]["webhook"]["tiktok_user_id"]) == (None, None)
