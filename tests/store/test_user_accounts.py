"""Users read only their own row of `user_accounts`; the service does not change the customer's parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import ClientSession

from connector.errors import ConfigurationError
from connector.model import UserId
from connector.store import Store
from tests.manual_clock import NOON
from tests.supabase_stack import Stack, schema_files

from .builders import BAR, SHOP, connect, new_user_id, select
from .conftest import open_store, supabase
from .test_privileges import RestClient, is_allowed

CANARY = "encrypted-canary"
READABLE_COLUMNS = "id,tiktok_account_id,tiktok_business_id"
RETURN_ROWS = {"Prefer": "return=representation"}
FORBIDDEN = (403, "42501")


@pytest.fixture
async def store(stack: Stack) -> AsyncIterator[Store]:
    stack.truncate()
    async with open_store(supabase(stack)) as store:
        yield store


@pytest.fixture
def user_id() -> UserId:
    return new_user_id()


@pytest.fixture
async def user_client(stack: Stack, store: Store, user_id: UserId) -> AsyncIterator[RestClient]:
    """A signed-in user. The table has a row for this user and a row for another user."""
    if not stack.sql("select 1 from public.user_accounts"):
        await connect(store, user_id, selected_advertiser=SHOP, account_token=CANARY)
        await connect(store, selected_advertiser=BAR, account_token=CANARY)
    headers = {"apikey": stack.anon_key, "Authorization": f"Bearer {stack.user_token(user_id)}"}
    async with ClientSession(headers=headers) as session:
        yield RestClient(session, stack.url)


async def test_a_user_reads_their_own_row_and_no_other(
    user_client: RestClient, user_id: UserId
) -> None:
    row = {"id": user_id, "tiktok_account_id": SHOP.name, "tiktok_business_id": SHOP.id}
    response = await user_client.request("GET", f"user_accounts?select={READABLE_COLUMNS}")
    assert response == (200, [row])


@pytest.mark.usefixtures("user_client")
async def test_a_visitor_who_is_not_signed_in_reads_no_row(stack: Stack) -> None:
    async with ClientSession(headers={"apikey": stack.anon_key}) as session:
        visitor = RestClient(session, stack.url)
        response = await visitor.request("GET", f"user_accounts?select={READABLE_COLUMNS}")
    assert response == (200, [])


@pytest.mark.usefixtures("user_client")
async def test_the_customers_server_reads_the_token(stack: Stack) -> None:
    key = stack.service_role_key
    headers = {"apikey": key, "Authorization": f"Bearer {key}"}
    async with ClientSession(headers=headers) as session:
        status, rows = await RestClient(session, stack.url).request("GET", "user_accounts")
    assert status == 200
    assert {row["tiktok_access_token"] for row in rows} == {CANARY}


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("GET", ""),
        ("GET", "?select=*"),
        ("GET", "?select=tiktok_access_token"),
        ("GET", "?select=id,shown:tiktok_access_token"),
        ("GET", "?select=id&tiktok_access_token=like.s*"),
        ("GET", "?select=id&or=(tiktok_access_token.like.s*,id.is.null)"),
        ("GET", "?select=id&order=tiktok_access_token"),
        ("PATCH", "?select=tiktok_access_token"),
        ("DELETE", "?select=tiktok_access_token"),
        ("DELETE", "?select=id&tiktok_access_token=like.s*"),
    ],
)
async def test_a_user_cannot_read_the_token_column_or_filter_by_it(
    user_client: RestClient, user_id: UserId, method: str, query: str
) -> None:
    options: dict[str, Any] = {"headers": RETURN_ROWS}
    if method == "PATCH":
        options["json"] = {"id": user_id}
    status, body = await user_client.request(method, f"user_accounts{query}", **options)
    assert (status, body["code"]) == FORBIDDEN
    assert CANARY not in str(body)


@pytest.mark.parametrize(
    "column", ["tiktok_access_token", "tiktok_account_id", "tiktok_business_id"]
)
async def test_a_user_cannot_write_the_columns_of_the_service(
    stack: Stack, user_client: RestClient, user_id: UserId, column: str
) -> None:
    all_rows = "select to_jsonb(u) from public.user_accounts u order by id"
    before = stack.sql(all_rows)
    update = await user_client.request(
        "PATCH", f"user_accounts?id=eq.{user_id}", json={column: "forged"}
    )
    insert = await user_client.request(
        "POST", "user_accounts", json={"id": new_user_id(), column: "forged"}
    )
    for status, body in (update, insert):
        assert (status, body["code"]) == FORBIDDEN
    assert stack.sql(all_rows) == before


def test_a_missing_user_accounts_table_is_created_with_the_documented_columns(
    stack: Stack,
) -> None:
    query = """
        select column_name, data_type
        from information_schema.columns
        where table_schema = 'public' and table_name = 'user_accounts'
    """
    assert {row["column_name"]: row["data_type"] for row in stack.sql(query)} == {
        "id": "uuid",
        "tiktok_access_token": "text",
        "tiktok_account_id": "text",
        "tiktok_business_id": "text",
    }


# A table that existed before the schema was applied


@pytest.fixture
def existing_table(stack: Stack, store: Store, user_id: UserId) -> Iterator[None]:
    """Creates the table with the customer's own columns, policy and privileges, and one row."""
    stack.script(
        f"""
        set role postgres;
        drop table public.user_accounts;
        create table public.user_accounts (
            id uuid primary key,
            company text not null,
            plan text default 'free'
        );
        revoke all on public.user_accounts from anon;
        revoke delete on public.user_accounts from authenticated;
        create policy customers_own on public.user_accounts for update to authenticated
            using (auth.uid() = id);
        insert into public.user_accounts values ('{user_id}', 'Müller', 'gold');
        reset role;
        """
    )
    stack.apply(*schema_files())
    stack.reload_postgrest()
    yield
    stack.script("drop table public.user_accounts")
    stack.apply(*schema_files())
    stack.reload_postgrest()


