"""An error of one item in a shared database call is raised only to the caller of the item."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Iterator, Sequence
from uuid import uuid4

import asyncpg
import pytest

from connector.errors import InternalError, StoreUnreachable
from connector.model import StoredTokens, UserId
from connector.store import ClaimedCode, Store
from connector.store.database_errors import RolledBack
from tests.supabase_stack import Stack

from .builders import SHOP, claim_code, connect, connection_upsert, new_user_id
from .conftest import DatabaseUnderTest
from .pausable_database import PausableDatabase, run_together

on_postgres = pytest.mark.parametrize("database", ["supabase", "postgres"], indirect=True)
on_supabase = pytest.mark.parametrize("database", ["supabase"], indirect=True)


@pytest.fixture
def rejected_user(database: DatabaseUnderTest, stack: Stack) -> Iterator[UserId]:
    """Returns a user that a constraint of the customer does not allow in `user_accounts`."""
    user, table = new_user_id(), "alter table public.user_accounts"
    stack.script(f"{table} add constraint rejected check (id <> '{user}')")
    yield user
    stack.script(f"{table} drop constraint rejected")


@pytest.fixture
def refused_code(database: DatabaseUnderTest, stack: Stack) -> Iterator[str]:
    table = "alter table connector.codes"
    stack.script(f"{table} add constraint refused check (code_hash <> 'refused')")
    yield "refused"
    stack.script(f"{table} drop constraint refused")


@pytest.fixture
async def locked_user(database: DatabaseUnderTest, stack: Stack) -> AsyncIterator[UserId]:
    """A user whose row in `user_accounts` is locked by a transaction of the customer."""
    user, function = new_user_id(), "alter function public.connector_upsert_connections"
    stack.script(f"insert into public.user_accounts (id) values ('{user}')")
    stack.script(f"{function} set lock_timeout = '50ms'")
    customer = await asyncpg.connect(stack.dsn)
    async with customer.transaction():
        await customer.execute("select from public.user_accounts for update")
        yield user
    await customer.close()
    stack.script(f"{function} set lock_timeout = '2s'")


async def upsert_in_one_batch(
    pausable: PausableDatabase, users: Sequence[UserId]
) -> dict[UserId, type[BaseException]]:
    """Returns the class of the error for each user whose upsert failed."""
    store = Store(pausable)
    upserts = [connection_upsert(user, uuid4().hex, selected_advertiser=SHOP) for user in users]
    results = await run_together(
        pausable, [store.upsert_connection(upsert, now=None) for upsert in upserts]
    )
    assert pausable.batch_sizes("upsert_connections")[0] == len(users)
    return {
        user: type(result)
        for user, result in zip(users, results, strict=True)
        if isinstance(result, BaseException)
    }


def connected_users(database: DatabaseUnderTest) -> set[UserId]:
    return {row["user_id"] for row in database.rows("connections")}


@on_postgres
@pytest.mark.usefixtures("unlimited_wait")
async def test_an_upsert_that_a_constraint_rejects_does_not_fail_the_other_upserts(
    database: DatabaseUnderTest, pausable: PausableDatabase, rejected_user: UserId
) -> None:
    users = [new_user_id(), rejected_user, new_user_id()]
    assert await upsert_in_one_batch(pausable, users) == {rejected_user: InternalError}
    assert connected_users(database) == {users[0], users[2]}


@on_postgres
@pytest.mark.usefixtures("unlimited_wait")
async def test_an_upsert_that_waits_for_a_locked_row_does_not_fail_the_other_upserts(
    database: DatabaseUnderTest, pausable: PausableDatabase, locked_user: UserId
) -> None:
    users = [new_user_id(), locked_user, new_user_id()]
    assert await upsert_in_one_batch(pausable, users) == {locked_user: RolledBack}
    assert connected_users(database) == {users[0], users[2]}


@on_postgres
@pytest.mark.usefixtures("unlimited_wait")
async def test_a_claim_that_the_database_rejects_does_not_fail_the_other_claims(
    pausable: PausableDatabase, refused_code: str
) -> None:
    store, codes = Store(pausable), [uuid4().hex, refused_code, uuid4().hex]
    claims = await run_together(
        pausable, [claim_code(store, code, new_user_id()) for code in codes]
    )
    assert [type(claim) for claim in claims] == [ClaimedCode, InternalError, ClaimedCode]
    assert pausable.batch_sizes("claim_codes")[0] == len(codes)


@on_postgres
@pytest.mark.usefixtures("unlimited_wait")
async def test_upserts_lock_codes_in_the_order_in_which_codes_are_claimed(
    pausable: PausableDatabase, stack: Stack
) -> None:
    """The order prevents a deadlock between an upsert and another replica's claims of the same codes."""
    store, users = Store(pausable), sorted([new_user_id(), new_user_id()])
    codes = dict(zip(users, ("b", "a"), strict=True))
    for user, code_hash in codes.items():
        await claim_code(store, code_hash, user)
    lock = "select from connector.codes where code_hash = '{}' for update"
    other_replica = await asyncpg.connect(stack.dsn)
    async with other_replica.transaction():
        await other_replica.execute(lock.format("a"))
        upserts = [
            asyncio.create_task(
                store.upsert_connection(connection_upsert(user, code_hash), now=None)
            )
            for user, code_hash in codes.items()
        ]
        while not stack.sql("select from pg_catalog.pg_locks where not granted"):  # noqa: ASYNC110
            await asyncio.sleep(0)
        await other_replica.execute(f"{lock.format('b')} nowait")
    await other_replica.close()
    await asyncio.gather(*upserts)
    assert pausable.batch_sizes("upsert_connections") == [2]


