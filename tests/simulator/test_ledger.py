"""When tokens die: rotation in its three forms, and lifetimes that are turned while running."""

from connector.simulator import WORLD, build

from .conftest import Tap


async def test_strict_rotation_kills_the_old_refresh_token_at_once(tap: Tap) -> None:
    first = await tap.kit()
    second = await tap.kit_refresh(first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert (await tap.kit_refresh(first["refresh_token"]))["error"] == "invalid_grant"
    assert "access_token" in await tap.kit_refresh(second["refresh_token"])


async def test_presenting_a_dead_refresh_token_is_counted(tap: Tap) -> None:
    first = await tap.kit()
    await tap.kit_refresh(first["refresh_token"])
    await tap.kit_refresh(first["refresh_token"])
    await tap.kit_refresh("made-up")
    stats = await tap.stats()
    assert stats["dead_refresh_token_presented"] == 1
    assert (stats["refreshes"], stats["refreshes_refused"]) == (1, 2)


async def test_the_old_access_token_lives_on_after_a_refresh(tap: Tap) -> None:
    first = await tap.kit()
    await tap.kit_refresh(first["refresh_token"])
    status, _ = await tap.open("GET", "/v2/user/info/?fields=open_id", first["access_token"])
    assert status == 200


async def test_under_grace_the_same_answer_is_given_again(tap: Tap) -> None:
    await tap.sim("settings", rotation="grace")
    first = await tap.kit()
    second = await tap.kit_refresh(first["refresh_token"])
    assert await tap.kit_refresh(first["refresh_token"]) == second
    assert (await tap.stats())["dead_refresh_token_presented"] == 0


async def test_grace_ends_with_its_time(tap: Tap) -> None:
    await tap.sim("settings", rotation="grace", grace_seconds=30)
    first = await tap.kit()
    await tap.kit_refresh(first["refresh_token"])
    tap.clock.seconds += 30
    assert (await tap.kit_refresh(first["refresh_token"]))["error"] == "invalid_grant"


async def test_grace_ends_when_the_newer_token_is_spent(tap: Tap) -> None:
    await tap.sim("settings", rotation="grace")
    first = await tap.kit()
    second = await tap.kit_refresh(first["refresh_token"])
    await tap.kit_refresh(second["refresh_token"])
    assert (await tap.kit_refresh(first["refresh_token"]))["error"] == "invalid_grant"


async def test_without_rotation_the_refresh_token_stays(tap: Tap) -> None:
    await tap.sim("settings", rotation="none")
    first = await tap.kit()
    second = await tap.kit_refresh(first["refresh_token"])
    assert second["refresh_token"] == first["refresh_token"]
    assert second["access_token"] != first["access_token"]


async def test_lifetimes_are_turned_for_both_refreshing_families(tap: Tap) -> None:
    await tap.sim("settings", access_seconds=60, refresh_seconds=600)
    kit, account = await tap.kit(), await tap.account()
    assert (kit["expires_in"], kit["refresh_expires_in"]) == (60, 600)
    assert (account["expires_in"], account["refresh_token_expires_in"]) == (60, 600)


async def test_lifetimes_are_turned_for_tokens_issued_afterwards(tap: Tap) -> None:
    first = await tap.kit()
    await tap.sim("settings", access_seconds=60)
    tap.clock.seconds += 61
    status, _ = await tap.open("GET", "/v2/user/info/?fields=open_id", first["access_token"])
    assert status == 200


async def test_the_refresh_window_is_absolute_unless_it_is_set_to_slide(tap: Tap) -> None:
    token = (await tap.kit())["refresh_token"]
    tap.clock.seconds += 100
    answer = await tap.kit_refresh(token)
    assert answer["refresh_expires_in"] == 15_552_000 - 100
    await tap.sim("settings", refresh_window="sliding")
    answer = await tap.kit_refresh(answer["refresh_token"])
    assert answer["refresh_expires_in"] == 15_552_000


async def test_a_refresh_token_outlived_by_its_window_is_dead(tap: Tap) -> None:
    token = (await tap.kit())["refresh_token"]
    tap.clock.seconds += 15_552_000
    assert (await tap.kit_refresh(token))["error"] == "invalid_grant"
    assert (await tap.stats())["dead_refresh_token_presented"] == 0


def test_a_simulator_without_a_clock_follows_the_real_one() -> None:
    assert build()[WORLD].now() > 1_700_000_000
