"""Endpoints are stored with their health, and an endpoint that always fails is disabled."""

from __future__ import annotations

from uuid import uuid4

from connector.model import Ciphertext
from connector.store import EncryptedRow, Replacement, Store
from tests.manual_clock import NOON

from .builders import HOUR
from .conftest import DatabaseUnderTest
from .event_builders import (
    BY_REQUEST,
    delivered,
    disabled_events,
    fail,
    get_endpoint,
    lease_deliveries,
    lease_new,
    refused,
    save_endpoint,
    settle,
)


async def test_a_new_endpoint_is_enabled_and_has_no_deliveries(store: Store) -> None:
    id = await save_endpoint(
        store, events=["connection.*", "endpoint.disabled"], description="CRM 🚲"
    )
    endpoint = await get_endpoint(store, id)
    assert endpoint.model_dump() == {
        "id": id,
        "url": "https://customer.example/events",
        "events": ("connection.*", "endpoint.disabled"),
        "description": "CRM 🚲",
        "encrypted_secrets": "secrets",
        "state": "enabled",
        "disabled_reason": None,
        "failing_since": None,
        "failures": 0,
        "last_success_at": None,
        "created_at": NOON,
        "updated_at": NOON,
        "pending": 0,
        "delivered_24h": 0,
        "failed_24h": 0,
    }
    assert "secrets'" not in repr(endpoint)


async def test_endpoints_are_listed_by_age(store: Store) -> None:
    newer = await save_endpoint(store, now=NOON + HOUR)
    older = await save_endpoint(store)
    assert [endpoint.id for endpoint in await store.list_endpoints(now=NOON)] == [older, newer]


async def test_saving_an_endpoint_again_replaces_its_columns_and_enables_it(
    store: Store,
) -> None:
    id = await save_endpoint(store)
    await fail(store)
    await store.update_endpoint(id, state="disabled", now=NOON)
    await save_endpoint(
        store,
        id=id,
        url="https://b.example",
        events=["connection.connected"],
        description="new",
        encrypted_secrets="new secrets",
        now=NOON + HOUR,
    )
    [endpoint] = await store.list_endpoints(now=NOON)
    assert (endpoint.url, endpoint.events) == ("https://b.example", ("connection.connected",))
    assert (endpoint.description, endpoint.encrypted_secrets) == ("new", "new secrets")
    assert (endpoint.state, endpoint.disabled_reason, endpoint.failures) == ("enabled", None, 0)
    assert (endpoint.created_at, endpoint.updated_at) == (NOON, NOON + HOUR)


async def test_saving_an_enabled_endpoint_again_keeps_its_health_and_its_deliveries(
    store: Store,
) -> None:
    id = await save_endpoint(store)
    await fail(store)
    await save_endpoint(store, id=id, now=NOON + HOUR)
    endpoint = await get_endpoint(store, id)
    assert (endpoint.failing_since, endpoint.failures, endpoint.pending) == (NOON, 1, 1)


async def test_an_update_changes_only_the_given_columns(store: Store) -> None:
    id = await save_endpoint(store, description="old")
    before = await get_endpoint(store, id)
    assert await store.update_endpoint(id, url="https://b.example", now=NOON + HOUR)
    changes = {"url": "https://b.example", "updated_at": NOON + HOUR}
    assert await get_endpoint(store, id) == before.model_copy(update=changes)
    assert await store.update_endpoint(id, events=["tiktok.*"], description="", now=NOON + HOUR)
    changes |= {"events": ("tiktok.*",), "description": ""}
    assert await get_endpoint(store, id) == before.model_copy(update=changes)


async def test_an_update_without_a_state_keeps_the_health(store: Store) -> None:
    id = await save_endpoint(store)
    await fail(store)
    await store.update_endpoint(id, description="new", now=NOON)
    assert (await get_endpoint(store, id)).failing_since == NOON


async def test_an_endpoint_that_does_not_exist_is_neither_changed_nor_deleted(
    store: Store,
) -> None:
    id = str(uuid4())
    assert await store.get_endpoint(id, now=NOON) is None
    assert not await store.update_endpoint(id, state="disabled", now=NOON)
    assert not await store.delete_endpoint(id)
    new, old = Ciphertext("new"), Ciphertext("old")
    assert not await store.replace_endpoint_secrets(id, old=old, new=new, now=NOON)


async def test_disabling_an_endpoint_drops_its_pending_deliveries(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id, other = await save_endpoint(store), await save_endpoint(store)
    leased = await lease_new(store, 2)
    of_id = [delivery for delivery in leased if delivery.endpoint_id == id]
    await settle(store, delivered(of_id[0]))
    await store.update_endpoint(id, state="disabled", now=NOON)
    endpoint = await get_endpoint(store, id)
    assert (endpoint.state, endpoint.disabled_reason) == ("disabled", BY_REQUEST)
    states = [(row["endpoint_id"], row["state"]) for row in database.rows("deliveries")]
    assert sorted(states) == sorted(
        [(id, "delivered"), (id, "dropped"), (other, "pending"), (other, "pending")]
    )
    assert disabled_events(database) == []


async def test_an_attempt_that_ends_after_its_endpoint_was_disabled_changes_nothing(
    store: Store,
) -> None:
    id = await save_endpoint(store)
    [leased] = await lease_new(store)
    await store.update_endpoint(id, state="disabled", now=NOON)
    before = await get_endpoint(store, id)
    assert await settle(store, refused(leased)) == []
    assert await get_endpoint(store, id) == before
    await store.update_endpoint(id, state="enabled", now=NOON)
    assert await lease_deliveries(store, now=NOON + HOUR) == []


async def test_an_endpoint_that_is_enabled_again_counts_as_not_failing(store: Store) -> None:
    id = await save_endpoint(store)
    await fail(store)
    await store.update_endpoint(id, state="disabled", now=NOON)
    await store.update_endpoint(id, state="enabled", now=NOON + HOUR)
    endpoint = await get_endpoint(store, id)
    assert (endpoint.state, endpoint.disabled_reason) == ("enabled", None)
    assert (endpoint.failing_since, endpoint.failures) == (None, 0)


# Secrets


async def test_secrets_are_replaced_only_if_they_have_not_changed(store: Store) -> None:
    id = await save_endpoint(store, encrypted_secrets="first")
    first, second, third = map(Ciphertext, ("first", "second", "third"))
    assert await store.replace_endpoint_secrets(id, old=first, new=second, now=NOON + HOUR)
    assert not await store.replace_endpoint_secrets(id, old=first, new=third, now=NOON + HOUR)
    endpoint = await get_endpoint(store, id)
    assert (endpoint.encrypted_secrets, endpoint.updated_at) == ("second", NOON + HOUR)


async def test_the_rotation_of_a_key_lists_and_replaces_the_secrets(store: Store) -> None:
    ids = sorted([await save_endpoint(store, encrypted_secrets="old") for _ in range(3)])
    rows = await store.list_ciphertexts("endpoints", after_key=None)
    assert rows == [EncryptedRow(row_key=id, ciphertext="old") for id in ids]
    after_first = await store.list_ciphertexts("endpoints", after_key=ids[0])
    assert [row.row_key for row in after_first] == ids[1:]
    new = [
        Replacement(row_key=ids[0], old=Ciphertext("old"), new=Ciphertext("new")),
        Replacement(row_key=ids[1], old=Ciphertext("other"), new=Ciphertext("new")),
    ]
    await store.replace_ciphertexts("endpoints", new)
    rows = await store.list_ciphertexts("endpoints", after_key=None)
    assert [row.ciphertext for row in rows] == ["new", "old", "old"]