@on_postgres
@pytest.mark.usefixtures("unlimited_wait")
async def test_a_malformed_row_fails_only_the_caller_who_reads_it(
    pausable: PausableDatabase, stack: Stack
) -> None:
    store, users = Store(pausable), [new_user_id() for _ in range(3)]
    connection_ids = [await connect(store, user, selected_advertiser=SHOP) for user in users]
    stack.script(
        "update connector.connections set last_failure = '{}', selected_advertiser = '{}' "
        f"where id = '{connection_ids[1]}'"
    )
    found = await run_together(pausable, [store.get_stored_tokens(id) for id in connection_ids])
    claims = await run_together(pausable, [claim_code(store, user, user) for user in users])
    assert [type(stored) for stored in found] == [StoredTokens, StoreUnreachable, StoredTokens]
    assert [type(claim) for claim in claims] == [ClaimedCode, StoreUnreachable, ClaimedCode]
    assert pausable.batch_sizes("get_stored_tokens") == [3]


@on_supabase
@pytest.mark.usefixtures("unlimited_wait")
async def test_a_batch_that_finds_the_store_unreachable_fails_for_all_and_is_not_repeated(
    pausable: PausableDatabase, stack: Stack
) -> None:
    with stack.gateway.failing("503"):
        users = [new_user_id() for _ in range(4)]
        failed = await upsert_in_one_batch(pausable, users)
    assert failed == dict.fromkeys(users, StoreUnreachable)
    assert pausable.batch_sizes("upsert_connections") == [4]


@on_supabase
@pytest.mark.usefixtures("unlimited_wait")
async def test_callers_that_share_an_error_get_a_traceback_without_each_others_frames(
    pausable: PausableDatabase, stack: Stack
) -> None:
    async def first_caller() -> None:
        await store.get_stored_tokens(str(uuid4()))

    async def second_caller() -> None:
        await store.get_stored_tokens(str(uuid4()))

    store = Store(pausable)
    with stack.gateway.failing("503"):
        first, second = await run_together(pausable, [first_caller(), second_caller()])
    assert (first.message, first.retry_after) == (second.message, second.retry_after)
    frames = [frame.name for frame in traceback.extract_tb(first.__traceback__)]
    assert "first_caller" in frames
    assert "second_caller" not in frames
