"""Credentials of a user and of servers, and a server that publishes a Supabase project's keys."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pydantic import SecretStr

from connector.errors import Unauthenticated
from connector.identity import ApiKey, Authenticator, IssuerTokens, JwksCache
from connector.model import Principal, UserId

from .manual_clock import NOON, ManualClock

ANNA = UserId("6f1c2a9e-3b7d-4c55-9a0e-2f4b8d1c7e60")
ANNA_PRINCIPAL = Principal("user", "user", ANNA)
JWT_SECRET = "the-projects-own-secret-of-some-length"
ISSUER = "https://ref.supabase.co/auth/v1"
API_KEYS = ("first-server-key-0123456789", "second-server-key-012345678")
KEY_NAMES = tuple(ApiKey.parse(key).name for key in API_KEYS)
NOON_TIMESTAMP = int(NOON.timestamp())

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def jwt_claims(**changes: Any) -> dict[str, Any]:
    """Returns the claims of a token that is valid at noon; a change to None removes a claim."""
    claims = {
        "aud": "authenticated",
        "exp": NOON_TIMESTAMP + 3600,
        "iat": NOON_TIMESTAMP,
        "iss": ISSUER,
        "role": "authenticated",
        "sub": ANNA,
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}


def hs256_jwt(**changes: Any) -> str:
    return jwt.encode(jwt_claims(**changes), JWT_SECRET, algorithm="HS256")


def build_authenticator(
    *,
    clock: ManualClock | None = None,
    jwks: JwksCache | None = None,
    secret: str | None = JWT_SECRET,
    ticket_keys: tuple[bytes, ...] = (b"t" * 32,),
    other_issuers: tuple[IssuerTokens, ...] = (),
) -> Authenticator:
    return Authenticator(
        api_keys=tuple(map(ApiKey.parse, API_KEYS)),
        ticket_keys=ticket_keys,
        jwt_secret=SecretStr(secret) if secret else None,
        jwks=jwks,
        issuer=ISSUER,
        clock=clock or ManualClock(),
        other_issuers=other_issuers,
    )


async def rejection_message(authenticator: Authenticator, token: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await authenticator.authenticate(f"Bearer {token}", None)
    assert token not in caught.value.message
    return caught.value.message


class JwksServer:
    """Publishes the keys of a Supabase project, on a real socket."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.request_count = 0
        self.status = 200
        self.body: bytes | None = None
        self.url = ""
        self.redirects_to: str | None = None
        self.response_lock = asyncio.Lock()
        """While a test holds the lock, requests wait for their response."""

        self.request_arrived = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        self.request_count += 1
        self.request_arrived.set()
        if self.redirects_to is not None and request.path != self.redirects_to:
            return web.Response(status=302, headers={"Location": self.redirects_to})
        async with self.response_lock:
            body = json.dumps({"keys": self.keys}).encode() if self.body is None else self.body
            return web.Response(status=self.status, body=body)

    def publish(self, kid: str, private_key: PrivateKey, **fields: Any) -> None:
        self.keys.append(public_jwk(private_key) | {"kid": kid} | fields)


def public_jwk(private_key: PrivateKey) -> dict[str, Any]:
    public = private_key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        return jwt.algorithms.RSAAlgorithm.to_jwk(public, as_dict=True)
    if isinstance(public, ec.EllipticCurvePublicKey):
        return jwt.algorithms.ECAlgorithm.to_jwk(public, as_dict=True)
    return jwt.algorithms.OKPAlgorithm.to_jwk(public, as_dict=True)


def signed_jwt(private_key: PrivateKey, kid: str | None, algorithm: str = "ES256") -> str:
    return jwt.encode(jwt_claims(), private_key, algorithm, headers={"kid": kid} if kid else None)
