"""The customer's table `user_accounts` refuses one change of a batch of outcomes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest

from connector.clock import Clock
from connector.errors import ConfigurationError
from connector.journal import Journal
from connector.model import UserId
from connector.store import Store
from connector.store.database_errors import RolledBack
from connector.tokens import OutcomeWriter
from tests.supabase_stack import Stack

from .builders import SHOP, acquire_lease, connect, new_user_id, outcome, stored_connection
from .conftest import DatabaseUnderTest
from .pausable_database import PausableDatabase, run_together

pytestmark = [
    pytest.mark.parametrize("database", ["supabase", "postgres"], indirect=True),
    pytest.mark.usefixtures("unlimited_wait"),
]


async def connect_and_lease(store: Store, user: UserId) -> str:
    id = await connect(store, user, selected_advertiser=SHOP, account_token="token")
    await acquire_lease(store, id)
    return id


@asynccontextmanager
async def locked_row(stack: Stack, user: UserId) -> AsyncIterator[None]:
    function = "alter function public.connector_apply_outcomes"
    stack.script(f"{function} set lock_timeout = '50ms'")
    customer = await asyncpg.connect(stack.dsn)
    async with customer.transaction():
        await customer.execute(
            "select from public.user_accounts where id::text = $1 for update", user
        )
        yield
    await customer.close()
    stack.script(f"{function} set lock_timeout = '2s'")


@contextmanager
def required_token(stack: Stack, user: UserId) -> Iterator[None]:
    """A trigger of the customer, whose own table needs the token of this user."""
    stack.script(
        f"""
        create table public.copies (token text not null);
        create function public.copy_token() returns trigger language plpgsql as $$
        begin
            insert into public.copies values (new.tiktok_access_token);
            return new;
        end
        $$;
        create trigger copy_token after update on public.user_accounts
        for each row when (new.id = '{user}') execute function public.copy_token();
        """
    )
    yield
    stack.script(
        "drop trigger copy_token on public.user_accounts; drop function public.copy_token; "
        "drop table public.copies"
    )


async def save_one_end_and_two_refreshes(
    pausable: PausableDatabase, folder: Path, ended: str, refreshed: list[str]
) -> list[object]:
    writer = OutcomeWriter(store=Store(pausable), journal=Journal(folder), clock=Clock())
    outcomes = [outcome(id, encrypted_tokens="new") for id in refreshed]
    outcomes.insert(1, outcome(ended, status="reconnect_required"))
    results = await run_together(pausable, [writer.write(item) for item in outcomes])
    assert pausable.batch_sizes("apply_outcomes")[0] == len(outcomes)
    return [type(result) for result in results if isinstance(result, BaseException)]


async def test_an_outcome_that_waits_for_a_locked_row_does_not_fail_the_other_outcomes(
    database: DatabaseUnderTest, pausable: PausableDatabase, stack: Stack, tmp_path: Path
) -> None:
    store, user = await database.open_store(), new_user_id()
    ended = await connect_and_lease(store, user)
    refreshed = [await connect_and_lease(store, new_user_id()) for _ in range(2)]
    async with locked_row(stack, user):
        errors = await save_one_end_and_two_refreshes(pausable, tmp_path, ended, refreshed)
    assert errors == [RolledBack]
    assert [(await stored_connection(store, id)).token_version for id in refreshed] == [2, 2]


async def test_an_outcome_that_a_trigger_of_the_customer_refuses_does_not_fail_the_other_outcomes(
    database: DatabaseUnderTest, pausable: PausableDatabase, stack: Stack, tmp_path: Path
) -> None:
    store, user = await database.open_store(), new_user_id()
    ended = await connect_and_lease(store, user)
    refreshed = [await connect_and_lease(store, new_user_id()) for _ in range(2)]
    with required_token(stack, user):
        errors = await save_one_end_and_two_refreshes(pausable, tmp_path, ended, refreshed)
    assert errors == [ConfigurationError]
    assert [(await stored_connection(store, id)).token_version for id in refreshed] == [2, 2]
