"""A running service accepts the users of every configured issuer."""

from __future__ import annotations

from pathlib import Path

from aiohttp import ClientSession
from cryptography.hazmat.primitives.asymmetric import ec

from connector.app import Service
from connector.model import UserId
from tests.credentials import hs256_jwt
from tests.identity.oidc_issuer import running_issuer
from tests.running_service import connect_account, running_simulator, serving, settings_for


async def test_a_user_of_a_configured_issuer_sees_only_their_own_connections(
    tmp_path: Path,
) -> None:
    async with (
        running_simulator() as simulator,
        running_issuer("/") as issuer,
        ClientSession() as http,
    ):
        settings = settings_for(tmp_path, simulator.url, CONNECTOR_JWT_ISSUERS=issuer.url)
        service = Service.build(settings, clock=simulator.clock)
        async with serving(service) as url:
            ben = UserId("auth0|ben")
            await connect_account(http, url, simulator, user_id=ben)

            async def connections(token: str) -> tuple[int, int]:
                headers = {"Authorization": f"Bearer {token}"}
                async with http.get(f"{url}/connections", headers=headers) as response:
                    body = await response.json()
                    return response.status, len(body.get("connections", []))

            assert await connections(issuer.token(sub=ben)) == (200, 1)
            assert await connections(issuer.token(sub="auth0|anna")) == (200, 0)
            assert await connections(hs256_jwt(sub=ben)) == (200, 1)
            stranger = ec.generate_private_key(ec.SECP256R1())
            assert (await connections(issuer.token(sub=ben, signed_by=stranger)))[0] == 401
