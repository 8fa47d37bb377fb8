"""A token with at least the margin of life left, or a clear error."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector import schedule
from connector.errors import (
    ConnectorError,
    Misconfigured,
    NotFound,
    ReconnectRequired,
    StoreUnreachable,
    TikTokUnreachable,
)

from .scene import REFRESH, Replica, Scene

UNKNOWN = "0d8f5d3e-0000-4000-8000-000000000000"
HOUR = 3600


async def test_a_fresh_token_costs_one_look_into_the_store_and_no_call(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica)
    before = (await scene.simulator.stats())["calls"]
    replica.database.calls.clear()
    working = await replica.read(id)
    assert scene.works(working.tokens)
    assert replica.database.calls == {"read_tokens": 1}
    assert (await scene.simulator.stats())["calls"] == before


async def test_a_token_within_the_margin_is_refreshed_before_it_is_handed_out(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica)
    old = await replica.tokens(id)
    scene.age(old)
    working = await replica.read(id)
    assert working.tokens.access != old.access
    assert schedule.is_fresh(working.tokens, scene.clock.now())
    assert scene.works(working.tokens)
    assert await replica.last(id) == "read ok None"
    assert working.tokens == await replica.tokens(id)


@pytest.mark.parametrize("family", ["login_kit", "accounts"])
@pytest.mark.parametrize("life", [24 * HOUR, 2 * HOUR, 300])
async def test_lifetimes_are_what_tiktok_says_they_are(
    scene: Scene, replica: Replica, family: str, life: int
) -> None:
    await scene.simulator.post("/_sim/settings", {"access_seconds": life})
    id = await scene.connect(replica, family)
    scene.age(await replica.tokens(id))
    working = await replica.read(id)
    assert working.kept.expires_at == scene.clock.now() + timedelta(seconds=life)
    shown = await replica.shown(id)
    assert shown.due_at is not None
    share = (shown.due_at - scene.clock.now()).total_seconds() / life
    assert 0.70 <= share <= 0.78


async def test_a_lifetime_that_changes_under_way_is_followed_at_once(
    scene: Scene, replica: Replica
) -> None:
    await scene.simulator.post("/_sim/settings", {"access_seconds": 24 * HOUR})
    id = await scene.connect(replica)
    await scene.simulator.post("/_sim/settings", {"access_seconds": 300})
    await replica.force(id)
    scene.clock.turn(245)
    assert not schedule.is_fresh(await replica.tokens(id), scene.clock.now())
    await replica.read(id)
    assert schedule.is_fresh(await replica.tokens(id), scene.clock.now())


async def test_an_answer_without_a_lifetime_means_until_revoked(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica)
    [grant] = [g for g in scene.world.ledger.grants("robin") if g.family == "login_kit"]
    await scene.simulator.post("/_sim/settings", {"access_seconds": 0})
    await replica.force(id)
    assert grant.alive
    assert (await replica.kept(id)).expires_at is None
    scene.clock.turn(30 * 24 * HOUR)
    before = await scene.refreshes()
    await replica.read(id)
    assert await scene.refreshes() == before
    await replica.tend()
    assert await scene.refreshes() == before + 1


async def test_a_marketing_token_is_handed_out_as_it_is_for_years(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica, "marketing")
    scene.clock.turn(3 * 365 * 24 * HOUR)
    working = await replica.read(id)
    assert working.tokens.expires_at is None
    assert scene.works(working.tokens)


async def test_on_demand_a_token_is_refreshed_however_fresh(scene: Scene, replica: Replica) -> None:
    id = await scene.connect(replica)
    old = await replica.tokens(id)
    kept = await replica.force(id)
    assert kept.version == 2
    assert (await replica.tokens(id)).access != old.access
    assert await replica.last(id) == "refresh ok None"


async def test_the_old_token_is_the_answer_while_it_lives(scene: Scene, replica: Replica) -> None:
    id = await scene.connect(replica)
    old = await replica.tokens(id)
    scene.age(old)
    await scene.simulator.fault(REFRESH, "status", 503)
    working = await replica.read(id)
    assert working.tokens.access == old.access
    assert scene.works(working.tokens)
    assert (await replica.shown(id)).status == "refresh_failing"


async def test_and_until_the_next_try_is_due_tiktok_is_left_alone(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica)
    scene.age(await replica.tokens(id))
    await scene.simulator.fault(REFRESH, "status", 503, times=-1)
    await replica.read(id)
    before = (await scene.simulator.stats())["calls"]
    for _ in range(20):
        await replica.read(id)
    assert (await scene.simulator.stats())["calls"] == before


async def test_once_the_old_token_is_dead_the_error_is_clear_and_says_when_to_come_back(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    await scene.simulator.fault(REFRESH, "status", 503, times=-1)
    for _ in range(2):
        with pytest.raises(TikTokUnreachable) as caught:
            await replica.read(id)
        assert caught.value.retry_after


async def test_what_is_repeated_before_the_next_try_is_what_went_wrong(
    scene: Scene, replica: Replica
) -> None:
    id = await scene.connect(replica)
    scene.expire(await replica.tokens(id))
    await scene.simulator.fault(REFRESH, "code", "invalid_client", times=-1)
    for _ in range(2):
        with pytest.raises(Misconfigured) as caught:
            await replica.read(id)
        assert caught.value.code == "configuration"


@pytest.mark.parametrize("fails", ["claim_refresh", "save_outcomes"])
async def test_a_store_that_takes_no_writes_does_not_keep_a_living_token_back(
    scene: Scene, replica: Replica, fails: str
) -> None:
    id = await scene.connect(replica)
    scene.age(await replica.tokens(id))
    replica.database.fails[fails] = "before"
    assert scene.works((await replica.read(id)).tokens)


async def test_a_store_that_is_away_is_named(scene: Scene, replica: Replica) -> None:
    id = await scene.connect(replica)
    replica.database.fails["*"] = "before"
    with pytest.raises(StoreUnreachable):
        await replica.read(id)


@pytest.mark.parametrize("ended", ["revoke", "disconnect"])
async def test_what_has_ended_is_said_to_have_ended(
    scene: Scene, replica: Replica, ended: str
) -> None:
    id = await scene.connect(replica)
    if ended == "revoke":
        await scene.simulator.post("/_sim/revoke", {"person": "robin"})
        with pytest.raises(ReconnectRequired):
            await replica.force(id)
    else:
        await replica.house.connections.disconnect(id, of=None, who="user")
    before = (await scene.simulator.stats())["calls"]
    for ask in (replica.read(id), replica.house.connections.refresh(id, of=None, who="user")):
        with pytest.raises(ReconnectRequired):
            await ask
    assert (await scene.simulator.stats())["calls"] == before


async def test_what_was_never_there_is_not_found(replica: Replica) -> None:
    with pytest.raises(NotFound):
        await replica.read(UNKNOWN)


async def test_a_family_that_is_switched_off_loses_nothing(scene: Scene, replica: Replica) -> None:
    id = await scene.connect(replica)
    off = await scene.replica({"TIKTOK_CLIENT_KEY": "", "TIKTOK_CLIENT_SECRET": ""})
    scene.age(await replica.tokens(id))
    assert scene.works((await off.read(id)).tokens)
    assert (await replica.shown(id)).status == "refresh_failing"
    scene.clock.turn(60)
    await replica.tend()
    assert (await replica.shown(id)).status == "active"


async def test_no_error_tells_a_token(scene: Scene, replica: Replica) -> None:
    id = await scene.connect(replica)
    tokens = await replica.tokens(id)
    scene.expire(tokens)
    assert tokens.refresh is not None
    secrets = {tokens.access.get_secret_value(), tokens.refresh.get_secret_value()}
    await scene.simulator.fault(REFRESH, "code", "invalid_grant")
    with pytest.raises(ConnectorError) as caught:
        await replica.read(id)
    told = f"{caught.value!r} {await replica.store.attempts(id)} {scene.rows('attempts')}"
    assert not any(secret in told for secret in secrets)
