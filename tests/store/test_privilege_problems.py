"""The report of the privileges names what a restore or a `grant` gave back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession

from connector.store import Database, PrivilegeProblem, Store
from tests.supabase_stack import Stack, schema_files

from .builders import new_user_id
from .conftest import open_store, postgres, supabase
from .test_privileges import PUBLIC_ROLES, RestClient
from .test_sql import SHARED_OPERATIONS

Problem = tuple[str | None, str, str]
TOKEN = "public.user_accounts.tiktok_access_token"

GRANTS: dict[str, set[Problem]] = {
    "grant execute on function public.connector_list_connections to anon": {
        ("anon", "execute", "public.connector_list_connections"),
    },
    "grant execute on function public.connector_list_connections to public": {
        (role, "execute", "public.connector_list_connections")
        for role in ("public", "anon", "authenticated")
    },
    "grant usage on schema connector to authenticated": {("authenticated", "usage", "connector")},
    "grant delete on connector.events to anon": {("anon", "delete", "connector.events")},
    "grant select (encrypted_tokens) on connector.connections to anon": {
        ("anon", "select", "connector.connections"),
    },
    "grant select on connector.stored_tokens to authenticated": {
        ("authenticated", "select", "connector.stored_tokens"),
    },
    "grant select (tiktok_access_token) on public.user_accounts to authenticated": {
        ("authenticated", "select", TOKEN),
    },
    "grant select on public.user_accounts to anon": {("anon", "select", TOKEN)},
    "grant update (tiktok_business_id) on public.user_accounts to authenticated": {
        ("authenticated", "update", "public.user_accounts.tiktok_business_id"),
    },
    "grant insert on public.user_accounts to anon": {
        ("anon", "insert", f"public.user_accounts.{column}")
        for column in ("tiktok_access_token", "tiktok_account_id", "tiktok_business_id")
    },
    "alter table connector.codes disable row level security": {
        (None, "row level security", "connector.codes"),
    },
    "alter table public.user_accounts disable row level security": {
        (None, "row level security", "public.user_accounts"),
    },
}


async def problems_of(store: Store) -> set[Problem]:
    problems = await store.list_privilege_problems()
    return {(problem.role_name, problem.privilege, problem.object_name) for problem in problems}


@pytest.fixture(params=[supabase, postgres], ids=["supabase", "postgres"])
def connect(request: pytest.FixtureRequest) -> Callable[[Stack], Database]:
    connect: Callable[[Stack], Database] = request.param
    return connect


@pytest.fixture
def changed(stack: Stack, statement: str) -> Iterator[None]:
    stack.script(f"set role postgres; {statement}; reset role")
    yield
    stack.apply(*schema_files())


async def test_a_database_that_was_set_up_with_sql_has_no_privilege_problem(store: Store) -> None:
    assert await store.list_privilege_problems() == []


@pytest.mark.usefixtures("changed")
@pytest.mark.parametrize("statement", GRANTS)
async def test_a_wrong_privilege_is_reported_until_sql_is_applied_again(
    stack: Stack, statement: str, connect: Callable[[Stack], Database]
) -> None:
    async with open_store(connect(stack)) as store:
        assert await problems_of(store) == GRANTS[statement]
        stack.apply(*schema_files())
        assert await problems_of(store) == set()


@pytest.mark.usefixtures("changed")
@pytest.mark.parametrize(
    "statement", ["grant all on all functions in schema public to anon, authenticated"]
)
async def test_a_grant_of_all_functions_is_reported_for_every_function_and_both_roles(
    stack: Stack, connect: Callable[[Stack], Database]
) -> None:
    async with open_store(connect(stack)) as store:
        assert await store.list_privilege_problems() == [
            PrivilegeProblem(
                role_name=role,
                privilege="execute",
                object_name=f"public.connector_{operation}",
            )
            for role in PUBLIC_ROLES
            for operation in sorted(SHARED_OPERATIONS)
        ]


# A dump that was restored under Supabase's default privileges


@contextmanager
def restored_dump(stack: Stack, folder: Path) -> Iterator[Stack]:
    """A new project, into which an operator restores a dump of the other."""
    dump = folder / "dump.sql"
    dump.write_text(stack.dump("--exclude-schema=auth", "--exclude-schema=extensions"))
    with Stack(files=[dump]) as restored:
        yield restored


@pytest.fixture(scope="module")
def restored(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with restored_dump(stack, tmp_path_factory.mktemp("dump")) as restored:
        yield restored


@pytest.mark.parametrize("role", PUBLIC_ROLES)
@pytest.mark.parametrize("operation", SHARED_OPERATIONS)
async def test_an_operation_of_a_restored_database_refuses_a_public_key(
    restored: Stack, operation: str, role: str
) -> None:
    token = restored.anon_key if role == "anon" else restored.user_token(new_user_id())
    headers = {"apikey": restored.anon_key, "Authorization": f"Bearer {token}"}
    async with ClientSession(headers=headers) as session:
        status, body = await RestClient(session, restored.url).call(operation)
    assert (status, body["code"]) == (401 if role == "anon" else 403, "42501")
    assert body["message"] == "Only service_role and the owner of this function may call it."


async def test_the_privileges_that_a_restore_gave_back_are_reported_until_sql_is_applied_again(
    stack: Stack, tmp_path: Path
) -> None:
    functions = {f"public.connector_{operation}" for operation in SHARED_OPERATIONS}
    with restored_dump(stack, tmp_path) as restored:
        async with (
            open_store(supabase(restored)) as through_postgrest,
            open_store(postgres(restored)) as direct,
        ):
            problems = await problems_of(direct)
            assert await problems_of(through_postgrest) == problems
            for role in PUBLIC_ROLES:
                assert (role, "select", TOKEN) in problems
                assert {
                    o for who, how, o in problems if (who, how) == (role, "execute")
                } == functions
            restored.apply(*schema_files())
            assert await problems_of(direct) == set()
