"""Users' tokens under a project's published keys, fetched over a real socket."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from connector.errors import Busy
from connector.identity import Identity, Jwks

from .clocks import TurnedClock
from .people import AS_ANNA, SECRET, Private, Project, claims, hs256, identity, refusal, signed


@pytest.fixture
async def project() -> AsyncIterator[Project]:
    project = Project()
    app = web.Application()
    app.router.add_get("/auth/v1/.well-known/jwks.json", project.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    project.url = f"http://{host}:{port}/auth/v1/.well-known/jwks.json"
    yield project
    await runner.cleanup()


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
async def house(project: Project, clock: TurnedClock) -> AsyncIterator[Identity]:
    jwks = Jwks(project.url, clock=clock)
    yield identity(clock=clock, jwks=jwks)
    await jwks.close()


EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
ED = ed25519.Ed25519PrivateKey.generate()


@pytest.mark.parametrize(("private", "algorithm"), [(EC, "ES256"), (RSA, "RS256"), (ED, "EdDSA")])
async def test_a_token_under_a_published_key_is_that_user(
    house: Identity, project: Project, private: Private, algorithm: str
) -> None:
    project.publish("k1", private)
    for _ in range(3):
        token = signed(private, "k1", algorithm)
        assert await house.principal(f"Bearer {token}", None) == AS_ANNA
    assert await house.principal(f"Bearer {hs256()}", None) == AS_ANNA
    assert project.asked == 1


async def test_a_published_key_verifies_with_its_own_algorithm_only(
    house: Identity, project: Project
) -> None:
    project.publish("k1", EC)
    project.publish("k2", RSA)
    await refusal(house, signed(RSA, "k1", "RS256"))
    await refusal(house, signed(EC, "k2"))
    await refusal(house, signed(RSA, "k2", "RS512"))
    await refusal(house, signed(EC, None))


async def test_a_published_key_is_never_taken_for_a_shared_secret(
    project: Project, clock: TurnedClock
) -> None:
    secret = base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("=")
    project.keys = [{"kty": "oct", "k": secret, "kid": "k1", "alg": "HS256"}]
    jwks = Jwks(project.url, clock=clock)
    house = identity(clock=clock, jwks=jwks, secret=None)
    token = jwt.encode(claims(), SECRET, "HS256", headers={"kid": "k1"})
    await refusal(house, token)
    assert await jwks.key("k1") is None
    await jwks.close()


async def test_keys_that_cannot_be_used_do_not_hide_those_that_can(
    house: Identity, project: Project
) -> None:
    project.keys = [{}, {"kid": "x"}, {"kid": "y", "kty": "EC", "x": 7}, {"kid": [], "kty": "RSA"}]
    project.publish("enc", RSA, use="enc")
    project.publish("k1", EC, use="sig")
    assert await house.principal(f"Bearer {signed(EC, 'k1')}", None) == AS_ANNA
    await refusal(house, signed(RSA, "enc", "RS256"))


async def test_a_new_key_counts_at_once_but_nobody_makes_us_ask_twice_a_minute(
    house: Identity, project: Project, clock: TurnedClock
) -> None:
    project.publish("k1", EC)
    assert await house.principal(f"Bearer {signed(EC, 'k1')}", None)
    clock.turn(60)
    project.publish("k2", ED)
    assert await house.principal(f"Bearer {signed(ED, 'k2', 'EdDSA')}", None)
    for n in range(5):
        await refusal(house, signed(EC, f"unheard-of-{n}"))
    assert project.asked == 2
    clock.turn(60)
    await refusal(house, signed(EC, "unheard-of"))
    assert project.asked == 3


async def test_a_withdrawn_key_stops_counting_after_ten_minutes(
    house: Identity, project: Project, clock: TurnedClock
) -> None:
    project.publish("k1", EC)
    token = signed(EC, "k1")
    assert await house.principal(f"Bearer {token}", None)
    project.keys.clear()
    clock.turn(599)
    assert await house.principal(f"Bearer {token}", None)
    clock.turn(1)
    await refusal(house, token)


async def test_a_crowd_asks_the_project_once(house: Identity, project: Project) -> None:
    project.publish("k1", EC)
    token = f"Bearer {signed(EC, 'k1')}"
    asking = await asyncio.gather(*(house.principal(token, None) for _ in range(20)))
    assert asking == [AS_ANNA] * 20
    assert project.asked == 1


async def test_while_one_asks_again_the_others_go_on_with_the_keys_we_have(
    house: Identity, project: Project, clock: TurnedClock
) -> None:
    project.publish("k1", EC)
    token = f"Bearer {signed(EC, 'k1')}"
    await house.principal(token, None)
    clock.turn(600)
    project.reached.clear()
    async with project.busy:
        first = asyncio.create_task(house.principal(token, None))
        await project.reached.wait()
        assert await house.principal(token, None) == AS_ANNA
        assert not first.done()
    assert await first == AS_ANNA
    assert project.asked == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, None), (302, None), (200, b"<html>"), (200, b"[]"), (200, b" " * 300_000)],
)
async def test_when_the_project_does_not_answer_the_keys_we_have_go_on_counting(
    house: Identity, project: Project, clock: TurnedClock, status: int, body: bytes | None
) -> None:
    project.publish("k1", EC)
    token = f"Bearer {signed(EC, 'k1')}"
    await house.principal(token, None)
    project.status, project.body = status, body
    clock.turn(601)
    assert await house.principal(token, None) == AS_ANNA
    assert project.asked == 2


async def test_when_there_are_no_keys_yet_the_person_is_told_to_come_back(
    house: Identity, project: Project, clock: TurnedClock
) -> None:
    project.publish("k1", EC)
    project.status = 503
    token = f"Bearer {signed(EC, 'k1')}"
    for _ in range(3):
        with pytest.raises(Busy) as caught:
            await house.principal(token, None)
    assert caught.value.retry_after
    assert project.asked == 1
    project.status = 200
    clock.turn(caught.value.retry_after)
    assert await house.principal(token, None) == AS_ANNA
