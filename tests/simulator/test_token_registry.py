"""Tokens end by one of three forms of rotation, or by a lifetime that can change while running."""

from tiktok_simulator import STATE, build_simulator

from .conftest import Client


async def test_strict_rotation_invalidates_the_old_refresh_token_immediately(
    client: Client,
) -> None:
    first = await client.login_kit_tokens()
    second = await client.refresh_login_kit(first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert (await client.refresh_login_kit(first["refresh_token"]))["error"] == "invalid_grant"
    assert "access_token" in await client.refresh_login_kit(second["refresh_token"])


async def test_the_use_of_a_rotated_refresh_token_is_counted(client: Client) -> None:
    first = await client.login_kit_tokens()
    await client.refresh_login_kit(first["refresh_token"])
    await client.refresh_login_kit(first["refresh_token"])
    await client.refresh_login_kit("unknown")
    stats = await client.stats()
    assert stats["dead_refresh_token_presented"] == 1
    assert (stats["refreshes"], stats["refreshes_refused"]) == (1, 2)


async def test_the_old_access_token_stays_valid_after_a_refresh(client: Client) -> None:
    first = await client.login_kit_tokens()
    await client.refresh_login_kit(first["refresh_token"])
    status, _ = await client.call_open_api(
        "GET", "/v2/user/info/?fields=open_id", first["access_token"]
    )
    assert status == 200


async def test_a_repeated_refresh_within_the_grace_time_returns_the_same_tokens(
    client: Client,
) -> None:
    await client.control("settings", rotation="grace")
    first = await client.login_kit_tokens()
    second = await client.refresh_login_kit(first["refresh_token"])
    assert await client.refresh_login_kit(first["refresh_token"]) == second
    assert (await client.stats())["dead_refresh_token_presented"] == 0


async def test_the_grace_of_a_rotated_refresh_token_ends_after_its_time(client: Client) -> None:
    await client.control("settings", rotation="grace", grace_seconds=30)
    first = await client.login_kit_tokens()
    await client.refresh_login_kit(first["refresh_token"])
    client.clock.seconds += 30
    assert (await client.refresh_login_kit(first["refresh_token"]))["error"] == "invalid_grant"


async def test_the_grace_of_a_rotated_refresh_token_ends_when_the_newer_token_is_used(
    client: Client,
) -> None:
    await client.control("settings", rotation="grace")
    first = await client.login_kit_tokens()
    second = await client.refresh_login_kit(first["refresh_token"])
    await client.refresh_login_kit(second["refresh_token"])
    assert (await client.refresh_login_kit(first["refresh_token"]))["error"] == "invalid_grant"


async def test_a_refresh_without_rotation_returns_the_same_refresh_token(client: Client) -> None:
    await client.control("settings", rotation="none")
    first = await client.login_kit_tokens()
    second = await client.refresh_login_kit(first["refresh_token"])
    assert second["refresh_token"] == first["refresh_token"]
    assert second["access_token"] != first["access_token"]


async def test_lifetime_settings_apply_to_both_families_with_refresh_tokens(client: Client) -> None:
    await client.control("settings", access_seconds=60, refresh_seconds=600)
    login_kit, accounts = await client.login_kit_tokens(), await client.accounts_tokens()
    assert (login_kit["expires_in"], login_kit["refresh_expires_in"]) == (60, 600)
    assert (accounts["expires_in"], accounts["refresh_token_expires_in"]) == (60, 600)


async def test_a_lifetime_setting_does_not_change_earlier_tokens(client: Client) -> None:
    first = await client.login_kit_tokens()
    await client.control("settings", access_seconds=60)
    client.clock.seconds += 61
    status, _ = await client.call_open_api(
        "GET", "/v2/user/info/?fields=open_id", first["access_token"]
    )
    assert status == 200


async def test_the_refresh_window_is_absolute_unless_the_setting_is_sliding(client: Client) -> None:
    token = (await client.login_kit_tokens())["refresh_token"]
    client.clock.seconds += 100
    response = await client.refresh_login_kit(token)
    assert response["refresh_expires_in"] == 15_552_000 - 100
    await client.control("settings", refresh_window="sliding")
    response = await client.refresh_login_kit(response["refresh_token"])
    assert response["refresh_expires_in"] == 15_552_000


async def test_a_refresh_token_is_invalid_after_its_refresh_window(client: Client) -> None:
    token = (await client.login_kit_tokens())["refresh_token"]
    client.clock.seconds += 15_552_000
    assert (await client.refresh_login_kit(token))["error"] == "invalid_grant"
    assert (await client.stats())["dead_refresh_token_presented"] == 0


def test_a_simulator_without_a_time_source_uses_the_system_clock() -> None:
    assert build_simulator()[STATE].now() > 1_700_000_000
