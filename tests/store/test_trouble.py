"""A store that is away, hangs or says no: told at once, and told apart."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr

from connector.errors import Broken, ConnectorError, Misconfigured, StoreUnreachable
from connector.store import SCHEMA_VERSION, Store, postgres, supabase
from connector.store.postgres import Postgres
from connector.store.refusals import Undone, refusal
from connector.store.supabase import Supabase
from tests.gateway import Fault
from tests.stack import Stack

from .conftest import Memory, opened
from .people import claim, connect, hold, outcome, person, read, save


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> float:
    """Deadlines so short that a test may wait for them."""
    monkeypatch.setattr(supabase, "DEADLINE", 0.3)
    monkeypatch.setattr(postgres, "DEADLINE", 0.3)
    return 0.3


def over_http(stack: Stack, *, key: str | None = None) -> Supabase:
    return Supabase(stack.url, SecretStr(key or stack.service_role_key))


async def test_a_fitting_database_is_ready(store: Store) -> None:
    await store.ready()


async def test_a_database_of_another_version_is_not(stack: Stack) -> None:
    async with opened(over_http(stack)) as store:
        stack.sql("update connector.schema set version = version + 1")
        try:
            with pytest.raises(Misconfigured, match=f"has schema {SCHEMA_VERSION + 1}.*apply sql/"):
                await store.ready()
        finally:
            stack.sql("update connector.schema set version = version - 1")


async def test_a_caller_who_gave_up_leaves_a_store_that_works(memory: Memory) -> None:
    store = await memory.store()
    id = await connect(store)
    for _ in range(40):
        given_up = asyncio.create_task(hold(store, id))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
    assert await save(store, outcome(id, sealed="second")) == {id}
    assert (await read(store, id)).sealed == "second"


# Supabase


@pytest.mark.parametrize("fault", ["down", "503", "hang"])
async def test_a_supabase_that_is_away_is_unreachable_within_the_deadline(
    stack: Stack, impatient: float, fault: Fault
) -> None:
    async with opened(over_http(stack)) as store:
        with stack.gateway.failing(fault):
            began = time.monotonic()
            with pytest.raises(StoreUnreachable) as told:
                await store.read_token(str(uuid4()))
            assert time.monotonic() - began < impatient + 1
        assert told.value.retry_after == 5
        assert await store.read_token(str(uuid4())) is None


async def test_a_lost_answer_is_unreachable_although_the_work_is_done(stack: Stack) -> None:
    stack.truncate()
    async with opened(over_http(stack)) as store:
        id = await connect(store)
        with stack.gateway.failing("drop_after"), pytest.raises(StoreUnreachable):
            await save(store, outcome(id, sealed="second"))
        assert (await read(store, id)).sealed == "second"


async def test_nothing_is_sent_twice(stack: Stack) -> None:
    stack.gateway.calls.clear()
    async with opened(over_http(stack)) as store:
        with stack.gateway.failing("503"), pytest.raises(StoreUnreachable):
            await store.census()
    assert stack.gateway.calls["POST /rest/v1/rpc/connector_census"] == 1


async def test_a_gateway_nobody_listens_at_is_unreachable() -> None:
    async with opened(Supabase("http://127.0.0.1:9", SecretStr("a.b.c"))) as store:
        with pytest.raises(StoreUnreachable):
            await store.ready()


async def test_the_wrong_key_is_the_operators_to_mend(stack: Stack) -> None:
    for key in (stack.anon_key, "not.a.key"):
        async with opened(over_http(stack, key=key)) as store:
            with pytest.raises(Misconfigured, match="SUPABASE_SERVICE_ROLE_KEY"):
                await store.ready()


# Postgres


async def test_a_postgres_nobody_listens_at_is_unreachable() -> None:
    async with opened(Postgres(SecretStr("postgresql://postgres@127.0.0.1:9/x"))) as store:
        with pytest.raises(StoreUnreachable):
            await store.ready()


async def test_a_postgres_that_never_answers_is_unreachable_within_the_deadline(
    impatient: float,
) -> None:
    callers: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, caller: callers.append(caller), "127.0.0.1")
    port = silent.sockets[0].getsockname()[1]
    dsn = f"postgresql://postgres@127.0.0.1:{port}/x?sslmode=disable"
    async with opened(Postgres(SecretStr(dsn))) as store:
        began = time.monotonic()
        with pytest.raises(StoreUnreachable):
            await store.ready()
        assert time.monotonic() - began < impatient + 1
    silent.close()
    for caller in callers:
        caller.close()


async def test_a_postgres_that_hangs_is_unreachable_for_every_caller_within_the_deadline(
    stack: Stack, impatient: float
) -> None:
    locker = await asyncpg.connect(stack.dsn)
    async with opened(Postgres(SecretStr(f"{stack.dsn}?sslmode=disable"))) as store:
        async with locker.transaction():
            await locker.execute("lock table connector.codes")
            began = time.monotonic()
            calls = [claim(store, f"{n}", person()) for n in range(postgres.CONNECTIONS * 2)]
            told = await asyncio.gather(*calls, return_exceptions=True)
            assert time.monotonic() - began < impatient + 1
        assert {type(each) for each in told} == {StoreUnreachable}
        assert (await claim(store, "after", person())).mine
    await locker.close()


async def test_connections_that_were_cut_are_made_anew(stack: Stack) -> None:
    async with opened(Postgres(SecretStr(stack.dsn))) as store:
        await asyncio.gather(*(store.census() for _ in range(8)))
        stack.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'"
        )
        told = await asyncio.gather(*(store.census() for _ in range(8)), return_exceptions=True)
        assert {type(each) for each in told} <= {list, StoreUnreachable}
        await asyncio.gather(*(store.census() for _ in range(8)))


async def test_whatever_a_cut_connection_does_to_asyncpg_the_store_is_unreachable(
    stack: Stack,
) -> None:
    stack.truncate()
    async with opened(Postgres(SecretStr(stack.dsn))) as store:
        told: list[object] = []

        async def read_on() -> None:
            for _ in range(30):
                told.extend(await asyncio.gather(store.census(), return_exceptions=True))

        reading = asyncio.gather(*(read_on() for _ in range(postgres.CONNECTIONS)))
        while not reading.done():
            stack.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'"
            )
            await asyncio.sleep(0)
        await reading
    assert {type(each) for each in told} <= {list, StoreUnreachable}


async def test_a_postgres_that_was_closed_is_unreachable(stack: Stack) -> None:
    async with opened(Postgres(SecretStr(stack.dsn))) as store:
        await store.ready()
    with pytest.raises(StoreUnreachable, match="InterfaceError"):
        await store.ready()


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("postgresql://postgres@127.0.0.1:{port}/nowhere", "no such database"),
        ("postgresql://nobody@127.0.0.1:{port}/postgres", "the name or the password"),
        ("postgresql://authenticator@127.0.0.1:{port}/postgres", "the role postgres"),
        ("https://project.supabase.co", "not an address"),
    ],
)
async def test_a_wrong_address_is_the_operators_to_mend(
    stack: Stack, address: str, remedy: str
) -> None:
    port = stack.dsn.split(":")[-1].split("/")[0]
    async with opened(Postgres(SecretStr(address.format(port=port)))) as store:
        with pytest.raises(Misconfigured, match=remedy):
            await store.ready()


# What a code means


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("40001", Undone),
        ("40P01", Undone),
        ("08006", StoreUnreachable),
        ("53300", StoreUnreachable),
        ("57014", StoreUnreachable),
        ("503", StoreUnreachable),
        ("408", StoreUnreachable),
        ("429", StoreUnreachable),
        ("PGRST000", StoreUnreachable),
        ("PGRST202", Misconfigured),
        ("PGRST301", Misconfigured),
        ("42501", Misconfigured),
        ("42883", Misconfigured),
        ("23502", Misconfigured),
        ("22P02", Broken),
        ("", Broken),
    ],
)
def test_a_code_is_passing_or_the_operators_or_ours(
    code: str, meaning: type[ConnectorError]
) -> None:
    assert type(refusal(code)) is meaning


# Whom it is told


@pytest.mark.parametrize(
    "code", ["PGRST202", "28P01", "42501", "401", "404", "23503", "503", "22P02"]
)
def test_people_are_told_no_setting_no_file_and_no_code(code: str) -> None:
    error = refusal(code)
    assert not re.search(r"SUPABASE|sql|role|\d|user_accounts", error.message)
    assert error.detail != error.message


async def test_the_operator_reads_the_remedy_in_the_log_once_for_as_long_as_it_lasts(
    stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(over_http(stack, key=stack.anon_key)) as store:
        for _ in range(3):
            with pytest.raises(Misconfigured):
                await store.census()
    [line] = [record for record in caplog.records if record.name == "connector.store"]
    assert line.levelno == logging.WARNING
    assert "SUPABASE_SERVICE_ROLE_KEY" in line.getMessage()


async def test_trouble_that_went_and_came_again_is_logged_again(
    stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(over_http(stack)) as store:
        for _ in range(2):
            with stack.gateway.failing("503"), pytest.raises(StoreUnreachable):
                await store.census()
            await store.census()
    assert len([record for record in caplog.records if record.name == "connector.store"]) == 2
