"""What the keys that every visitor has can reach: nothing of ours. Through PostgREST, as they would."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession

from connector.model import UserId
from tests.stack import Stack

from .people import person
from .test_sql import BLOCKS, SCRIPTS, said_by_sqlite

ROLES = ["anon", "authenticated"]
REFUSED = {"42501", "PGRST202"}


class Visitor:
    def __init__(self, session: ClientSession, url: str) -> None:
        self._session = session
        self._url = f"{url}/rest/v1"

    async def ask(self, method: str, path: str, **given: Any) -> tuple[int, Any]:
        async with self._session.request(method, f"{self._url}/{path}", **given) as answer:
            return answer.status, await answer.json()


@pytest.fixture
def me() -> UserId:
    return person()


@pytest.fixture(params=ROLES)
async def visitor(
    stack: Stack, request: pytest.FixtureRequest, me: UserId
) -> AsyncIterator[Visitor]:
    token = stack.anon_key if request.param == "anon" else stack.user_token(me)
    headers = {"apikey": stack.anon_key, "Authorization": f"Bearer {token}"}
    async with ClientSession(headers=headers) as session:
        yield Visitor(session, stack.url)


@pytest.mark.parametrize("operation", said_by_sqlite())
async def test_no_operation_can_be_called(visitor: Visitor, operation: str) -> None:
    arguments = dict.fromkeys(f"p_{name}" for name in BLOCKS[operation].arguments)
    status, said = await visitor.ask("POST", f"rpc/connector_{operation}", json=arguments)
    assert (status in (401, 403, 404), said["code"] in REFUSED) == (True, True), said


TABLES = ["connections", "codes", "events", "attempts", "schema", "shown", "kept"]


@pytest.mark.parametrize("table", TABLES)
async def test_no_table_of_ours_has_an_address(visitor: Visitor, table: str) -> None:
    assert (await visitor.ask("GET", table))[0] == 404
    status, said = await visitor.ask("GET", table, headers={"Accept-Profile": "connector"})
    assert (status, said["code"]) == (406, "PGRST106")


def allowed(stack: Stack, role: str, statement: str) -> bool:
    try:
        stack.script(f"begin; set local role {role}; {statement}; rollback")
    except asyncpg.InsufficientPrivilegeError:
        stack.script("rollback")
        return False
    return True


@pytest.mark.parametrize("role", [*ROLES, "service_role"])
@pytest.mark.parametrize("table", TABLES)
def test_not_even_in_sql_is_a_table_reachable_past_the_operations(
    stack: Stack, role: str, table: str
) -> None:
    assert not allowed(stack, role, f"select from connector.{table}")


@pytest.fixture
def newcomers(stack: Stack) -> Iterator[None]:
    """What a later version, or a hurried operator, might add without a word about who may use it."""
    stack.script(
        """
        set role postgres;
        create table connector.later (token text);
        create function connector.later() returns int language sql as 'select 1';
        create function public.connector_later() returns int language sql as 'select 1';
        reset role;
        """
    )
    yield
    stack.script(
        """
        drop table connector.later;
        drop function connector.later();
        drop function public.connector_later();
        """
    )


@pytest.mark.parametrize("role", ROLES)
def test_what_is_added_to_our_schema_is_closed_by_default(
    stack: Stack, newcomers: None, role: str
) -> None:
    assert not allowed(stack, role, "select from connector.later")
    assert not allowed(stack, role, "select connector.later()")


@pytest.mark.parametrize("role", ROLES)
def test_an_operation_added_by_hand_is_closed_when_the_scripts_run_again(
    stack: Stack, newcomers: None, role: str
) -> None:
    stack.apply(*SCRIPTS)
    assert not allowed(stack, role, "select public.connector_later()")
    assert allowed(stack, "service_role", "select public.connector_later()")
