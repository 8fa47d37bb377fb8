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

from . import stack as module
from .gateway import Fault, SigningKey
from .stack import ROOT, Stack

NOTES = """
    drop table if exists public.notes;
    create table public.notes (owner uuid not null, text text not null);
    alter table public.notes owner to postgres;
"""


@pytest.fixture
def notes(stack: Stack) -> Iterator[None]:
    """A table such as an operator might make, with nothing said about who may touch it."""
    stack.script(f"set role postgres; {NOTES} reset role")
    stack.reload()
    yield
    stack.script("drop table public.notes")
    stack.reload()


@pytest.fixture
async def http(stack: Stack) -> AsyncIterator[ClientSession]:
    async with ClientSession(headers={"apikey": stack.anon_key}) as session:
        yield session


# supabase-py warns of what it does itself.
@pytest.mark.filterwarnings("ignore:The '(timeout|verify)' parameter:DeprecationWarning")
async def test_supabase_py_finds_everything_where_it_expects_it(stack: Stack, notes: None) -> None:
    client = await acreate_client(stack.url, stack.service_role_key)
    row = {"owner": str(uuid4()), "text": "hello"}
    await client.table("notes").insert(row).execute()
    answer = await client.table("notes").select("owner,text").execute()
    await client.postgrest.aclose()
    assert answer.data == [row]


async def test_a_new_table_in_public_is_everybodys_until_revoked(
    stack: Stack, notes: None, http: ClientSession
) -> None:
    row = {"owner": str(uuid4()), "text": "from a stranger"}
    async with http.post(f"{stack.url}/rest/v1/notes", json=row) as answer:
        assert answer.status == 201


async def test_a_person_sees_their_own_rows_and_the_service_role_sees_all(
    stack: Stack, notes: None, http: ClientSession
) -> None:
    mine, theirs = str(uuid4()), str(uuid4())
    stack.script(
        f"""
        insert into public.notes values ('{mine}', 'mine'), ('{theirs}', 'theirs');
        alter table public.notes enable row level security;
        create policy own on public.notes using (owner = auth.uid());
        """
    )
    tokens = {
        stack.anon_key: [],
        stack.user_token(mine): [{"text": "mine"}],
        stack.service_role_key: [{"text": "mine"}, {"text": "theirs"}],
    }
    for token, expected in tokens.items():
        url = f"{stack.url}/rest/v1/notes?select=text&order=text"
        async with http.get(url, headers={"Authorization": f"Bearer {token}"}) as answer:
            assert await answer.json() == expected


@pytest.mark.parametrize("headers", [{}, {"apikey": "wrong"}])
async def test_the_gateway_asks_for_an_api_key(stack: Stack, headers: dict[str, str]) -> None:
    async with (
        ClientSession() as http,
        http.get(f"{stack.url}/rest/v1/", headers=headers) as answer,
    ):
        assert answer.status == 401


def test_the_operator_is_no_superuser(stack: Stack) -> None:
    query = "select rolsuper, rolbypassrls from pg_roles where rolname = $1"
    assert stack.sql(query, "postgres") == [{"rolsuper": False, "rolbypassrls": True}]


def test_truncate_keeps_what_the_schema_itself_put_in(stack: Stack) -> None:
    filled = {name["name"] for name in stack.sql(module.TABLES)} - set(stack.empty_at_first)
    before = {name: stack.sql(f"select count(*) from {name}") for name in filled}
    stack.sql("insert into auth.users (id) values ($1)", uuid4())
    stack.truncate()
    assert stack.sql("select count(*) from auth.users") == [{"count": 0}]
    assert {name: stack.sql(f"select count(*) from {name}") for name in filled} == before


@pytest.mark.parametrize(("fault", "written"), [("down", 0), ("hang", 0), ("drop_after", 1)])
async def test_a_fault_leaves_the_caller_without_an_answer(
    stack: Stack, notes: None, http: ClientSession, fault: Fault, written: int
) -> None:
    row = {"owner": str(uuid4()), "text": "lost?"}
    with stack.gateway.failing(fault), pytest.raises((ClientError, TimeoutError)):
        await http.post(f"{stack.url}/rest/v1/notes", json=row, timeout=ClientTimeout(0.5))
    assert stack.sql("select count(*) from public.notes") == [{"count": written}]


async def test_a_fault_can_be_an_honest_503_for_one_address_only(
    stack: Stack, notes: None, http: ClientSession
) -> None:
    with stack.gateway.failing("503", on="/notes"):
        async with http.get(f"{stack.url}/rest/v1/notes") as answer:
            assert answer.status == 503
        async with http.get(f"{stack.url}/rest/v1/") as answer:
            assert answer.status == 200
    async with http.get(f"{stack.url}/rest/v1/notes") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_the_project_publishes_the_keys_it_signs_with(
    stack: Stack, http: ClientSession, algorithm: str
) -> None:
    key = SigningKey("ES256" if algorithm == "ES256" else "RS256")
    stack.gateway.signing_keys = [key]
    fetches = stack.gateway.jwks_fetches
    async with http.get(f"{stack.url}/auth/v1/.well-known/jwks.json") as answer:
        published = jwt.PyJWKSet.from_dict(await answer.json())
    token = stack.user_token("somebody", key=key)
    claims = jwt.decode(token, published[key.id], [algorithm], audience="authenticated")
    assert claims["sub"] == "somebody"
    assert stack.gateway.jwks_fetches == fetches + 1
    stack.gateway.signing_keys = []


def test_by_hand_it_prints_what_to_export_and_killed_it_leaves_nothing() -> None:
    runner = subprocess.Popen(
        [sys.executable, "-m", "tests.stack"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert runner.stdout is not None
    with runner.stdout as lines:
        printed = [next(lines) for _ in range(7)]
    assert printed[0].startswith("export SUPABASE_URL=http://127.0.0.1:")
    ours = Path(f"/proc/{runner.pid}/task/{runner.pid}/children").read_text().split()
    assert len(ours) == 2, "PostgreSQL and PostgREST"
    directory = Path(printed[-1].split()[-1])
    assert directory.is_dir()
    children = [os.pidfd_open(int(pid)) for pid in ours]
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    for child in children:
        ended, _, _ = select.select([child], [], [], 10)
        os.close(child)
        assert ended
    module.sweep()
    assert not directory.exists()
