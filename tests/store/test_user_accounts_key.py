"""The customer's table may have another primary key, and user ids that are no UUIDs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from aiohttp import ClientSession

from connector.model import UserId
from connector.store import ClaimedCode, UserAccountsReport
from connector.store.records import KeyColumn, Replacement
from tests.manual_clock import NOON
from tests.supabase_stack import Stack, schema_files

from .builders import BAR, SHOP, claim_code, connect, new_user_id, select
from .conftest import open_store, postgres, supabase
from .test_privileges import RestClient

NewTable = Callable[[str], None]

USERS = {
    "uuid": new_user_id(),
    "text": UserId("auth0|user 2abc/%'~"),
    "bigint": UserId("9223372036854775807"),
}


@pytest.fixture
def new_table(stack: Stack) -> Iterator[NewTable]:
    """Creates the customer's table with the given columns."""
    stack.truncate()

    def create(columns: str) -> None:
        stack.script(
            "set role postgres; drop table public.user_accounts; "
            f"create table public.user_accounts ({columns}); reset role;"
        )
        stack.apply(*schema_files())
        stack.reload_postgrest()

    yield create
    stack.script("drop table public.user_accounts")
    stack.apply(*schema_files())
    stack.reload_postgrest()


@pytest.mark.parametrize("key_type", ["uuid", "text", "bigint"])
@pytest.mark.parametrize("database", [supabase, postgres], ids=["supabase", "postgres"])
async def test_the_row_of_the_table_is_found_by_its_primary_key_of_any_name_and_type(
    stack: Stack,
    new_table: NewTable,
    database: Callable[[Stack], object],
    key_type: str,
) -> None:
    new_table(f'"customer Key" {key_type} primary key, plan text')
    user = USERS[key_type]
    escaped = user.replace("'", "''")
    all_rows = 'select "customer Key"::text as key, plan, tiktok_business_id from user_accounts'
    stack.script(f"insert into public.user_accounts values ('{escaped}', 'gold')")
    async with open_store(database(stack)) as store:  # type: ignore[arg-type]
        claim = await claim_code(store, "code", user)
        assert isinstance(claim, ClaimedCode)
        assert claim.mismatched_key_type is None
        id = await connect(store, user, accounts=[SHOP, BAR], selected_advertiser=SHOP)
        assert stack.sql(all_rows) == [{"key": user, "plan": "gold", "tiktok_business_id": SHOP.id}]
        claim = await claim_code(store, "second", user)
        assert isinstance(claim, ClaimedCode)
        assert claim.legacy_advertiser_id == SHOP.id
        await select(store, id, BAR, account_token="token")
        [row] = await store.list_ciphertexts("user_accounts", after_key=None)
        assert (row.row_key, row.user_id, row.ciphertext) == (user, user, "token")
        assert not await store.list_ciphertexts("user_accounts", after_key=user)
        await store.replace_ciphertexts(
            "user_accounts", [Replacement(row_key=user, old="token", new="newer")]
        )
        assert stack.sql("select tiktok_access_token as t from user_accounts") == [{"t": "newer"}]
        await store.mark_disconnected(id, now=NOON)
    assert stack.sql(all_rows) == [{"key": user, "plan": "gold", "tiktok_business_id": None}]


@pytest.mark.parametrize(
    ("key_type", "user_id"),
    [
        ("uuid", "anna"),
        ("uuid", "6f1c2a9e3b7d4c559a0e2f4b8d1c7e60"),
        ("bigint", "anna"),
        ("bigint", "007"),
        ("bigint", "-0"),
        ("bigint", "9223372036854775808"),
        ("bigint", "1e3"),
        ("bigint", " 1"),
    ],
)
async def test_a_claim_names_the_key_type_that_the_user_id_does_not_fit(
    stack: Stack, new_table: NewTable, key_type: str, user_id: str
) -> None:
    new_table(f"id {key_type} primary key")
    async with open_store(supabase(stack)) as store:
        claim = await claim_code(store, "code", UserId(user_id))
    assert isinstance(claim, ClaimedCode)
    assert claim.mismatched_key_type == key_type


@pytest.mark.parametrize(
    ("columns", "report"),
    [
        (
            "id uuid primary key",
            UserAccountsReport(
                key_columns=(KeyColumn(name="id", type="uuid"),),
                key_is_usable=True,
                required_columns=(),
            ),
        ),
        (
            "tenant text, person text, company text not null, primary key (tenant, person)",
            UserAccountsReport(
                key_columns=(
                    KeyColumn(name="tenant", type="text"),
                    KeyColumn(name="person", type="text"),
                ),
                key_is_usable=False,
                required_columns=("tenant", "person", "company"),
            ),
        ),
        (
            "id timestamptz primary key",
            UserAccountsReport(
                key_columns=(KeyColumn(name="id", type="timestamp with time zone"),),
                key_is_usable=False,
                required_columns=("id",),
            ),
        ),
        (
            "name text",
            UserAccountsReport(key_columns=(), key_is_usable=False, required_columns=()),
        ),
        (
            "id bigint primary key generated always as identity, company text not null",
            UserAccountsReport(
                key_columns=(KeyColumn(name="id", type="bigint"),),
                key_is_usable=True,
                required_columns=("company",),
            ),
        ),
    ],
)
async def test_the_report_names_what_is_wrong_with_the_table(
    stack: Stack, new_table: NewTable, columns: str, report: UserAccountsReport
) -> None:
    new_table(columns)
    async with open_store(postgres(stack)) as store:
        assert await store.check_user_accounts() == report
        claim = await claim_code(store, "code", UserId("1"))
    assert isinstance(claim, ClaimedCode)
    if not report.key_is_usable:
        assert claim.mismatched_key_type == "unsupported"


async def test_a_user_whose_id_is_no_uuid_reads_their_own_row_and_no_other(
    stack: Stack, new_table: NewTable
) -> None:
    new_table("person text primary key")
    user = UserId("user_2abc")
    async with open_store(supabase(stack)) as store:
        await connect(store, user, selected_advertiser=SHOP, account_token="canary")
        await connect(store, UserId("user_3def"), selected_advertiser=BAR, account_token="canary")
    headers = {"apikey": stack.anon_key, "Authorization": f"Bearer {stack.user_token(user)}"}
    async with ClientSession(headers=headers) as session:
        client = RestClient(session, stack.url)
        response = await client.request("GET", "user_accounts?select=person,tiktok_business_id")
        assert response == (200, [{"person": user, "tiktok_business_id": SHOP.id}])
        status, _ = await client.request("GET", "user_accounts?select=tiktok_access_token")
    assert status == 403


async def test_a_call_without_changes_of_user_accounts_works_with_an_unusable_table(
    stack: Stack, new_table: NewTable
) -> None:
    new_table("name text")
    async with open_store(supabase(stack)) as store:
        id = await connect(store, UserId("anna"), family="login_kit")
        assert await store.mark_disconnected(id, now=NOON) is not None
