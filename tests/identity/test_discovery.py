"""The keys of an OpenID Connect issuer are found through its discovery document, over a real socket."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from connector.errors import Busy
from connector.identity import Authenticator
from connector.identity.discovery import DiscoveredKeys
from tests.credentials import ANNA_PRINCIPAL, hs256_jwt, rejection_message
from tests.manual_clock import ManualClock

from .oidc_issuer import OidcIssuer, sign_in

EC = ec.generate_private_key(ec.SECP256R1())


async def test_a_new_key_is_accepted_immediately_and_a_withdrawn_one_for_ten_minutes(
    authenticator: Authenticator, issuer: OidcIssuer, clock: ManualClock
) -> None:
    old, new = issuer.token(), issuer.token(signed_by=EC, kid="k2")
    assert await sign_in(authenticator, old) == ANNA_PRINCIPAL
    issuer.jwks.publish("k2", EC)
    clock.advance(60)
    assert await sign_in(authenticator, new) == ANNA_PRINCIPAL
    issuer.jwks.keys.pop(0)
    clock.advance(599)
    assert await sign_in(authenticator, old) == ANNA_PRINCIPAL
    clock.advance(1)
    await rejection_message(authenticator, old)


async def test_keys_that_move_to_another_address_are_found(
    authenticator: Authenticator,
    issuer: OidcIssuer,
    second_issuer: OidcIssuer,
    clock: ManualClock,
) -> None:
    assert await sign_in(authenticator, issuer.token()) == ANNA_PRINCIPAL
    issuer.jwks.status = 404
    second_issuer.jwks.publish("k2", EC)
    issuer.discovery_changes = {"jwks_uri": second_issuer.jwks.url}
    clock.advance(60)
    assert await sign_in(authenticator, issuer.token(signed_by=EC, kid="k2")) == ANNA_PRINCIPAL


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://other.example.com"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": 7},
        {"jwks_uri": ""},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://[broken"},
        {"jwks_uri": "http://keys.example.com/keys"},
    ],
)
async def test_a_discovery_document_with_wrong_contents_is_not_used(
    authenticator: Authenticator,
    issuer: OidcIssuer,
    changes: dict[str, Any],
) -> None:
    issuer.discovery_changes = changes
    with pytest.raises(Busy):
        await sign_in(authenticator, issuer.token())
    assert issuer.jwks.request_count == 0


async def test_keys_are_not_fetched_over_http_from_another_host(
    authenticator: Authenticator, issuer: OidcIssuer
) -> None:
    # Linux connects to 0.0.0.0 as to this machine, but the address is not a loopback address.
    unencrypted = issuer.jwks.url.replace("127.0.0.1", "0.0.0.0")
    issuer.discovery_changes = {"jwks_uri": unencrypted}
    with pytest.raises(Busy):
        await sign_in(authenticator, issuer.token())
    assert issuer.jwks.request_count == 0


def test_an_issuer_on_another_host_may_not_name_an_http_address_of_this_machine() -> None:
    issuer = "https://login.example.com"
    document = {"issuer": issuer, "jwks_uri": "http://127.0.0.1:8080/keys"}
    with pytest.raises(ValueError, match="not an https URL"):
        DiscoveredKeys(issuer, clock=ManualClock())._jwks_uri(json.dumps(document).encode())


async def test_a_discovery_document_whose_issuer_differs_in_the_last_slash_is_not_used(
    authenticator: Authenticator, issuer: OidcIssuer
) -> None:
    issuer.discovery_changes = {"issuer": f"{issuer.url}/"}
    with pytest.raises(Busy):
        await sign_in(authenticator, issuer.token())
    assert issuer.jwks.request_count == 0


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"a":' * 5000),
        (200, b" " * 300_000),
    ],
)
async def test_an_issuer_whose_discovery_document_is_unusable_is_busy(
    authenticator: Authenticator, issuer: OidcIssuer, status: int, body: bytes
) -> None:
    issuer.discovery_response = web.Response(status=status, body=body)
    with pytest.raises(Busy):
        await sign_in(authenticator, issuer.token())
    assert issuer.jwks.request_count == 0


async def test_huge_keys_are_not_read(authenticator: Authenticator, issuer: OidcIssuer) -> None:
    issuer.jwks.keys.append({"kid": "x", "padding": "x" * 300_000})
    with pytest.raises(Busy):
        await sign_in(authenticator, issuer.token())


async def test_redirects_are_not_followed(
    authenticator: Authenticator, issuer: OidcIssuer, second_issuer: OidcIssuer
) -> None:
    elsewhere = f"{second_issuer.url}/.well-known/openid-configuration"
    second_issuer.discovery_changes = {"issuer": issuer.url}
    issuer.discovery_response = web.Response(status=302, headers={"Location": elsewhere})
    with pytest.raises(Busy):
        await sign_in(authenticator, issuer.token(signed_by=second_issuer.key))
    assert second_issuer.jwks.request_count == 0


async def test_an_issuer_that_hangs_does_not_delay_the_users_of_others(
    authenticator: Authenticator, issuer: OidcIssuer, second_issuer: OidcIssuer
) -> None:
    async with issuer.jwks.response_lock:
        waiting = asyncio.create_task(sign_in(authenticator, issuer.token()))
        await issuer.jwks.request_arrived.wait()
        assert await sign_in(authenticator, second_issuer.token()) == ANNA_PRINCIPAL
        assert await sign_in(authenticator, hs256_jwt()) == ANNA_PRINCIPAL
        assert not waiting.done()
    assert await waiting == ANNA_PRINCIPAL


async def test_an_issuer_that_hangs_is_busy_for_its_own_users_after_the_timeout(
    authenticator: Authenticator, issuer: OidcIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DiscoveredKeys, "TIMEOUT_SECONDS", 0.05)
    async with issuer.jwks.response_lock:
        for _ in range(2):
            with pytest.raises(Busy):
                await asyncio.wait_for(sign_in(authenticator, issuer.token()), timeout=2)
    assert issuer.jwks.request_count == 1


async def test_the_cached_keys_stay_valid_while_the_issuer_is_down(
    authenticator: Authenticator, issuer: OidcIssuer, clock: ManualClock
) -> None:
    assert await sign_in(authenticator, issuer.token()) == ANNA_PRINCIPAL
    issuer.discovery_response = web.Response(status=503)
    clock.advance(601)
    assert await sign_in(authenticator, issuer.token()) == ANNA_PRINCIPAL
