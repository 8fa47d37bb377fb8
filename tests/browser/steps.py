"""Steps that change a connection before a page shows the connection."""

from __future__ import annotations

from tests.credentials import ANNA
from tests.running_service import Json

from .harness import Harness


async def lose_the_advertiser(harness: Harness) -> None:
    """Connect an ad account that TikTok then replaces by another one."""
    response = await harness.connect()
    await harness.simulator.post("/_sim/advertisers", {"person": "robin", "advertisers": 0})
    await harness.simulator.post(
        "/_sim/advertisers",
        {"person": "robin", "advertisers": [{"id": "7000000000000000098", "name": "Velvet Surf"}]},
    )
    await harness.call("POST", f"/connections/{response['connection_id']}/refresh")


async def select_advertiser(harness: Harness, response: Json, index: int) -> None:
    body = {
        "connection_id": response["connection_id"],
        "advertiser_id": response["advertisers"][index]["id"],
        "user_id": ANNA,
    }
    await harness.call("POST", "/advertisers/select", body)


async def fail_a_refresh(harness: Harness, response: Json) -> None:
    await harness.simulator.fault("/v2/oauth/token", "status", 503)
    path = f"/connections/{response['connection_id']}/refresh"
    await harness.call("POST", path, status=503)


async def revoke_at_tiktok(harness: Harness, response: Json) -> None:
    path = f"/connections/{response['connection_id']}"
    token = (await harness.get(f"{path}/token"))["access_token"]
    await harness.simulator.post("/_sim/revoke", {"access_token": token})
    await harness.call("POST", f"{path}/refresh", status=409)
