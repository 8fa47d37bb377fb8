"""The service is ready in spite of warnings about the database, and names them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.running_service import AS_SERVER
from tests.supabase_stack import Stack, schema_files

from .conftest import Harness, StartService
from .test_health import metric_value

GRANT_ALL = "grant all on all functions in schema public to anon, authenticated"
GRANT_TOKEN = "grant select (tiktok_access_token) on public.user_accounts to authenticated"
DISABLE_SECURITY = "alter table connector.codes disable row level security"


@pytest.fixture(params=["supabase", "postgres"])
async def harness(
    request: pytest.FixtureRequest, start_service: StartService, stack: Stack
) -> Harness:
    stack.truncate()
    environment = stack.environment()
    if request.param == "postgres":
        environment["SUPABASE_DB_URL"] = stack.dsn
    return await start_service(**environment)


@pytest.fixture
def repaired(stack: Stack) -> Iterator[None]:
    yield
    stack.apply(*schema_files())


@pytest.fixture
def new_table(stack: Stack) -> Iterator[None]:
    yield
    stack.script("drop table public.user_accounts")
    stack.apply(*schema_files())
    stack.reload_postgrest()


def replace_table(stack: Stack, columns: str) -> None:
    stack.script(
        "set role postgres; drop table public.user_accounts; "
        f"create table public.user_accounts ({columns}); reset role;"
    )
    stack.apply(*schema_files())


@pytest.mark.usefixtures("repaired")
@pytest.mark.parametrize(
    ("statement", "kind", "message"),
    [
        (
            GRANT_ALL,
            "privileges",
            (
                "In the database, anon, authenticated must not have the privilege execute on "
                "public.connector_acquire_refresh_lease, "
            ),
        ),
        (
            GRANT_TOKEN,
            "privileges",
            (
                "In the database, authenticated must not have the privilege select on "
                "public.user_accounts.tiktok_access_token."
            ),
        ),
        (DISABLE_SECURITY, "row_level_security", "Row level security is off for connector.codes."),
    ],
)
async def test_a_wrong_privilege_is_a_warning_until_sql_is_applied_again(
    harness: Harness, stack: Stack, statement: str, kind: str, message: str
) -> None:
    stack.script(f"set role postgres; {statement}; reset role")
    await harness.service.warnings.refresh()
    response = await harness.get("/readyz")
    assert (response.status, response.json["status"]) == (200, "ready")
    [warning] = response.json["warnings"]
    assert warning["kind"] == kind
    assert warning["message"].startswith(message)
    assert "To repair: apply sql/tables/*.sql, then sql/functions/*.sql" in warning["message"]
    metrics = (await harness.get("/metrics", AS_SERVER)).text
    assert metric_value(metrics, "connector_warnings", kind=kind) == 1
    stack.apply(*schema_files())
    await harness.service.warnings.refresh()
    assert (await harness.get("/readyz")).json["warnings"] == []
    assert (
        f'connector_warnings{{kind="{kind}"}} 0.0'
        in (await harness.get("/metrics", AS_SERVER)).text
    )


@pytest.mark.usefixtures("new_table")
@pytest.mark.parametrize(
    ("columns", "warnings"),
    [
        (
            "tenant text, person text, primary key (tenant, person)",
            {
                "user_accounts_key": "The primary key of public.user_accounts has several columns: "
                "tenant, person."
            },
        ),
        (
            "born date primary key",
            {
                "user_accounts_key": "The primary key born of public.user_accounts has the type date."
            },
        ),
        (
            "person text",
            {
                "user_accounts_key": "The table public.user_accounts is missing or has no primary key."
            },
        ),
        (
            "person text primary key, company text not null, plan text not null default 'free'",
            {
                "user_accounts_required_columns": "In public.user_accounts, company must not be null "
                "and has no default"
            },
        ),
        ("person bigint primary key, company text", {}),
        (
            "person text primary key, tiktok_business_id bigint, tiktok_account_id text not null",
            {
                "user_accounts_columns": "In public.user_accounts, tiktok_business_id, "
                "tiktok_account_id is not text"
            },
        ),
        (
            "person text primary key, tiktok_access_token varchar(254)",
            {"user_accounts_columns": "In public.user_accounts, tiktok_access_token is not text"},
        ),
        ("person text primary key, tiktok_access_token varchar(255)", {}),
    ],
)
async def test_what_is_wrong_with_the_customers_table_is_a_warning(
    harness: Harness, stack: Stack, columns: str, warnings: dict[str, str]
) -> None:
    replace_table(stack, columns)
    await harness.service.warnings.refresh()
    response = await harness.get("/readyz")
    assert response.status == 200
    found = {warning["kind"]: warning["message"] for warning in response.json["warnings"]}
    assert found.keys() == warnings.keys()
    for kind, message in warnings.items():
        assert found[kind].startswith(message)


async def test_the_service_is_ready_although_the_query_of_the_warnings_fails(
    harness: Harness, stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    name = "public.connector_list_privilege_problems()"
    stack.script(f"alter function {name} rename to renamed")
    stack.reload_postgrest()
    try:
        await harness.service.warnings.refresh()
        response = await harness.get("/readyz")
    finally:
        stack.script("alter function public.renamed() rename to connector_list_privilege_problems")
        stack.reload_postgrest()
    assert (response.status, response.json["warnings"]) == (200, [])
    assert "warnings not updated error=configuration" in caplog.text


async def test_readyz_asks_the_database_only_for_the_schema(harness: Harness, stack: Stack) -> None:
    await harness.service.warnings.refresh()
    stack.script(GRANT_ALL)
    try:
        assert (await harness.get("/readyz")).json["warnings"] == []
    finally:
        stack.script("call connector.restrict_privileges()")
