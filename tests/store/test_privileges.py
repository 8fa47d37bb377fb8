"""The keys of a website's visitors give access to no table or function of the service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession

from connector.model import UserId
from tests.supabase_stack import Stack, schema_files

from .builders import new_user_id
from .test_sql import SHARED_OPERATIONS

PUBLIC_ROLES = ["anon", "authenticated"]
TABLES = [
    "connections",
    "codes",
    "events",
    "attempts",
    "audit",
    "ended_sessions",
    "schema",
    "connection_summaries",
    "connection_details",
    "stored_tokens",
]
ACCESS_DENIED = {"42501", "PGRST202"}
"""Insufficient privilege; or PostgREST does not know the function at all."""


class RestClient:
    """Calls PostgREST with the key and the token of one caller."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self._session = session
        self._url = f"{url}/rest/v1"

    async def request(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        async with self._session.request(method, f"{self._url}/{path}", **options) as response:
            return response.status, await response.json()

    async def call(self, operation: str) -> tuple[int, Any]:
        """Calls the function with null for each argument."""
        arguments = dict.fromkeys(f"p_{name}" for name in SHARED_OPERATIONS[operation])
        return await self.request("POST", f"rpc/connector_{operation}", json=arguments)


@pytest.fixture
def user_id() -> UserId:
    return new_user_id()


@pytest.fixture(params=PUBLIC_ROLES)
async def public_client(
    stack: Stack, request: pytest.FixtureRequest, user_id: UserId
) -> AsyncIterator[RestClient]:
    token = stack.anon_key if request.param == "anon" else stack.user_token(user_id)
    headers = {"apikey": stack.anon_key, "Authorization": f"Bearer {token}"}
    async with ClientSession(headers=headers) as session:
        yield RestClient(session, stack.url)


def is_allowed(stack: Stack, role: str, statement: str) -> bool:
    try:
        stack.script(f"begin; set local role {role}; {statement}; rollback")
    except asyncpg.InsufficientPrivilegeError:
        stack.script("rollback")
        return False
    return True


# Privileges


@pytest.mark.parametrize("operation", SHARED_OPERATIONS)
async def test_no_operation_can_be_called_with_a_public_key(
    public_client: RestClient, operation: str
) -> None:
    status, body = await public_client.call(operation)
    assert status in (401, 403, 404), body
    assert body["code"] in ACCESS_DENIED, body


@pytest.mark.parametrize("table", TABLES)
async def test_postgrest_exposes_no_table_of_the_connector_schema(
    public_client: RestClient, table: str
) -> None:
    assert (await public_client.request("GET", table))[0] == 404
    headers = {"Accept-Profile": "connector"}
    status, body = await public_client.request("GET", table, headers=headers)
    assert (status, body["code"]) == (406, "PGRST106")


@pytest.mark.parametrize("role", [*PUBLIC_ROLES, "service_role"])
@pytest.mark.parametrize("table", TABLES)
def test_no_role_but_the_owner_can_read_a_table_of_the_connector_schema_in_sql(
    stack: Stack, role: str, table: str
) -> None:
    assert not is_allowed(stack, role, f"select from connector.{table}")


@pytest.fixture
def additions(stack: Stack) -> Iterator[None]:
    """A table and functions that a later version, or an operator, adds without revoking privileges."""
    stack.script(
        """
        set role postgres;
        create table connector.added (token text);
        create function connector.added() returns int language sql as 'select 1';
        create function public.connector_added() returns int language sql as 'select 1';
        reset role;
        """
    )
    yield
    stack.script(
        """
        drop table connector.added;
        drop function connector.added();
        drop function public.connector_added();
        """
    )


@pytest.mark.parametrize("role", PUBLIC_ROLES)
def test_a_table_or_function_added_to_the_connector_schema_is_not_accessible(
    stack: Stack, additions: None, role: str
) -> None:
    assert not is_allowed(stack, role, "select from connector.added")
    assert not is_allowed(stack, role, "select connector.added()")


@pytest.mark.parametrize("role", PUBLIC_ROLES)
def test_a_function_added_by_hand_is_not_accessible_after_the_sql_files_are_applied_again(
    stack: Stack, additions: None, role: str
) -> None:
    stack.apply(*schema_files())
    assert not is_allowed(stack, role, "select public.connector_added()")
    assert is_allowed(stack, "service_role", "select public.connector_added()")


# The check inside the functions, for the case that an operator grants the privileges again


@pytest.fixture(
    params=[
        "grant execute on function public.connector_{operation} to anon, authenticated",
        "grant all on all functions in schema public to anon, authenticated",
        "grant all on all functions in schema public to public",
    ]
)
def granted(stack: Stack, request: pytest.FixtureRequest, operation: str) -> Iterator[None]:
    stack.script(request.param.format(operation=operation))
    yield
    stack.script("call connector.restrict_privileges()")


@pytest.mark.usefixtures("granted")
@pytest.mark.parametrize("operation", SHARED_OPERATIONS)
async def test_an_operation_refuses_a_public_key_although_execute_was_granted(
    public_client: RestClient, operation: str
) -> None:
    status, body = await public_client.call(operation)
    assert status in (401, 403)
    assert body["code"] == "42501"
    assert body["message"] == "Only service_role and the owner of this function may call it."


@pytest.mark.usefixtures("granted")
@pytest.mark.parametrize("operation", ["schema_version"])
@pytest.mark.parametrize("role", PUBLIC_ROLES)
def test_an_operation_refuses_a_public_role_in_sql_although_execute_was_granted(
    stack: Stack, role: str, operation: str
) -> None:
    assert not is_allowed(stack, role, f"select public.connector_{operation}()")


async def test_an_operation_accepts_the_service_key_through_postgrest(stack: Stack) -> None:
    key = stack.service_role_key
    headers = {"apikey": key, "Authorization": f"Bearer {key}"}
    async with ClientSession(headers=headers) as session:
        status, rows = await RestClient(session, stack.url).call("schema_version")
    assert (status, len(rows)) == (200, 1)


@pytest.mark.parametrize("role", ["none", "postgres", "service_role"])
async def test_an_operation_accepts_a_direct_connection_of_the_owner(
    stack: Stack, role: str
) -> None:
    connection = await asyncpg.connect(stack.dsn)
    await connection.execute(f"set role {role}")
    rows = await connection.fetch("select * from public.connector_schema_version()")
    await connection.close()
    assert len(rows) == 1


async def test_an_operation_refuses_a_direct_connection_of_another_login_role(
    stack: Stack,
) -> None:
    """`authenticator` may become service_role, but it has not done so."""
    stack.script("grant execute on function public.connector_schema_version to authenticator")
    connection = await asyncpg.connect(stack.dsn.replace("postgres@", "authenticator@"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="Only service_role"):
        await connection.fetch("select * from public.connector_schema_version()")
    await connection.close()
    stack.script("revoke execute on function public.connector_schema_version from authenticator")
