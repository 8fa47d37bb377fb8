"""A store that fails at any moment of an exchange uses up no code and loses no grant."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from connector.errors import StoreUnreachable, TikTokUnreachable
from connector.journal import Entry
from tests.credentials import ANNA
from tests.database_views import DatabaseView
from tests.running_service import Simulator
from tests.supabase_gateway import Fault
from tests.supabase_stack import Stack

from .harness import ADVERTISERS, ExchangeHarness, error_of, running_process

FAULTS = cast(list[Fault], ["down", "503", "hang", "drop_after"])
FAULTS_BEFORE_THE_WRITE = FAULTS[:3]


@pytest.fixture
async def harness(
    supabase: DatabaseView, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ExchangeHarness]:
    monkeypatch.setattr("connector.store.supabase.DEADLINE", 0.2)
    async with running_process(supabase, simulator, tmp_path / "first") as process:
        yield process


@asynccontextmanager
async def waiting_for_advertisers(
    harness: ExchangeHarness, code: str, state: str
) -> AsyncIterator[asyncio.Task[object]]:
    """Starts a POST whose code was redeemed and whose advertiser call hangs."""
    await harness.simulator.fault(ADVERTISERS, "hang")
    posting: asyncio.Task[object] = asyncio.create_task(harness.post(code, state))
    await harness.wait_for_call(ADVERTISERS)
    yield posting
    if not posting.done():
        await posting


async def leave_grant_unsaved(harness: ExchangeHarness, stack: Stack) -> tuple[str, str]:
    """Runs an exchange that received its grant and then could not reach the store. Returns its code and
    state."""
    code, state = await harness.consent(), harness.state()
    async with waiting_for_advertisers(harness, code, state) as posting:
        with stack.gateway.failing("down"):
            harness.simulator.state.faults.clear()
            with pytest.raises(StoreUnreachable):
                await posting
    return code, state


def unsaved_count(harness: ExchangeHarness) -> int:
    return harness.service.code_exchange.pending_grants.unsaved_count


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_code_is_not_sent_while_the_store_is_unreachable(
    harness: ExchangeHarness, stack: Stack, fault: Fault
) -> None:
    code, state = await harness.consent(), harness.state()
    with stack.gateway.failing(fault):
        error = await error_of(harness.post(code, state))
    assert isinstance(error, StoreUnreachable)
    assert error.retry_after
    assert harness.count_calls("") == 0
    assert (await harness.post(code, state)).success


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_grant_that_no_store_call_could_save_is_saved_later(
    harness: ExchangeHarness, stack: Stack, fault: Fault
) -> None:
    code, state = await harness.consent(advertisers=2), harness.state()
    async with waiting_for_advertisers(harness, code, state) as posting:
        with stack.gateway.failing(fault):
            harness.simulator.state.faults.clear()
            with pytest.raises(StoreUnreachable):
                await posting
            with pytest.raises(StoreUnreachable):
                await harness.post(code, state)
            assert unsaved_count(harness) == 1
    reply = await harness.post(code, state)
    assert harness.row("connections")["id"] == reply.connection_id
    assert (harness.exchange_count, unsaved_count(harness)) == (1, 0)


@pytest.mark.parametrize("fault", FAULTS_BEFORE_THE_WRITE)
async def test_a_grant_whose_connection_could_not_be_saved_is_stored_with_its_claim(
    harness: ExchangeHarness, stack: Stack, fault: Fault
) -> None:
    code, state = await harness.consent(), harness.state()
    with stack.gateway.failing(fault, on="upsert_connections"), pytest.raises(StoreUnreachable):
        await harness.post(code, state)
    assert harness.row("codes")["encrypted_grant"]
    assert (await harness.post(code, state)).success
    assert harness.exchange_count == 1


@pytest.mark.parametrize("on", ["upsert_connections", "/rest/v1/"])
async def test_a_connection_whose_save_was_not_confirmed_is_not_saved_twice(
    harness: ExchangeHarness, stack: Stack, on: str
) -> None:
    code, state = await harness.consent(), harness.state()
    async with waiting_for_advertisers(harness, code, state) as posting:
        with stack.gateway.failing("drop_after", on=on):
            harness.simulator.state.faults.clear()
            with pytest.raises(StoreUnreachable):
                await posting
    calls = harness.count_calls("")
    reply = await harness.post(code, state)
    row = harness.row("connections")
    assert (row["id"], row["token_version"]) == (reply.connection_id, 1)
    assert harness.count_calls("") == calls


async def test_an_error_that_could_not_be_recorded_is_still_raised(
    harness: ExchangeHarness, stack: Stack
) -> None:
    code, state = await harness.consent(), harness.state()
    await harness.simulator.fault("oauth2/access_token", "status", 503)
    with stack.gateway.failing("down", on="record_code_result"), pytest.raises(TikTokUnreachable):
        await harness.post(code, state)
    assert (await harness.post(code, state)).success


async def test_a_restart_while_the_store_is_unreachable_loses_no_grant(
    harness: ExchangeHarness, stack: Stack, tmp_path: Path
) -> None:
    database, simulator = harness.database, harness.simulator
    async with running_process(database, simulator, tmp_path / "second") as process:
        await leave_grant_unsaved(process, stack)
    async with AsyncExitStack() as processes:
        with stack.gateway.failing("down"):
            restarted = await processes.enter_async_context(
                running_process(database, simulator, tmp_path / "second")
            )
        assert unsaved_count(restarted) == 1
        await restarted.retry_pending()
        assert harness.row("user_accounts")["id"] == ANNA
    assert harness.exchange_count == 1


async def test_no_claim_is_released_before_the_pending_grants_are_saved(
    harness: ExchangeHarness, stack: Stack, tmp_path: Path
) -> None:
    """A process that is killed at the end of its reservation leaves a grant and the marker of its claim."""
    database, simulator = harness.database, harness.simulator
    async with running_process(database, simulator, tmp_path / "second") as killed:
        code, state = await leave_grant_unsaved(killed, stack)
        row = harness.row("codes")
        marker = {"code_hash": row["code_hash"], "claimed_by": row["claimed_by"]}
        await killed.service.journal.append(Entry("code", marker))
    async with AsyncExitStack() as processes:
        with stack.gateway.failing("down", on="restore_pending_grant"):
            restarted = await processes.enter_async_context(
                running_process(database, simulator, tmp_path / "second")
            )
        posting = asyncio.create_task(harness.post(code, state))
        asleep = asyncio.create_task(harness.clock.until_asleep())
        await asyncio.wait({posting, asleep}, return_when=asyncio.FIRST_COMPLETED)
        assert harness.exchange_count == 1
        await restarted.retry_pending()
        assert (await harness.advance_until_done(posting)).success
    assert harness.exchange_count == 1


async def test_other_people_can_connect_while_the_retry_of_a_grant_hangs(
    harness: ExchangeHarness, stack: Stack
) -> None:
    await leave_grant_unsaved(harness, stack)
    await harness.simulator.fault(ADVERTISERS, "hang")
    retrying = asyncio.create_task(harness.retry_pending())
    await harness.wait_for_call(ADVERTISERS, count=2)
    assert (await harness.connect("login_kit")).success
    harness.simulator.state.faults.clear()
    await retrying
    assert len(harness.rows("connections")) == 2
