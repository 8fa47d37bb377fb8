"""TikTok processes a refresh, but its response does not arrive."""

from __future__ import annotations

from .harness import REFRESH_PATH, Replica, TokenHarness


async def test_a_lost_response_is_requested_again_within_tiktoks_grace_period(
    harness: TokenHarness, replica: Replica
) -> None:
    await harness.simulator.post("/_sim/settings", {"rotation": "grace"})
    connection_id = await harness.connect(replica)
    harness.advance_into_margin(await replica.tokens(connection_id))
    await harness.simulator.fault(REFRESH_PATH, "drop_after_effect")
    await replica.read(connection_id)
    [lost, *_] = await replica.store.list_attempts(connection_id)
    assert lost.result == "tiktok_unreachable"
    assert "its response was not received" in lost.message
    harness.clock.advance(20)
    await replica.run_background()
    assert (await replica.connection(connection_id)).status == "active"
    assert harness.is_accepted(await replica.tokens(connection_id))


async def test_the_attempts_explain_a_response_that_was_lost_under_strict_rotation(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    harness.advance_into_margin(await replica.tokens(connection_id))
    await harness.simulator.fault(REFRESH_PATH, "drop_after_effect")
    await replica.read(connection_id)
    harness.clock.advance(20)
    await replica.run_background()
    assert (await replica.connection(connection_id)).status == "reconnect_required"
    [ended, lost, *_] = await replica.store.list_attempts(connection_id)
    assert (lost.result, ended.result, ended.tiktok_code) == (
        "tiktok_unreachable",
        "reconnect_required",
        "invalid_grant",
    )
    assert "an attempt failed with tiktok_unreachable" in ended.message
