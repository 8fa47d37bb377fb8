"""Servers authenticate with API keys, users with tickets and with their project's tokens."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from connector.errors import Unauthenticated
from connector.identity import is_public_project_key
from connector.model import ALL_KEY_SCOPES, Principal
from tests.credentials import (
    ANNA,
    ANNA_PRINCIPAL,
    API_KEYS,
    JWT_SECRET,
    KEY_NAMES,
    NOON_TIMESTAMP,
    build_authenticator,
    hs256_jwt,
    jwt_claims,
    rejection_message,
)
from tests.manual_clock import NOON, ManualClock

FIRST_SERVER, SECOND_SERVER = (
    Principal("server", name, scopes=ALL_KEY_SCOPES) for name in KEY_NAMES
)


async def test_a_request_without_credentials_is_anonymous() -> None:
    assert await build_authenticator().authenticate(None, None) is None
    assert await build_authenticator().authenticate("", "") is None


async def test_each_api_key_authenticates_a_server_in_either_header() -> None:
    authenticator = build_authenticator()
    assert await authenticator.authenticate(f"Bearer {API_KEYS[0]}", None) == FIRST_SERVER
    assert await authenticator.authenticate(f"bearer  {API_KEYS[1]} ", None) == SECOND_SERVER
    assert await authenticator.authenticate(None, API_KEYS[1]) == SECOND_SERVER


@pytest.mark.parametrize(
    ("authorization", "x_api_key"),
    [
        ("Bearer", None),
        ("Bearer undefined", None),
        ("Basic dXNlcjpwYXNz", None),
        (API_KEYS[0], None),
        (f"Bearer {API_KEYS[0][:-1]}", None),
        (f"Bearer {API_KEYS[0]}x", None),
        ("Bearer \udcff\udcfe", None),
        ("Bearer a.b.c", None),
        ("Bearer ct_", None),
        (f"Bearer {'x' * 9000}", None),
        (None, "wrong"),
        (f"Bearer {API_KEYS[0]}", API_KEYS[0]),
    ],
)
async def test_invalid_credentials_are_rejected_not_ignored(
    authorization: str | None, x_api_key: str | None
) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await build_authenticator().authenticate(authorization, x_api_key)
    assert caught.value.message.endswith(".")


async def test_a_ticket_authenticates_one_user_for_thirty_minutes() -> None:
    clock = ManualClock()
    authenticator = build_authenticator(clock=clock)
    ticket = authenticator.tickets.issue(ANNA)
    assert (ticket.expires_at - NOON).total_seconds() == 1800
    clock.advance(1799)
    assert await authenticator.authenticate(f"Bearer {ticket.text}", None) == ANNA_PRINCIPAL
    clock.advance(1)
    assert "expired" in await rejection_message(authenticator, ticket.text)


async def test_a_ticket_is_url_safe_and_not_part_of_its_repr() -> None:
    ticket = build_authenticator().tickets.issue(ANNA)
    assert ticket.text.startswith("ct_")
    assert ticket.text.replace("-", "").replace("_", "").isalnum()
    assert ticket.text not in repr(ticket)


async def test_a_ticket_with_any_changed_character_is_rejected() -> None:
    authenticator = build_authenticator()
    text = authenticator.tickets.issue(ANNA).text
    for index in range(len(text)):
        await rejection_message(
            authenticator, f"{text[:index]}{'B' if text[index] == 'A' else 'A'}{text[index + 1 :]}"
        )


async def test_a_ticket_stays_valid_after_a_new_ticket_key_is_put_first() -> None:
    text = build_authenticator(ticket_keys=(b"old",)).tickets.issue(ANNA).text
    assert await build_authenticator(ticket_keys=(b"new", b"old")).authenticate(
        f"Bearer {text}", None
    )
    await rejection_message(build_authenticator(ticket_keys=(b"new",)), text)


async def test_a_token_signed_with_the_projects_secret_authenticates_its_user() -> None:
    token = hs256_jwt(sub=ANNA.upper(), aud=["authenticated", "other"], is_anonymous=False)
    assert await build_authenticator().authenticate(f"Bearer {token}", None) == ANNA_PRINCIPAL


@pytest.mark.parametrize(
    ("changed", "hint"),
    [
        ({"aud": "other"}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": {"authenticated": 1}}, "aud"),
        ({"iss": "https://other.supabase.co/auth/v1"}, "another project"),
        ({"iss": None}, "another project"),
        ({"exp": None}, "expired"),
        ({"exp": True}, "expired"),
        ({"exp": str(NOON_TIMESTAMP + 60)}, "expired"),
        ({"exp": float("nan")}, "expired"),
        ({"exp": float("inf")}, "expired"),
        ({"nbf": NOON_TIMESTAMP + 11}, "not valid yet"),
        ({"iat": NOON_TIMESTAMP + 11}, "not valid yet"),
        ({"iat": "now"}, "not valid yet"),
        ({"is_anonymous": True}, "Sign in with an account first"),
        ({"is_anonymous": "true"}, "Sign in with an account first"),
        ({"sub": None}, "contains no valid user id"),
        ({"sub": "Søren"}, "contains no valid user id"),
    ],
)
async def test_a_token_with_an_invalid_claim_is_rejected_with_the_reason(
    changed: dict[str, Any], hint: str
) -> None:
    assert hint in await rejection_message(build_authenticator(), hs256_jwt(**changed))


async def test_a_token_expires_by_the_services_clock_with_ten_seconds_leeway() -> None:
    clock = ManualClock()
    authenticator = build_authenticator(clock=clock)
    token = hs256_jwt(iat=NOON_TIMESTAMP + 9)
    clock.advance(3609)
    assert await authenticator.authenticate(f"Bearer {token}", None)
    clock.advance(1)
    assert "expired" in await rejection_message(authenticator, token)


@pytest.mark.parametrize("role", ["service_role", "anon"])
async def test_the_projects_own_keys_do_not_authenticate_a_user(role: str) -> None:
    key = jwt.encode({"role": role, "exp": NOON_TIMESTAMP + 3600, "iss": "supabase"}, JWT_SECRET)
    assert "not a user's token" in await rejection_message(build_authenticator(), key)
    assert "not a user's token" in await rejection_message(
        build_authenticator(), hs256_jwt(role=role)
    )


async def test_the_projects_public_keys_are_recognized_without_its_secret() -> None:
    for key in (jwt.encode({"role": "anon"}, JWT_SECRET), "sb_publishable_abc"):
        assert "not a user's token" in await rejection_message(
            build_authenticator(secret=None), key
        )


def test_only_the_anon_and_the_publishable_key_are_public_project_keys() -> None:
    assert is_public_project_key(
        f"Bearer {jwt.encode({'role': 'anon', 'exp': NOON_TIMESTAMP - 9}, JWT_SECRET)}"
    )
    assert is_public_project_key("bearer  sb_publishable_abc ")
    service_role = jwt.encode({"role": "service_role"}, JWT_SECRET)
    other_tokens = (
        service_role,
        hs256_jwt(),
        hs256_jwt(exp=NOON_TIMESTAMP - 60),
        "sb_secret_abc",
        "a.b.c",
        API_KEYS[0],
        "",
    )
    for token in other_tokens:
        assert not is_public_project_key(f"Bearer {token}")
    for header in (None, "", "sb_publishable_abc", f"Bearer sb_publishable_{'x' * 9000}"):
        assert not is_public_project_key(header)


async def test_a_token_that_is_unsigned_or_signed_with_another_key_is_rejected() -> None:
    await rejection_message(build_authenticator(), jwt.encode(jwt_claims(), "", algorithm="none"))
    await rejection_message(
        build_authenticator(), jwt.encode(jwt_claims(), "x" * 40, algorithm="HS256")
    )
    await rejection_message(
        build_authenticator(), jwt.encode(jwt_claims(), JWT_SECRET * 2, algorithm="HS512")
    )
    await rejection_message(build_authenticator(secret=None), hs256_jwt())


@pytest.mark.parametrize("header", ["[" * 5000, '{"alg":["HS256"]}', '{"alg":"ES256","kid":7}'])
async def test_a_token_with_an_invalid_header_is_rejected(header: str) -> None:
    encoded = base64.urlsafe_b64encode(header.encode()).decode().rstrip("=")
    await rejection_message(build_authenticator(), f"{encoded}.e30.AA")


@given(token=st.text(max_size=200))
@hypothesis_settings(deadline=None)
def test_arbitrary_text_is_anonymous_or_rejected(token: str) -> None:
    authenticator = build_authenticator()
    for authorization in (token, f"Bearer {token}", f"Bearer ct_{token}", f"Bearer a.{token}.b"):
        try:
            principal = asyncio.run(authenticator.authenticate(authorization, None))
        except Unauthenticated:
            continue
        assert principal is None