def customers_row(stack: Stack) -> dict[str, Any]:
    [row] = stack.sql("select * from public.user_accounts")
    return row


@pytest.mark.usefixtures("existing_table")
def test_the_sql_files_do_not_change_the_values_of_an_existing_table(
    stack: Stack, user_id: UserId
) -> None:
    row = customers_row(stack)
    assert (str(row["id"]), row["company"], row["plan"]) == (user_id, "Müller", "gold")
    assert row["tiktok_access_token"] is None


@pytest.mark.usefixtures("existing_table")
async def test_selecting_and_disconnecting_change_only_the_services_columns_of_an_existing_row(
    stack: Stack, store: Store, user_id: UserId
) -> None:
    id = await connect(store, user_id, accounts=[SHOP, BAR], selected_advertiser=SHOP)
    await select(store, id, BAR, account_token=CANARY)
    row = customers_row(stack)
    assert (row["company"], row["plan"], row["tiktok_business_id"]) == ("Müller", "gold", BAR.id)
    await store.mark_disconnected(id, now=NOON)
    row = customers_row(stack)
    assert (row["company"], row["plan"], row["tiktok_business_id"]) == ("Müller", "gold", None)


@pytest.mark.usefixtures("existing_table")
async def test_a_row_that_the_customers_not_null_column_forbids_is_a_configuration_error(
    stack: Stack, store: Store
) -> None:
    with pytest.raises(ConfigurationError, match="NOT NULL column"):
        await connect(store, new_user_id(), selected_advertiser=SHOP)
    assert stack.sql("select 1 from connector.connections") == []


@pytest.mark.usefixtures("existing_table")
async def test_users_keep_their_privileges_on_the_customers_own_columns(
    user_client: RestClient, user_id: UserId
) -> None:
    path = f"user_accounts?id=eq.{user_id}&select=company,plan"
    response = await user_client.request(
        "PATCH", path, json={"company": "Söhne"}, headers=RETURN_ROWS
    )
    assert response == (200, [{"company": "Söhne", "plan": "gold"}])


@pytest.mark.usefixtures("existing_table")
@pytest.mark.parametrize(
    "change", [{"tiktok_business_id": "1"}, {"company": "x", "tiktok_access_token": "y"}]
)
async def test_users_with_privileges_on_an_existing_table_get_none_on_the_services_columns(
    user_client: RestClient, change: dict[str, str]
) -> None:
    status, body = await user_client.request("PATCH", "user_accounts", json=change)
    assert (status, body["code"]) == FORBIDDEN
    path = "user_accounts?select=company,tiktok_access_token"
    status, body = await user_client.request("GET", path)
    assert (status, body["code"]) == FORBIDDEN


@pytest.mark.usefixtures("existing_table")
def test_the_sql_files_give_no_role_a_new_privilege_on_an_existing_table(stack: Stack) -> None:
    assert not is_allowed(stack, "anon", "select id from public.user_accounts")
    assert not is_allowed(stack, "authenticated", "delete from public.user_accounts")
    assert is_allowed(stack, "authenticated", "select id, company from public.user_accounts")


@pytest.mark.usefixtures("existing_table")
def test_the_customers_policy_on_an_existing_table_stays_beside_the_services_policy(
    stack: Stack,
) -> None:
    query = "select policyname from pg_policies where tablename = 'user_accounts' order by 1"
    names = [row["policyname"] for row in stack.sql(query)]
    assert names == ["connector: people read their own row", "customers_own"]
