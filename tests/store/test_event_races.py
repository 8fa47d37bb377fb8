"""Numbers, deliveries and webhooks while another replica's transaction has not ended."""

from __future__ import annotations

import asyncio
from json import dumps
from uuid import uuid4

import asyncpg
import pytest

from connector.store import EventRow, Store
from tests.manual_clock import NOON
from tests.supabase_stack import Stack

from .builders import (
    DAY,
    HOUR,
    SHOP,
    acquire_lease,
    claim_code,
    connect,
    connection_upsert,
    new_user_id,
    outcome,
    stored_connection,
)
from .conftest import DatabaseUnderTest
from .event_builders import (
    LEASE_SECONDS,
    deliver_all,
    delivered,
    get_endpoint,
    lease_deliveries,
    listed,
    number_all,
    receive,
    replay,
    save_endpoint,
    settle,
    write_events,
)
from .other_replica import on_postgres, uncommitted, until_it_waits

RACES, AT_A_TIME = 1000, 4
INSERT = "insert into connector.events (type, data, created_at) values ($1, '{}', $2)"
DISABLE = "update_endpoint($1, null, null, null, 'disabled', 100, $2)"
NUMBER = "number_events(1000, $1)"


async def read_new(store: Store, after: int) -> list[EventRow]:
    """Reads as a reader of the feed does: all events after the last number that it has seen."""
    return await store.list_events(
        after=after, until=(await store.get_event_bounds()).last, max_rows=RACES
    )


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_a_reader_misses_no_event_whose_transaction_commits_late(
    database: DatabaseUnderTest, stack: Stack
) -> None:
    """Late events are inserted first. They commit while an early one is numbered and read."""
    stores = [await database.open_store() for _ in range(3)]
    early, *late = [await asyncpg.connect(stack.dsn) for _ in range(AT_A_TIME + 1)]
    seen: list[EventRow] = []
    for _ in range(RACES // AT_A_TIME):
        for replica in late:
            await replica.execute("begin")
            await replica.execute(INSERT, "late", NOON)
        await early.execute(INSERT, "early", NOON)
        reading = asyncio.create_task(read_new(stores[2], len(seen)))
        await asyncio.gather(
            stores[0].number_events(now=NOON),
            *(replica.execute("commit") for replica in late),
            stores[1].number_events(now=NOON),
        )
        seen += await reading
    await asyncio.gather(*(replica.close() for replica in (early, *late)))
    await number_all(stores[0])
    while events := await read_new(stores[0], len(seen)):
        seen += events
    count = RACES + RACES // AT_A_TIME
    assert [event.seq for event in seen] == list(range(1, count + 1))
    assert {event.id for event in seen} == {row["id"] for row in database.rows("events")}


@on_postgres
async def test_an_uncommitted_event_gets_a_later_number(store: Store, stack: Stack) -> None:
    webhook = "receive_webhook('d', 'app', '{}', null, 'late', null, '', null, '{}', false, $1)"
    async with uncommitted(stack, webhook, NOON):
        await write_events(store)
        assert await number_all(store) == 1
    assert await number_all(store) == 2
    assert [event.type for event in await listed(store)] == ["tiktok.0", "tiktok.late"]


@on_postgres
async def test_only_one_process_numbers_at_a_time(store: Store, stack: Stack) -> None:
    await write_events(store, 2)
    async with uncommitted(stack, NUMBER, NOON):
        result = await store.number_events(now=NOON)
        assert (result.numbered, result.more_left, result.last_seq) == (0, True, 0)
        assert await read_new(store, 0) == []
    result = await store.number_events(now=NOON)
    assert (result.numbered, result.more_left, result.last_seq) == (0, False, 2)


@on_postgres
async def test_an_event_that_is_erased_meanwhile_takes_no_number(
    store: Store, stack: Stack
) -> None:
    user = new_user_id()
    await connect(store, user)
    await write_events(store, 2)
    async with uncommitted(stack, "erase_user($1)", user):
        assert await number_all(store) == 2
    await write_events(store)
    assert await number_all(store) == 3
    assert [event.seq for event in await listed(store)] == [1, 2, 3]


@on_postgres
async def test_an_endpoint_that_is_deleted_meanwhile_gets_no_delivery(
    database: DatabaseUnderTest, stack: Stack
) -> None:
    store = await database.open_store()
    id = await save_endpoint(store)
    await write_events(store)
    async with uncommitted(stack, "delete_endpoint($1)", id):
        numbering = await until_it_waits(stack, number_all(store))
    assert await numbering == 1
    assert database.rows("deliveries") == []


@on_postgres
async def test_an_endpoint_that_is_disabled_meanwhile_gets_no_delivery(
    database: DatabaseUnderTest, stack: Stack
) -> None:
    store = await database.open_store()
    id = await save_endpoint(store)
    await write_events(store)
    async with uncommitted(stack, DISABLE, id, NOON):
        numbering = await until_it_waits(stack, number_all(store))
    assert await numbering == 1
    assert database.rows("deliveries") == []


@on_postgres
async def test_disabling_an_endpoint_drops_the_deliveries_that_are_queued_meanwhile(
    store: Store, stack: Stack
) -> None:
    id = await save_endpoint(store)
    await write_events(store)
    disabling = store.update_endpoint(id, state="disabled", now=NOON)
    async with uncommitted(stack, NUMBER, NOON):
        waiting = await until_it_waits(stack, disabling)
    assert await waiting
    assert (await get_endpoint(store, id)).pending == 0
    assert [row.state for row in await store.list_deliveries(max_rows=5)] == ["dropped"]


@on_postgres
async def test_nothing_is_replayed_to_an_endpoint_that_is_disabled_meanwhile(
    store: Store, stack: Stack
) -> None:
    id = await save_endpoint(store)
    await write_events(store)
    await deliver_all(store)
    async with uncommitted(stack, DISABLE, id, NOON):
        replaying = await until_it_waits(stack, replay(store, id, again=True))
    assert (await replaying).count == 0


@on_postgres
async def test_an_event_that_is_erased_meanwhile_is_not_replayed(
    store: Store, stack: Stack
) -> None:
    user = new_user_id()
    await connect(store, user)
    await write_events(store)
    await number_all(store)
    id = await save_endpoint(store)
    async with uncommitted(stack, "erase_user($1)", user):
        assert (await replay(store, id)).count == 1
    assert [delivery.type for delivery in await lease_deliveries(store)] == ["tiktok.0"]


@on_postgres
async def test_a_result_that_waits_while_its_endpoint_is_disabled_changes_nothing(
    store: Store, stack: Stack
) -> None:
    id = await save_endpoint(store)
    await write_events(store)
    await number_all(store)
    [leased] = await lease_deliveries(store)
    async with uncommitted(stack, DISABLE, id, NOON):
        settling = await until_it_waits(stack, settle(store, delivered(leased)))
    assert await settling == []
    endpoint = await get_endpoint(store, id)
    assert (endpoint.state, endpoint.delivered_24h) == ("disabled", 0)


@on_postgres
async def test_a_delivery_that_another_replica_leases_meanwhile_is_not_leased(
    store: Store, stack: Stack
) -> None:
    await save_endpoint(store)
    await write_events(store)
    await number_all(store)
    lease = "lease_due_deliveries('other', 5, 5, $1, $2)"
    async with uncommitted(stack, lease, LEASE_SECONDS, NOON):
        leasing = await until_it_waits(stack, lease_deliveries(store))
    assert await leasing == []


@on_postgres
async def test_results_and_disabled_endpoints_do_not_deadlock(
    database: DatabaseUnderTest,
) -> None:
    stores = [await database.open_store() for _ in range(4)]
    ids = [await save_endpoint(stores[0]) for _ in range(4)]
    await write_events(stores[0], 10)
    await number_all(stores[0])
    leased = await lease_deliveries(stores[0])
    parts = [leased[n::4] for n in range(4)]
    await write_events(stores[0], 10)
    await asyncio.gather(
        *(settle(store, *map(delivered, part)) for store, part in zip(stores, parts, strict=True)),
        *(stores[n].update_endpoint(ids[n], state="disabled", now=NOON) for n in range(2)),
        *(stores[n].number_events(now=NOON) for n in range(4)),
        stores[3].delete_endpoint(ids[3]),
        stores[2].release_deliveries(lease_owner="owner-1", now=NOON),
    )
    assert len(await stores[0].list_endpoints(now=NOON)) == 3


# Webhooks


@on_postgres
async def test_a_webhook_that_waits_for_a_new_grant_does_not_end_the_new_connection(
    store: Store, stack: Stack
) -> None:
    user = new_user_id()
    id = await connect(store, user)
    await claim_code(store, "new", user)
    new = dumps([connection_upsert(user, "new").model_dump(mode="json")])
    async with uncommitted(stack, "upsert_connections($1, $2)", new, NOON + HOUR):
        receiving = await until_it_waits(stack, receive(store, reason=1))
    assert await receiving == "check_scheduled"
    assert (await stored_connection(store, id)).status == "active"


@on_postgres
async def test_a_webhook_that_waits_for_a_refresh_ends_the_connection(
    database: DatabaseUnderTest, stack: Stack
) -> None:
    store = await database.open_store()
    id = await connect(store, selected_advertiser=SHOP)
    await acquire_lease(store, id)
    refreshed = dumps([outcome(id, encrypted_tokens="second", due_at=NOON + DAY).as_json])
    async with uncommitted(stack, "apply_outcomes($1, $2)", refreshed, NOON):
        receiving = await until_it_waits(stack, receive(store, reason=1))
    assert await receiving == "connection_ended"
    connection = await stored_connection(store, id)
    assert (connection.status, connection.token_version) == ("reconnect_required", 3)
    assert connection.due_at is None


@on_postgres
async def test_a_webhook_that_waits_for_an_equal_one_is_a_duplicate(
    store: Store, stack: Stack
) -> None:
    digest = uuid4().hex
    webhook = "receive_webhook($1, 'app', '{}', null, 'x', null, '', null, '{}', false, $2)"
    async with uncommitted(stack, webhook, digest, NOON):
        receiving = await until_it_waits(stack, receive(store, digest))
    assert await receiving == "duplicate"
