"""A database that is unreachable, hangs or refuses causes a typed error within the deadline."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr

from connector.errors import ConfigurationError, ConnectorError, InternalError, StoreUnreachable
from connector.store import SCHEMA_VERSION, ClaimedCode, Store
from connector.store import postgres as postgres_module
from connector.store import supabase as supabase_module
from connector.store.database_errors import RolledBack, error_for_code
from connector.store.postgres import MAX_CONNECTIONS, Postgres
from connector.store.supabase import Supabase
from tests.supabase_gateway import Fault
from tests.supabase_stack import Stack

from .builders import (
    acquire_lease,
    apply,
    claim_code,
    connect,
    new_user_id,
    outcome,
    stored_tokens,
)
from .conftest import DatabaseUnderTest, open_store, postgres, supabase

KILL_CONNECTIONS = (
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'"
)


@pytest.fixture
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(supabase_module, "DEADLINE", 0.3)
    monkeypatch.setattr(postgres_module, "DEADLINE", 0.3)
    return 0.3


async def test_a_database_of_this_schema_version_is_accepted(store: Store) -> None:
    await store.require_schema()


async def test_a_database_of_another_schema_version_is_refused_with_the_remedy(
    stack: Stack,
) -> None:
    message = f"schema version {SCHEMA_VERSION + 1}.*apply sql/tables"
    async with open_store(supabase(stack)) as store:
        stack.sql("update connector.schema set version = version + 1")
        try:
            with pytest.raises(ConfigurationError, match=message):
                await store.require_schema()
        finally:
            stack.sql("update connector.schema set version = version - 1")


async def test_the_store_works_after_its_callers_were_cancelled(
    database: DatabaseUnderTest,
) -> None:
    store = await database.open_store()
    id = await connect(store)
    for _ in range(40):
        cancelled = asyncio.create_task(acquire_lease(store, id))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
    assert await apply(store, outcome(id, encrypted_tokens="second")) == {id}
    assert (await stored_tokens(store, id)).encrypted_tokens == "second"


# Supabase


@pytest.mark.parametrize("fault", ["down", "503", "hang"])
async def test_an_unavailable_supabase_is_reported_unreachable_within_the_deadline(
    stack: Stack, short_deadline: float, fault: Fault
) -> None:
    async with open_store(supabase(stack)) as store:
        with stack.gateway.failing(fault):
            started = time.monotonic()
            with pytest.raises(StoreUnreachable) as raised:
                await store.get_stored_tokens(str(uuid4()))
            assert time.monotonic() - started < short_deadline + 1
        assert raised.value.retry_after == 5
        assert await store.get_stored_tokens(str(uuid4())) is None


async def test_a_lost_response_is_reported_unreachable_although_the_operation_took_effect(
    stack: Stack,
) -> None:
    stack.truncate()
    async with open_store(supabase(stack)) as store:
        id = await connect(store)
        with stack.gateway.failing("drop_after"), pytest.raises(StoreUnreachable):
            await apply(store, outcome(id, encrypted_tokens="second"))
        assert (await stored_tokens(store, id)).encrypted_tokens == "second"


async def test_a_failed_call_is_not_sent_again(stack: Stack) -> None:
    stack.gateway.calls.clear()
    async with open_store(supabase(stack)) as store:
        with stack.gateway.failing("503"), pytest.raises(StoreUnreachable):
            await store.count_connections()
    assert stack.gateway.calls["POST /rest/v1/rpc/connector_count_connections"] == 1


async def test_a_supabase_address_without_a_server_is_reported_unreachable() -> None:
    async with open_store(Supabase("http://127.0.0.1:9", SecretStr("a.b.c"))) as store:
        with pytest.raises(StoreUnreachable):
            await store.require_schema()


async def test_a_wrong_supabase_key_is_a_configuration_error(stack: Stack) -> None:
    for key in (stack.anon_key, "not.a.key"):
        async with open_store(Supabase(stack.url, SecretStr(key))) as store:
            with pytest.raises(ConfigurationError, match="SUPABASE_SERVICE_ROLE_KEY"):
                await store.require_schema()


# Postgres


async def test_a_postgres_address_without_a_server_is_reported_unreachable() -> None:
    dsn = "postgresql://postgres@127.0.0.1:9/x"
    async with open_store(Postgres(SecretStr(dsn))) as store:
        with pytest.raises(StoreUnreachable):
            await store.require_schema()


async def test_a_postgres_that_never_responds_is_reported_unreachable_within_the_deadline(
    short_deadline: float,
) -> None:
    clients: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, client: clients.append(client), "127.0.0.1")
    port = silent.sockets[0].getsockname()[1]
    dsn = f"postgresql://postgres@127.0.0.1:{port}/x?sslmode=disable"
    async with open_store(Postgres(SecretStr(dsn))) as store:
        started = time.monotonic()
        with pytest.raises(StoreUnreachable):
            await store.require_schema()
        assert time.monotonic() - started < short_deadline + 1
    silent.close()
    for client in clients:
        client.close()


async def test_a_hanging_postgres_is_reported_unreachable_to_every_caller_within_the_deadline(
    stack: Stack, short_deadline: float
) -> None:
    blocker = await asyncpg.connect(stack.dsn)
    async with open_store(Postgres(SecretStr(f"{stack.dsn}?sslmode=disable"))) as store:
        async with blocker.transaction():
            await blocker.execute("lock table connector.codes")
            started = time.monotonic()
            calls = [claim_code(store, f"{n}", new_user_id()) for n in range(MAX_CONNECTIONS * 2)]
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert time.monotonic() - started < short_deadline + 1
        assert {type(result) for result in results} == {StoreUnreachable}
        assert isinstance(await claim_code(store, "after", new_user_id()), ClaimedCode)
    await blocker.close()


async def test_postgres_connections_that_were_cut_are_replaced(stack: Stack) -> None:
    async with open_store(postgres(stack)) as store:
        await asyncio.gather(*(store.count_connections() for _ in range(8)))
        stack.sql(KILL_CONNECTIONS)
        results = await asyncio.gather(
            *(store.count_connections() for _ in range(8)), return_exceptions=True
        )
        assert {type(result) for result in results} <= {list, StoreUnreachable}
        await asyncio.gather(*(store.count_connections() for _ in range(8)))


async def test_a_postgres_connection_cut_during_a_call_is_always_reported_unreachable(
    stack: Stack,
) -> None:
    """asyncpg raises different exceptions, depending on the moment at which the connection is cut."""
    stack.truncate()
    results: list[object] = []
    async with open_store(postgres(stack)) as store:

        async def call_repeatedly() -> None:
            for _ in range(30):
                results.extend(
                    await asyncio.gather(store.count_connections(), return_exceptions=True)
                )

        calls = asyncio.gather(*(call_repeatedly() for _ in range(MAX_CONNECTIONS)))
        while not calls.done():
            stack.sql(KILL_CONNECTIONS)
            await asyncio.sleep(0)
        await calls
    assert {type(result) for result in results} <= {list, StoreUnreachable}


async def test_a_closed_postgres_is_reported_unreachable(stack: Stack) -> None:
    async with open_store(postgres(stack)) as store:
        await store.require_schema()
    with pytest.raises(StoreUnreachable, match="InterfaceError"):
        await store.require_schema()


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("postgresql://postgres@127.0.0.1:{port}/nowhere", "no database of that name"),
        ("postgresql://nobody@127.0.0.1:{port}/postgres", "the name or the password"),
        ("postgresql://authenticator@127.0.0.1:{port}/postgres", "the role postgres"),
        ("https://project.supabase.co", "not a PostgreSQL address"),
    ],
)
async def test_a_wrong_postgres_address_is_a_configuration_error_with_the_remedy(
    stack: Stack, address: str, remedy: str
) -> None:
    port = stack.dsn.split(":")[-1].split("/")[0]
    async with open_store(Postgres(SecretStr(address.format(port=port)))) as store:
        with pytest.raises(ConfigurationError, match=remedy):
            await store.require_schema()


# Error codes


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("40001", RolledBack),
        ("40P01", RolledBack),
        ("08006", StoreUnreachable),
        ("53300", StoreUnreachable),
        ("57014", StoreUnreachable),
        ("503", StoreUnreachable),
        ("540", StoreUnreachable),
        ("54000", InternalError),
        ("408", StoreUnreachable),
        ("429", StoreUnreachable),
        ("PGRST000", StoreUnreachable),
        ("PGRST202", ConfigurationError),
        ("PGRST301", ConfigurationError),
        ("42501", ConfigurationError),
        ("42883", ConfigurationError),
        ("23502", ConfigurationError),
        ("22P02", InternalError),
        ("", InternalError),
    ],
)
def test_an_error_code_is_transient_or_a_configuration_error_or_an_internal_error(
    code: str, error: type[ConnectorError]
) -> None:
    assert type(error_for_code(code)) is error


# Messages and the log


@pytest.mark.parametrize(
    "code", ["PGRST202", "28P01", "42501", "401", "404", "23503", "503", "22P02"]
)
def test_the_message_for_callers_names_no_setting_no_file_and_no_error_code(code: str) -> None:
    error = error_for_code(code)
    assert not re.search(r"SUPABASE|sql|role|\d|user_accounts", error.message)
    assert error.detail != error.message


async def test_a_store_error_that_lasts_is_logged_once_with_the_remedy(
    stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_store(Supabase(stack.url, SecretStr(stack.anon_key))) as store:
        for _ in range(3):
            with pytest.raises(ConfigurationError):
                await store.count_connections()
    [record] = store_log(caplog)
    assert record.levelno == logging.WARNING
    assert "SUPABASE_SERVICE_ROLE_KEY" in record.getMessage()


async def test_a_store_error_is_logged_again_after_a_call_succeeded(
    stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_store(supabase(stack)) as store:
        for _ in range(2):
            with stack.gateway.failing("503"), pytest.raises(StoreUnreachable):
                await store.count_connections()
            await store.count_connections()
    assert len(store_log(caplog)) == 2


def store_log(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name.startswith("connector.store")]
