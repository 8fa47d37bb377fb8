"""Users' tokens are verified with a project's published keys, fetched over a real socket."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from connector.errors import Busy
from connector.identity import Authenticator, JwksCache
from tests.credentials import (
    ANNA_PRINCIPAL,
    JWT_SECRET,
    JwksServer,
    PrivateKey,
    build_authenticator,
    hs256_jwt,
    jwt_claims,
    rejection_message,
    signed_jwt,
)
from tests.manual_clock import ManualClock


@pytest.fixture
async def project() -> AsyncIterator[JwksServer]:
    project = JwksServer()
    app = web.Application()
    app.router.add_get("/{path:.*}", project.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    project.url = f"http://{host}:{port}/auth/v1/.well-known/jwks.json"
    yield project
    await runner.cleanup()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def authenticator(project: JwksServer, clock: ManualClock) -> AsyncIterator[Authenticator]:
    jwks = JwksCache(project.url, clock=clock)
    yield build_authenticator(clock=clock, jwks=jwks)
    await jwks.close()


EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
ED = ed25519.Ed25519PrivateKey.generate()


@pytest.mark.parametrize(("private", "algorithm"), [(EC, "ES256"), (RSA, "RS256"), (ED, "EdDSA")])
async def test_a_token_signed_with_a_published_key_authenticates_its_user(
    authenticator: Authenticator, project: JwksServer, private: PrivateKey, algorithm: str
) -> None:
    project.publish("k1", private)
    for _ in range(3):
        token = signed_jwt(private, "k1", algorithm)
        assert await authenticator.authenticate(f"Bearer {token}", None) == ANNA_PRINCIPAL
    assert await authenticator.authenticate(f"Bearer {hs256_jwt()}", None) == ANNA_PRINCIPAL
    assert project.request_count == 1


async def test_a_published_key_verifies_only_with_its_own_algorithm(
    authenticator: Authenticator, project: JwksServer
) -> None:
    project.publish("k1", EC)
    project.publish("k2", RSA)
    await rejection_message(authenticator, signed_jwt(RSA, "k1", "RS256"))
    await rejection_message(authenticator, signed_jwt(EC, "k2"))
    await rejection_message(authenticator, signed_jwt(RSA, "k2", "RS512"))
    await rejection_message(authenticator, signed_jwt(EC, None))


async def test_a_published_shared_secret_is_never_used(
    project: JwksServer, clock: ManualClock
) -> None:
    secret = base64.urlsafe_b64encode(JWT_SECRET.encode()).decode().rstrip("=")
    project.keys = [{"kty": "oct", "k": secret, "kid": "k1", "alg": "HS256"}]
    jwks = JwksCache(project.url, clock=clock)
    authenticator = build_authenticator(clock=clock, jwks=jwks, secret=None)
    token = jwt.encode(jwt_claims(), JWT_SECRET, "HS256", headers={"kid": "k1"})
    await rejection_message(authenticator, token)
    assert await jwks.key("k1") is None
    await jwks.close()


async def test_unusable_published_keys_do_not_hide_the_usable_ones(
    authenticator: Authenticator, project: JwksServer
) -> None:
    project.keys = [{}, {"kid": "x"}, {"kid": "y", "kty": "EC", "x": 7}, {"kid": [], "kty": "RSA"}]
    project.publish("enc", RSA, use="enc")
    project.publish("k1", EC, use="sig")
    assert (
        await authenticator.authenticate(f"Bearer {signed_jwt(EC, 'k1')}", None) == ANNA_PRINCIPAL
    )
    await rejection_message(authenticator, signed_jwt(RSA, "enc", "RS256"))


async def test_a_new_key_is_accepted_immediately_but_the_keys_are_fetched_at_most_once_a_minute(
    authenticator: Authenticator, project: JwksServer, clock: ManualClock
) -> None:
    project.publish("k1", EC)
    assert await authenticator.authenticate(f"Bearer {signed_jwt(EC, 'k1')}", None)
    clock.advance(60)
    project.publish("k2", ED)
    assert await authenticator.authenticate(f"Bearer {signed_jwt(ED, 'k2', 'EdDSA')}", None)
    for n in range(5):
        await rejection_message(authenticator, signed_jwt(EC, f"unknown-{n}"))
    assert project.request_count == 2
    clock.advance(60)
    await rejection_message(authenticator, signed_jwt(EC, "unknown"))
    assert project.request_count == 3


async def test_a_withdrawn_key_is_rejected_after_ten_minutes(
    authenticator: Authenticator, project: JwksServer, clock: ManualClock
) -> None:
    project.publish("k1", EC)
    token = signed_jwt(EC, "k1")
    assert await authenticator.authenticate(f"Bearer {token}", None)
    project.keys.clear()
    clock.advance(599)
    assert await authenticator.authenticate(f"Bearer {token}", None)
    clock.advance(1)
    await rejection_message(authenticator, token)


async def test_concurrent_requests_fetch_the_keys_once(
    authenticator: Authenticator, project: JwksServer
) -> None:
    project.publish("k1", EC)
    token = f"Bearer {signed_jwt(EC, 'k1')}"
    principals = await asyncio.gather(*(authenticator.authenticate(token, None) for _ in range(20)))
    assert principals == [ANNA_PRINCIPAL] * 20
    assert project.request_count == 1


async def test_requests_use_the_cached_keys_while_the_keys_are_fetched_again(
    authenticator: Authenticator, project: JwksServer, clock: ManualClock
) -> None:
    project.publish("k1", EC)
    token = f"Bearer {signed_jwt(EC, 'k1')}"
    await authenticator.authenticate(token, None)
    clock.advance(600)
    project.request_arrived.clear()
    async with project.response_lock:
        first = asyncio.create_task(authenticator.authenticate(token, None))
        await project.request_arrived.wait()
        assert await authenticator.authenticate(token, None) == ANNA_PRINCIPAL
        assert not first.done()
    assert await first == ANNA_PRINCIPAL
    assert project.request_count == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, None), (302, None), (200, b"<html>"), (200, b"[]"), (200, b" " * 300_000)],
)
async def test_the_cached_keys_stay_valid_while_the_project_does_not_respond(
    authenticator: Authenticator,
    project: JwksServer,
    clock: ManualClock,
    status: int,
    body: bytes | None,
) -> None:
    project.publish("k1", EC)
    token = f"Bearer {signed_jwt(EC, 'k1')}"
    await authenticator.authenticate(token, None)
    project.status, project.body = status, body
    clock.advance(601)
    assert await authenticator.authenticate(token, None) == ANNA_PRINCIPAL
    assert project.request_count == 2


async def test_a_redirect_to_other_keys_is_not_followed(
    authenticator: Authenticator, project: JwksServer
) -> None:
    project.publish("k1", EC)
    project.redirects_to = "/elsewhere"
    with pytest.raises(Busy):
        await authenticator.authenticate(f"Bearer {signed_jwt(EC, 'k1')}", None)
    assert project.request_count == 1


async def test_a_request_is_busy_while_no_keys_could_be_fetched_yet(
    authenticator: Authenticator, project: JwksServer, clock: ManualClock
) -> None:
    project.publish("k1", EC)
    project.status = 503
    token = f"Bearer {signed_jwt(EC, 'k1')}"
    for _ in range(3):
        with pytest.raises(Busy) as caught:
            await authenticator.authenticate(token, None)
    assert caught.value.retry_after
    assert project.request_count == 1
    project.status = 200
    clock.advance(caught.value.retry_after)
    assert await authenticator.authenticate(token, None) == ANNA_PRINCIPAL
