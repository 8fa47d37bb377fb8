"""A process that waits for another one's refresh looks only at what happened since its own read."""

from __future__ import annotations

import asyncio

import pytest

from connector.errors import TikTokUnreachable

from .harness import REFRESH_PATH, Gate, Replica, TokenHarness


async def test_a_waiting_replica_gets_the_tokens_although_an_earlier_refresh_had_failed(
    harness: TokenHarness, replica: Replica, other: Replica
) -> None:
    connection_id = await harness.connect(replica)
    await harness.simulator.fault(REFRESH_PATH, "status", 500)
    with pytest.raises(TikTokUnreachable):
        await replica.refresh(connection_id)
    stored = await other.stored(connection_id)
    await harness.simulator.fault(REFRESH_PATH, "hang")
    first = asyncio.create_task(replica.refresh(connection_id))
    await harness.wait_for_tiktok_calls()
    gate = other.database.after_call["get_stored_tokens"] = Gate()
    second = asyncio.create_task(other.refresher.refresh(stored, actor="user"))
    await gate.reached.wait()
    gate.open.set()
    harness.end_faults()
    await first
    assert (await harness.advance_until_done(second)).stored.token_version == 2
