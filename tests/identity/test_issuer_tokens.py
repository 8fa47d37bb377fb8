"""Tokens of further OpenID Connect issuers are verified with the keys of exactly their issuer."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connector.errors import Unauthenticated
from connector.identity import Authenticator, IssuerTokens, JwtIssuer
from connector.model import UserId
from tests.credentials import (
    ANNA_PRINCIPAL,
    NOON_TIMESTAMP,
    PrivateKey,
    build_authenticator,
    hs256_jwt,
    rejection_message,
)
from tests.manual_clock import ManualClock

from .oidc_issuer import OidcIssuer, running_issuer, sign_in, trusting

EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
ED = ed25519.Ed25519PrivateKey.generate()


async def test_a_token_of_each_issuer_authenticates_its_user(
    authenticator: Authenticator, issuer: OidcIssuer, second_issuer: OidcIssuer
) -> None:
    for each in (issuer, second_issuer):
        for _ in range(3):
            assert await sign_in(authenticator, each.token()) == ANNA_PRINCIPAL
        assert each.jwks.request_count == 1


async def test_the_projects_own_tokens_are_accepted_beside_other_issuers(
    authenticator: Authenticator, issuer: OidcIssuer
) -> None:
    assert await sign_in(authenticator, hs256_jwt()) == ANNA_PRINCIPAL
    assert issuer.jwks.request_count == 0


@pytest.mark.parametrize(("private", "algorithm"), [(RSA, "RS256"), (ED, "EdDSA")])
async def test_issuers_may_sign_with_other_asymmetric_algorithms(
    authenticator: Authenticator, issuer: OidcIssuer, private: PrivateKey, algorithm: str
) -> None:
    issuer.jwks.publish("k2", private)
    token = issuer.token(signed_by=private, kid="k2", algorithm=algorithm)
    assert await sign_in(authenticator, token) == ANNA_PRINCIPAL


async def test_a_sub_that_is_not_a_uuid_is_the_user_id(
    authenticator: Authenticator, issuer: OidcIssuer
) -> None:
    principal = await sign_in(authenticator, issuer.token(sub="auth0|5f7c"))
    assert principal is not None
    assert principal.user_id == UserId("auth0|5f7c")


async def test_a_token_of_one_issuer_signed_with_the_key_of_another_one_is_rejected(
    authenticator: Authenticator, issuer: OidcIssuer, second_issuer: OidcIssuer
) -> None:
    second_issuer.jwks.publish("only-second", EC)
    for kid, key in (("k1", second_issuer.key), ("only-second", EC)):
        await rejection_message(authenticator, issuer.token(signed_by=key, kid=kid))
    token = second_issuer.token(signed_by=EC, kid="only-second")
    assert await sign_in(authenticator, token) == ANNA_PRINCIPAL


async def test_a_key_of_an_issuer_does_not_verify_a_token_of_the_project(
    authenticator: Authenticator, issuer: OidcIssuer
) -> None:
    await rejection_message(authenticator, issuer.token(iss="https://ref.supabase.co/auth/v1"))


async def test_the_projects_secret_does_not_verify_a_token_of_another_issuer(
    authenticator: Authenticator, issuer: OidcIssuer
) -> None:
    await rejection_message(authenticator, hs256_jwt(iss=issuer.url))


async def test_a_verifier_accepts_only_the_iss_of_its_own_issuer(
    issuer: OidcIssuer, clock: ManualClock
) -> None:
    verifier = IssuerTokens(JwtIssuer(issuer.url), clock=clock)
    assert await verifier.verify(issuer.token()) == ANNA_PRINCIPAL
    for iss in (f"{issuer.url}/", "https://other.example.com", None):
        with pytest.raises(Unauthenticated, match="was not issued by"):
            await verifier.verify(issuer.token(iss=iss))
    await verifier.close()


@pytest.mark.parametrize("suffix", ["/", "/auth", "?", "#", ".example.com", " ", "\x00"])
async def test_an_iss_that_only_resembles_an_issuer_is_rejected_without_a_fetch(
    authenticator: Authenticator, issuer: OidcIssuer, suffix: str
) -> None:
    message = await rejection_message(authenticator, issuer.token(iss=issuer.url + suffix))
    assert "with or without a slash at the end" in message
    assert issuer.jwks.request_count == 0


@pytest.mark.parametrize("iss", [None, [], 7, {}])
async def test_a_token_without_a_text_as_iss_is_rejected(
    authenticator: Authenticator, issuer: OidcIssuer, iss: object
) -> None:
    header = base64.urlsafe_b64encode(b'{"alg":"ES256","kid":"k1"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(json.dumps({"iss": iss}).encode()).decode().rstrip("=")
    await rejection_message(authenticator, f"{header}.{body}.AA")


async def test_an_issuer_with_a_slash_at_its_end_is_found_and_compared_exactly(
    clock: ManualClock,
) -> None:
    async with running_issuer("/") as issuer, trusting(issuer, clock=clock) as authenticator:
        assert await sign_in(authenticator, issuer.token()) == ANNA_PRINCIPAL
        await rejection_message(authenticator, issuer.token(iss=issuer.url.removesuffix("/")))


async def test_an_unsigned_token_is_rejected(
    authenticator: Authenticator, issuer: OidcIssuer
) -> None:
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    for algorithm in ("none", "None", ""):
        header = json.dumps({"alg": algorithm, "kid": "k1"}).encode()
        parts = (header, json.dumps(claims).encode(), b"")
        encoded = (base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
        await rejection_message(authenticator, ".".join(encoded))


async def test_a_token_signed_with_the_public_key_as_shared_secret_is_rejected(
    authenticator: Authenticator, issuer: OidcIssuer
) -> None:
    issuer.jwks.publish("rsa", RSA)
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"rsa"}').rstrip(b"=")
    signed = header + b"." + issuer.token().split(".")[1].encode()
    signature = base64.urlsafe_b64encode(hmac.digest(pem, signed, "sha256")).rstrip(b"=")
    message = await rejection_message(authenticator, (signed + b"." + signature).decode())
    assert "must be signed with one of" in message


async def test_a_published_key_verifies_only_with_its_own_algorithm(
    authenticator: Authenticator, issuer: OidcIssuer
) -> None:
    issuer.jwks.publish("rsa", RSA)
    await rejection_message(authenticator, issuer.token(kid="rsa"))
    token = issuer.token(signed_by=RSA, kid="rsa", algorithm="RS512")
    await rejection_message(authenticator, token)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": NOON_TIMESTAMP - 10}, "expired"),
        ({"exp": None}, "expired"),
        ({"nbf": NOON_TIMESTAMP + 11}, "not valid yet"),
        ({"iat": NOON_TIMESTAMP + 11}, "not valid yet"),
        ({"sub": None}, "contains no valid user id"),
        ({"sub": "Søren"}, "contains no valid user id"),
        ({"is_anonymous": True}, "Sign in with an account first"),
        ({"firebase": {"sign_in_provider": "anonymous"}}, "Sign in with an account first"),
    ],
)
async def test_a_token_with_an_invalid_claim_is_rejected_with_the_reason(
    authenticator: Authenticator, issuer: OidcIssuer, changes: dict[str, Any], reason: str
) -> None:
    assert reason in await rejection_message(authenticator, issuer.token(**changes))


@pytest.mark.parametrize("firebase", [{"sign_in_provider": "password"}, {}, "anonymous"])
async def test_other_sign_ins_at_firebase_are_accepted(
    authenticator: Authenticator, issuer: OidcIssuer, firebase: object
) -> None:
    assert await sign_in(authenticator, issuer.token(firebase=firebase)) == ANNA_PRINCIPAL


async def test_an_audience_is_required_only_where_one_is_configured(
    issuer: OidcIssuer, clock: ManualClock
) -> None:
    async with trusting(issuer, clock=clock, audience="shop") as authenticator:
        for audience in ("shop", ["other", "shop"]):
            assert await sign_in(authenticator, issuer.token(aud=audience)) == ANNA_PRINCIPAL
        for wrong in (None, "other", "shop2", [], ["Shop"]):
            assert "aud" in await rejection_message(authenticator, issuer.token(aud=wrong))
    async with trusting(issuer, clock=clock) as authenticator:
        assert await sign_in(authenticator, issuer.token(aud="other")) == ANNA_PRINCIPAL


async def test_without_a_supabase_project_only_configured_issuers_are_accepted(
    issuer: OidcIssuer, clock: ManualClock
) -> None:
    verifier = IssuerTokens(JwtIssuer(issuer.url), clock=clock)
    authenticator = build_authenticator(secret=None, other_issuers=(verifier,))
    assert await sign_in(authenticator, issuer.token()) == ANNA_PRINCIPAL
    message = await rejection_message(authenticator, issuer.token(iss="https://other.example.com"))
    assert "CONNECTOR_JWT_ISSUERS" in message
    await verifier.close()
