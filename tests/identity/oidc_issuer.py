"""An OpenID Connect issuer on a real socket: a discovery document, published keys and signed tokens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from connector.identity import Authenticator, IssuerTokens, JwtIssuer
from connector.model import Principal
from tests.credentials import (
    ANNA,
    NOON_TIMESTAMP,
    JwksServer,
    PrivateKey,
    build_authenticator,
)
from tests.manual_clock import ManualClock


class OidcIssuer:
    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.jwks = JwksServer()
        self.jwks.publish("k1", self.key)
        self.url = ""
        self.discovery_changes: dict[str, Any] = {}
        self.discovery_response: web.Response | None = None

    def token(
        self,
        *,
        signed_by: PrivateKey | None = None,
        kid: str = "k1",
        algorithm: str = "ES256",
        **changes: Any,
    ) -> str:
        """Returns a token that is valid at noon; a change to None removes a claim."""
        claims = {
            "iss": self.url,
            "sub": ANNA,
            "iat": NOON_TIMESTAMP,
            "exp": NOON_TIMESTAMP + 3600,
        } | changes
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, signed_by or self.key, algorithm, headers={"kid": kid})

    async def discovery(self, request: web.Request) -> web.Response:
        if self.discovery_response is not None:
            return self.discovery_response
        document = {"issuer": self.url, "jwks_uri": self.jwks.url} | self.discovery_changes
        return web.Response(body=json.dumps(document).encode())


@asynccontextmanager
async def running_issuer(path: str = "") -> AsyncIterator[OidcIssuer]:
    """`path` is what the issuer's URL has after the host."""
    issuer = OidcIssuer()
    app = web.Application()
    prefix = path.removesuffix("/")
    app.router.add_get(f"{prefix}/.well-known/openid-configuration", issuer.discovery)
    app.router.add_get("/keys", issuer.jwks.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    issuer.url = f"http://{host}:{port}{path}"
    issuer.jwks.url = f"http://{host}:{port}/keys"
    try:
        yield issuer
    finally:
        await runner.cleanup()


@asynccontextmanager
async def trusting(
    *issuers: OidcIssuer, clock: ManualClock, audience: str | None = None
) -> AsyncIterator[Authenticator]:
    verifiers = tuple(IssuerTokens(JwtIssuer(i.url, audience), clock=clock) for i in issuers)
    yield build_authenticator(clock=clock, other_issuers=verifiers)
    for verifier in verifiers:
        await verifier.close()


async def sign_in(authenticator: Authenticator, token: str) -> Principal | None:
    return await authenticator.authenticate(f"Bearer {token}", None)
