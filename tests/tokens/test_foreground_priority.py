"""Reads have priority over background refreshes."""

from __future__ import annotations

from connector.concurrency.adaptive_limit import BATCH_DURING_READS, FOREGROUND_WINDOW_SECONDS

from .harness import Replica, TokenHarness

HOUR = 3600
PEOPLE = 2 * BATCH_DURING_READS


async def test_the_background_runs_small_batches_while_tokens_are_read(
    harness: TokenHarness, replica: Replica
) -> None:
    marketing = await harness.connect(replica, "marketing")
    await harness.connect_people(replica, PEOPLE)
    harness.clock.advance(2 * HOUR * 0.8)
    await replica.read(marketing)
    assert await replica.run_batch()
    assert await harness.refresh_count() == BATCH_DURING_READS


async def test_the_background_runs_full_batches_once_no_read_arrives(
    harness: TokenHarness, replica: Replica
) -> None:
    marketing = await harness.connect(replica, "marketing")
    await harness.connect_people(replica, PEOPLE)
    harness.clock.advance(2 * HOUR * 0.8)
    await replica.read(marketing)
    harness.clock.advance(FOREGROUND_WINDOW_SECONDS)
    assert not await replica.run_batch()
    assert await harness.refresh_count() == PEOPLE
