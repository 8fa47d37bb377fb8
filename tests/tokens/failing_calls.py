"""The call that a fault hits in each family, and the state of a connection whose call has failed."""

from __future__ import annotations

from .harness import Replica, TokenHarness

PATHS = {
    "login_kit": "/v2/oauth/token",
    "accounts": "/tt_user/oauth2/refresh_token",
    "marketing": "/oauth2/advertiser/get",
}


async def connect(harness: TokenHarness, replica: Replica, family: str) -> str:
    # After a lost response the next refresh must succeed here: strict rotation is for other tests.
    await harness.simulator.post("/_sim/settings", {"rotation": "none"})
    connection_id = await harness.connect(replica, family)
    replica.service.tiktok_client._deadline = 0.05
    return connection_id


async def assert_is_failing(
    harness: TokenHarness, replica: Replica, connection_id: str, code: str
) -> None:
    """A failed probe says nothing about the token, so the status stays and only the failure is shown."""
    connection = await replica.connection(connection_id)
    assert connection.status == (
        "active" if connection.family == "marketing" else "refresh_failing"
    )
    assert connection.last_failure is not None
    assert (connection.last_failure.code, connection.last_failure.count) == (code, 1)
    assert connection.last_failure.retry_at is not None
    assert connection.last_failure.retry_at > harness.clock.now()
    assert connection.due_at == connection.last_failure.retry_at
