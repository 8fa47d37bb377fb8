"""The customer's own table: what the person it is about may see of it, and what of it we leave alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from connector.errors import Misconfigured
from connector.model import UserId
from connector.store import Store
from connector.store.supabase import Supabase
from tests.stack import Stack

from .people import BAR, SHOP, connect, person
from .test_closed import Visitor, allowed
from .test_sql import SCRIPTS

CANARY = "sealed-canary"
SHOWN = "id,tiktok_account_id,tiktok_business_id"


@pytest.fixture
async def store(stack: Stack) -> AsyncIterator[Store]:
    stack.truncate()
    database = Supabase(stack.url, SecretStr(stack.service_role_key))
    await database.open()
    yield Store(database)
    await database.close()


@pytest.fixture
def me() -> UserId:
    return person()


@pytest.fixture
async def visitor(stack: Stack, store: Store, me: UserId) -> AsyncIterator[Visitor]:
    """Signed in; there is a row for them and one for somebody else."""
    if not stack.sql("select 1 from public.user_accounts"):
        await connect(store, me, chosen=SHOP, account_token=CANARY)
        await connect(store, chosen=BAR, account_token=CANARY)
    headers = {"apikey": stack.anon_key, "Authorization": f"Bearer {stack.user_token(me)}"}
    async with ClientSession(headers=headers) as session:
        yield Visitor(session, stack.url)


async def test_people_read_their_own_row_and_nobody_elses(visitor: Visitor, me: UserId) -> None:
    row = {"id": me, "tiktok_account_id": SHOP.name, "tiktok_business_id": SHOP.id}
    assert await visitor.ask("GET", f"user_accounts?select={SHOWN}") == (200, [row])


async def test_strangers_read_nothing(stack: Stack, visitor: Visitor) -> None:
    async with ClientSession(headers={"apikey": stack.anon_key}) as session:
        stranger = Visitor(session, stack.url)
        assert await stranger.ask("GET", f"user_accounts?select={SHOWN}") == (200, [])


async def test_the_customers_server_reads_the_token(stack: Stack, visitor: Visitor) -> None:
    key = stack.service_role_key
    headers = {"apikey": key, "Authorization": f"Bearer {key}"}
    async with ClientSession(headers=headers) as session:
        status, rows = await Visitor(session, stack.url).ask("GET", "user_accounts")
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
async def test_the_token_column_is_out_of_reach(
    visitor: Visitor, me: UserId, method: str, query: str
) -> None:
    given: dict[str, Any] = {"headers": {"Prefer": "return=representation"}}
    if method == "PATCH":
        given["json"] = {"id": me}
    status, said = await visitor.ask(method, f"user_accounts{query}", **given)
    assert (status, said["code"]) == (403, "42501")
    assert CANARY not in str(said)


@pytest.mark.parametrize(
    "column", ["tiktok_access_token", "tiktok_account_id", "tiktok_business_id"]
)
async def test_people_cannot_write_what_is_ours(
    stack: Stack, visitor: Visitor, me: UserId, column: str
) -> None:
    before = stack.sql("select to_jsonb(u) from public.user_accounts u order by id")
    changed = await visitor.ask("PATCH", f"user_accounts?id=eq.{me}", json={column: "forged"})
    added = await visitor.ask("POST", "user_accounts", json={"id": person(), column: "forged"})
    for status, said in (changed, added):
        assert (status, said["code"]) == (403, "42501")
    assert stack.sql("select to_jsonb(u) from public.user_accounts u order by id") == before


def test_a_missing_table_is_made_with_the_columns_of_the_contract(stack: Stack) -> None:
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


# A table that was there before us


@pytest.fixture
def theirs(stack: Stack, store: Store, me: UserId) -> Iterator[None]:
    """Columns, a policy and privileges of the customer's own, and a row for one person."""
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
        create policy theirs on public.user_accounts for update to authenticated
            using (auth.uid() = id);
        insert into public.user_accounts values ('{me}', 'Müller', 'gold');
        reset role;
        """
    )
    stack.apply(*SCRIPTS)
    stack.reload()
    yield
    stack.script("drop table public.user_accounts")
    stack.apply(*SCRIPTS)
    stack.reload()


def test_an_existing_table_keeps_its_values(stack: Stack, theirs: None, me: UserId) -> None:
    [row] = stack.sql("select * from public.user_accounts")
    assert (str(row["id"]), row["company"], row["plan"]) == (me, "Müller", "gold")
    assert row["tiktok_access_token"] is None


async def test_a_choice_touches_only_our_columns(
    stack: Stack, theirs: None, store: Store, me: UserId
) -> None:
    id = await connect(store, me, chosen=SHOP, account_token=CANARY)
    await store.choose(id, chosen=BAR, account_token=CANARY, now=(await shown_at(store, id)))
    [row] = stack.sql("select * from public.user_accounts")
    assert (row["company"], row["plan"], row["tiktok_business_id"]) == ("Müller", "gold", BAR.id)
    await store.begin_revoke(id, now=(await shown_at(store, id)))
    [row] = stack.sql("select * from public.user_accounts")
    assert (row["company"], row["plan"], row["tiktok_business_id"]) == ("Müller", "gold", None)


async def shown_at(store: Store, id: str) -> Any:
    shown = await store.connection(id)
    assert shown is not None
    return shown.updated_at


async def test_a_row_we_could_only_make_incomplete_is_the_operators_to_mend(
    stack: Stack, theirs: None, store: Store
) -> None:
    with pytest.raises(Misconfigured, match="must not be null"):
        await connect(store, person(), chosen=SHOP)
    assert stack.sql("select 1 from connector.connections") == []


async def test_people_keep_what_they_could_do_with_the_customers_columns(
    stack: Stack, theirs: None, visitor: Visitor, me: UserId
) -> None:
    address = f"user_accounts?id=eq.{me}&select=company,plan"
    given: dict[str, Any] = {"headers": {"Prefer": "return=representation"}}
    changed = await visitor.ask("PATCH", address, json={"company": "Söhne"}, **given)
    assert changed == (200, [{"company": "Söhne", "plan": "gold"}])


@pytest.mark.parametrize(
    "change", [{"tiktok_business_id": "1"}, {"company": "x", "tiktok_access_token": "y"}]
)
async def test_but_gain_nothing_over_ours(
    theirs: None, visitor: Visitor, change: dict[str, str]
) -> None:
    status, said = await visitor.ask("PATCH", "user_accounts", json=change)
    assert (status, said["code"]) == (403, "42501")
    status, said = await visitor.ask("GET", "user_accounts?select=company,tiktok_access_token")
    assert (status, said["code"]) == (403, "42501")


def test_nobody_gains_a_privilege_they_had_not(stack: Stack, theirs: None) -> None:
    assert not allowed(stack, "anon", "select id from public.user_accounts")
    assert not allowed(stack, "authenticated", "delete from public.user_accounts")
    assert allowed(stack, "authenticated", "select id, company from public.user_accounts")


def test_the_customers_policy_stands_beside_ours(stack: Stack, theirs: None) -> None:
    query = "select policyname from pg_policies where tablename = 'user_accounts' order by 1"
    names = [row["policyname"] for row in stack.sql(query)]
    assert names == ["connector: people read their own row", "theirs"]
