"""People and servers with credentials, and the Supabase project that signs some of them."""

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
from connector.identity import Identity, Jwks
from connector.model import Principal, UserId

from .clocks import NOON, TurnedClock

ANNA = UserId("6f1c2a9e-3b7d-4c55-9a0e-2f4b8d1c7e60")
AS_ANNA = Principal("user", "user", ANNA)
SECRET = "the-projects-own-secret-of-some-length"
ISSUER = "https://ref.supabase.co/auth/v1"
KEYS = ("first-server-key-0123456789", "second-server-key-012345678")
NOW = int(NOON.timestamp())

Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def claims(**changed: Any) -> dict[str, Any]:
    said = {
        "aud": "authenticated",
        "exp": NOW + 3600,
        "iat": NOW,
        "iss": ISSUER,
        "role": "authenticated",
        "sub": ANNA,
    }
    return {name: value for name, value in (said | changed).items() if value is not None}


def hs256(**changed: Any) -> str:
    return jwt.encode(claims(**changed), SECRET, algorithm="HS256")


def identity(
    *,
    clock: TurnedClock | None = None,
    jwks: Jwks | None = None,
    secret: str | None = SECRET,
    ticket_keys: tuple[bytes, ...] = (b"t" * 32,),
) -> Identity:
    return Identity(
        api_keys=tuple(map(SecretStr, KEYS)),
        ticket_keys=ticket_keys,
        jwt_secret=SecretStr(secret) if secret else None,
        jwks=jwks,
        issuer=ISSUER,
        clock=clock or TurnedClock(),
    )


async def refusal(house: Identity, token: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await house.principal(f"Bearer {token}", None)
    assert token not in caught.value.message
    return caught.value.message


class Project:
    """A Supabase project as far as its published keys go, on a real socket."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.asked = 0
        self.status = 200
        self.body: bytes | None = None
        self.url = ""
        self.busy = asyncio.Lock()
        """Held by a test, it keeps an answer back."""
        self.reached = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        self.reached.set()
        async with self.busy:
            return self._said()

    def _said(self) -> web.Response:
        body = json.dumps({"keys": self.keys}).encode() if self.body is None else self.body
        return web.Response(status=self.status, body=body)

    def publish(self, kid: str, private: Private, **more: Any) -> None:
        self.keys.append(published(private) | {"kid": kid} | more)


def published(private: Private) -> dict[str, Any]:
    public = private.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        return jwt.algorithms.RSAAlgorithm.to_jwk(public, as_dict=True)
    if isinstance(public, ec.EllipticCurvePublicKey):
        return jwt.algorithms.ECAlgorithm.to_jwk(public, as_dict=True)
    return jwt.algorithms.OKPAlgorithm.to_jwk(public, as_dict=True)


def signed(private: Private, kid: str | None, algorithm: str = "ES256") -> str:
    return jwt.encode(claims(), private, algorithm, headers={"kid": kid} if kid else None)
