"""Supabase's API gateway: the API key check, `/rest/v1` in front of PostgREST, and the project's JWKS.

Tests also make the store fail here. While `fault` is set, it applies to every request whose path contains
`fault_path`: "down" cuts the connection, "503" returns that status, "hang" never responds, and "drop_after"
runs the operation and then cuts the connection, so that the caller does not know that the operation ran.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import jwt
from aiohttp import ClientSession, UnixConnector, web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from yarl import URL

Fault = Literal["down", "503", "hang", "drop_after"]

HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}
UNAVAILABLE = {
    "code": "PGRST002",
    "message": "Could not query the database for the schema cache. Retrying.",
    "details": None,
    "hint": None,
}


class SigningKey:
    """An asymmetric JWT key of a project; the keys in `gateway.signing_keys` are published."""

    def __init__(self, algorithm: Literal["ES256", "RS256"] = "ES256") -> None:
        self.id = str(uuid4())
        self._algorithm = algorithm
        self._private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
        if algorithm == "ES256":
            self._private = ec.generate_private_key(ec.SECP256R1())
            public = ECAlgorithm.to_jwk(self._private.public_key(), as_dict=True)
        else:
            self._private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            public = RSAAlgorithm.to_jwk(self._private.public_key(), as_dict=True)
        self.public = {**public, "kid": self.id, "alg": algorithm, "use": "sig"}

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self._private, self._algorithm, headers={"kid": self.id})


class Gateway:
    def __init__(self, upstream: Path, *, api_keys: set[str]) -> None:
        self.fault: Fault | None = None
        self.fault_path = "/rest/v1/"
        self.calls: Counter[str] = Counter()
        self.signing_keys: list[SigningKey] = []
        self._upstream = upstream
        self._api_keys = api_keys

    @contextmanager
    def failing(self, fault: Fault, *, on: str = "/rest/v1/") -> Iterator[None]:
        self.fault, self.fault_path = fault, on
        try:
            yield
        finally:
            self.fault = None

    @property
    def jwks_fetches(self) -> int:
        return self.calls["GET /auth/v1/.well-known/jwks.json"]

    async def start(self, port: int = 0) -> str:
        application = web.Application(middlewares=[self._count_and_fail], client_max_size=2**26)
        application.router.add_get("/auth/v1/.well-known/jwks.json", self._jwks)
        application.router.add_route("*", "/rest/v1/{rest:.*}", self._rest)
        self._session = ClientSession(
            connector=UnixConnector(str(self._upstream), limit=0), auto_decompress=False
        )
        # Cancelled when the client disconnects. Otherwise a handler that hangs would hang until the end.
        self._runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    @web.middleware
    async def _count_and_fail(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls[f"{request.method} {request.path}"] += 1
        fault = self.fault if self.fault_path in request.path else None
        if fault == "503":
            return web.json_response(UNAVAILABLE, status=503)
        if fault == "hang":
            await asyncio.Event().wait()
        response: web.StreamResponse = web.Response()
        if fault != "down":
            response = await handler(request)
        if fault in ("down", "drop_after") and request.transport is not None:
            request.transport.abort()
        return response

    async def _jwks(self, request: web.Request) -> web.Response:
        return web.json_response({"keys": [key.public for key in self.signing_keys]})

    async def _rest(self, request: web.Request) -> web.Response:
        key = request.headers.get("apikey") or request.query.get("apikey")
        if key is None:
            return web.json_response({"message": "No API key found in request"}, status=401)
        if key not in self._api_keys:
            return web.json_response({"message": "Invalid authentication credentials"}, status=401)
        headers = {name: v for name, v in request.headers.items() if name.lower() not in HOP_BY_HOP}
        headers.setdefault("Authorization", f"Bearer {key}")
        path = request.raw_path.removeprefix("/rest/v1")
        async with self._session.request(
            request.method,
            URL(f"http://postgrest{path}", encoded=True),
            headers=headers,
            data=await request.read(),
            allow_redirects=False,
        ) as upstream:
            forwarded = [(n, v) for n, v in upstream.headers.items() if n.lower() not in HOP_BY_HOP]
            return web.Response(
                status=upstream.status, headers=dict(forwarded), body=await upstream.read()
            )
