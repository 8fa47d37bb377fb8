"""40106 ends a connection only if a second call agrees, and a token of another app ends none."""

from __future__ import annotations

import pytest

from connector.errors import ConfigurationError, GrantInDoubt, ReconnectRequired, TikTokError

from .failing_calls import PATHS, assert_is_failing, connect
from .harness import Replica, TokenHarness

CONFIRMING_PATHS = {"accounts": "/tt_user/token_info/get", "marketing": "/user/info"}


@pytest.mark.parametrize("code", [40102, 40105, 40106])
@pytest.mark.parametrize("family", CONFIRMING_PATHS)
async def test_40106_ends_a_connection_if_a_second_call_agrees(
    harness: TokenHarness, replica: Replica, family: str, code: int
) -> None:
    connection_id = await connect(harness, replica, family)
    await harness.simulator.fault(PATHS[family], "code", 40106)
    await harness.simulator.fault(CONFIRMING_PATHS[family], "code", code)
    with pytest.raises(ReconnectRequired):
        await replica.refresh(connection_id)
    assert (await replica.connection(connection_id)).status == "reconnect_required"
    operation = "probe" if family == "marketing" else "refresh"
    assert await replica.last_attempt(connection_id) == f"{operation} reconnect_required 40106"


@pytest.mark.parametrize("kind", ["works", "hang", "garbage"])
@pytest.mark.parametrize("family", CONFIRMING_PATHS)
async def test_40106_ends_no_connection_if_the_second_call_does_not_agree(
    harness: TokenHarness, replica: Replica, family: str, kind: str
) -> None:
    connection_id = await connect(harness, replica, family)
    await harness.simulator.fault(PATHS[family], "code", 40106)
    if kind != "works":
        await harness.simulator.fault(CONFIRMING_PATHS[family], kind)
    with pytest.raises(GrantInDoubt):
        await replica.refresh(connection_id)
    await assert_is_failing(harness, replica, connection_id, "tiktok_refused")
    assert "reconnect_required" not in harness.events()


@pytest.mark.parametrize(
    ("is_revoked", "status"), [(False, "refresh_failing"), (True, "reconnect_required")]
)
async def test_an_expired_access_token_confirms_40106_only_if_it_was_also_revoked(
    harness: TokenHarness, replica: Replica, is_revoked: bool, status: str
) -> None:
    connection_id = await connect(harness, replica, "accounts")
    harness.advance_past_expiry(await replica.tokens(connection_id))
    await harness.simulator.fault(PATHS["accounts"], "code", 40106)
    if is_revoked:
        await harness.simulator.post("/_sim/revoke", {"person": "robin"})
    with pytest.raises(TikTokError):
        await replica.refresh(connection_id)
    assert (await replica.connection(connection_id)).status == status


@pytest.mark.parametrize(("code", "result"), [(40105, "ok"), (None, "tiktok_refused")])
async def test_40106_confirms_a_revocation_only_if_a_second_call_agrees(
    harness: TokenHarness, replica: Replica, code: int | None, result: str
) -> None:
    connection_id = await connect(harness, replica, "marketing")
    await harness.simulator.fault("/oauth2/revoke_token", "code", 40106)
    if code is not None:
        await harness.simulator.fault("/user/info", "code", code)
    await replica.disconnect(connection_id)
    assert (await replica.last_attempt(connection_id)).startswith(f"revoke {result}")


@pytest.mark.parametrize("code", [40000, 40113])
async def test_a_token_of_another_app_is_the_operators_error_and_ends_no_connection(
    harness: TokenHarness, replica: Replica, code: int
) -> None:
    for family in CONFIRMING_PATHS:
        connection_id = await connect(harness, replica, family)
        text = "The app_id is inconsistent with the token's app information"
        fault = {"path": PATHS[family], "kind": "code", "value": code, "message": text}
        await harness.simulator.post("/_sim/faults", fault)
        with pytest.raises(ConfigurationError):
            await replica.refresh(connection_id)
        await assert_is_failing(harness, replica, connection_id, "configuration")
