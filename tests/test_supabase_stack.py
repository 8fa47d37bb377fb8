from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import jwt
import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout
from supabase import acreate_client

from . import supabase_stack as module
from .supabase_gateway import Fault, SigningKey
from .supabase_stack import ROOT, Stack
from .temporary_directories import remove_abandoned_directories

NOTES = """
    drop table if exists public.notes;
    create table public.notes (owner uuid not null, text text not null);
    alter table public.notes owner to postgres;
"""


@pytest.fixture
def notes(stack: Stack) -> Iterator[None]:
    """A table that an operator created without revoking any privilege."""
    stack.script(f"set role postgres; {NOTES} reset role")
    stack.reload_postgrest()
    yield
    stack.script("drop table public.notes")
    stack.reload_postgrest()


@pytest.fixture
async def http(stack: Stack) -> AsyncIterator[ClientSession]:
    async with ClientSession(headers={"apikey": stack.anon_key}) as session:
        yield session


# supabase-py triggers these warnings itself.
@pytest.mark.filterwarnings("ignore:The '(timeout|verify)' parameter:DeprecationWarning")
async def test_supabase_py_can_insert_and_select_through_the_stack(
    stack: Stack, notes: None
) -> None:
    client = await acreate_client(stack.url, stack.service_role_key)
    row = {"owner": str(uuid4()), "text": "hello"}
    await client.table("notes").insert(row).execute()
    response = await client.table("notes").select("owner,text").execute()
    await client.postgrest.aclose()
    assert response.data == [row]


async def test_anon_can_write_to_a_new_public_table_until_its_privileges_are_revoked(
    stack: Stack, notes: None, http: ClientSession
) -> None:
    row = {"owner": str(uuid4()), "text": "from anon"}
    async with http.post(f"{stack.url}/rest/v1/notes", json=row) as response:
        assert response.status == 201


async def test_row_level_security_shows_a_user_their_own_rows_and_the_service_role_all_rows(
    stack: Stack, notes: None, http: ClientSession
) -> None:
    user, other_user = str(uuid4()), str(uuid4())
    stack.script(
        f"""
        insert into public.notes values ('{user}', 'own'), ('{other_user}', 'other');
        alter table public.notes enable row level security;
        create policy own on public.notes using (owner = auth.uid());
        """
    )
    tokens = {
        stack.anon_key: [],
        stack.user_token(user): [{"text": "own"}],
        stack.service_role_key: [{"text": "other"}, {"text": "own"}],
    }
    for token, expected in tokens.items():
        url = f"{stack.url}/rest/v1/notes?select=text&order=text"
        async with http.get(url, headers={"Authorization": f"Bearer {token}"}) as response:
            assert await response.json() == expected


@pytest.mark.parametrize("headers", [{}, {"apikey": "wrong"}])
async def test_the_gateway_rejects_a_request_without_a_valid_api_key(
    stack: Stack, headers: dict[str, str]
) -> None:
    async with (
        ClientSession() as http,
        http.get(f"{stack.url}/rest/v1/", headers=headers) as response,
    ):
        assert response.status == 401


def test_the_operators_role_is_not_a_superuser(stack: Stack) -> None:
    query = "select rolsuper, rolbypassrls from pg_roles where rolname = $1"
    assert stack.sql(query, "postgres") == [{"rolsuper": False, "rolbypassrls": True}]


def test_truncate_does_not_delete_the_rows_that_the_schema_inserted(stack: Stack) -> None:
    filled = {row["name"] for row in stack.sql(module.TABLES)} - set(stack.initially_empty_tables)
    before = {name: stack.sql(f"select count(*) from {name}") for name in filled}
    stack.sql("insert into auth.users (id) values ($1)", uuid4())
    stack.truncate()
    assert stack.sql("select count(*) from auth.users") == [{"count": 0}]
    assert {name: stack.sql(f"select count(*) from {name}") for name in filled} == before


@pytest.mark.parametrize(("fault", "written"), [("down", 0), ("hang", 0), ("drop_after", 1)])
async def test_a_gateway_fault_leaves_the_caller_without_a_response(
    stack: Stack, notes: None, http: ClientSession, fault: Fault, written: int
) -> None:
    row = {"owner": str(uuid4()), "text": "lost?"}
    with stack.gateway.failing(fault), pytest.raises((ClientError, TimeoutError)):
        await http.post(f"{stack.url}/rest/v1/notes", json=row, timeout=ClientTimeout(0.5))
    assert stack.sql("select count(*) from public.notes") == [{"count": written}]


async def test_a_gateway_fault_can_be_limited_to_one_path(
    stack: Stack, notes: None, http: ClientSession
) -> None:
    with stack.gateway.failing("503", on="/notes"):
        async with http.get(f"{stack.url}/rest/v1/notes") as response:
            assert response.status == 503
        async with http.get(f"{stack.url}/rest/v1/") as response:
            assert response.status == 200
    async with http.get(f"{stack.url}/rest/v1/notes") as response:
        assert response.status == 200


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_the_gateway_publishes_the_keys_that_user_tokens_are_signed_with(
    stack: Stack, http: ClientSession, algorithm: str
) -> None:
    key = SigningKey("ES256" if algorithm == "ES256" else "RS256")
    stack.gateway.signing_keys = [key]
    fetches = stack.gateway.jwks_fetches
    async with http.get(f"{stack.url}/auth/v1/.well-known/jwks.json") as response:
        published = jwt.PyJWKSet.from_dict(await response.json())
    token = stack.user_token("somebody", key=key)
    claims = jwt.decode(token, published[key.id], [algorithm], audience="authenticated")
    assert claims["sub"] == "somebody"
    assert stack.gateway.jwks_fetches == fetches + 1
    stack.gateway.signing_keys = []


def test_the_stack_command_prints_settings_and_leaves_no_process_or_file_after_a_kill() -> None:
    runner = subprocess.Popen(
        [sys.executable, "-m", "tests.supabase_stack"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert runner.stdout is not None
    with runner.stdout as lines:
        printed = [next(lines) for _ in range(7)]
    assert printed[0].startswith("export SUPABASE_URL=http://127.0.0.1:")
    child_ids = Path(f"/proc/{runner.pid}/task/{runner.pid}/children").read_text().split()
    assert len(child_ids) == 2, "PostgreSQL and PostgREST"
    directory = Path(printed[-1].split()[-1])
    assert directory.is_dir()
    children = [os.pidfd_open(int(pid)) for pid in child_ids]
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    for child in children:
        readable, _, _ = select.select([child], [], [], 10)
        os.close(child)
        assert readable
    remove_abandoned_directories(module.PREFIX)
    assert not directory.exists()
