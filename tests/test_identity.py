"""Who is asking: servers by their keys, users by their tickets and their project's tokens."""

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
from connector.identity import is_everybodys
from connector.model import Principal

from .clocks import NOON, TurnedClock
from .people import ANNA, AS_ANNA, KEYS, NOW, SECRET, claims, hs256, identity, refusal

FIRST, SECOND = (Principal("server", f"server key {n}") for n in (1, 2))


async def test_without_credentials_nobody_is_asking() -> None:
    assert await identity().principal(None, None) is None
    assert await identity().principal("", "") is None


async def test_any_of_the_servers_keys_opens_by_either_header() -> None:
    house = identity()
    assert await house.principal(f"Bearer {KEYS[0]}", None) == FIRST
    assert await house.principal(f"bearer  {KEYS[1]} ", None) == SECOND
    assert await house.principal(None, KEYS[1]) == SECOND


@pytest.mark.parametrize(
    ("authorization", "x_api_key"),
    [
        ("Bearer", None),
        ("Bearer undefined", None),
        ("Basic dXNlcjpwYXNz", None),
        (KEYS[0], None),
        (f"Bearer {KEYS[0][:-1]}", None),
        (f"Bearer {KEYS[0]}x", None),
        ("Bearer \udcff\udcfe", None),
        ("Bearer a.b.c", None),
        ("Bearer ct_", None),
        (f"Bearer {'x' * 9000}", None),
        (None, "wrong"),
        (f"Bearer {KEYS[0]}", KEYS[0]),
    ],
)
async def test_credentials_that_do_not_hold_are_refused_not_ignored(
    authorization: str | None, x_api_key: str | None
) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await identity().principal(authorization, x_api_key)
    assert caught.value.message.endswith(".")


async def test_a_ticket_makes_its_bearer_one_user_for_thirty_minutes() -> None:
    clock = TurnedClock()
    house = identity(clock=clock)
    ticket = house.mint(ANNA)
    assert (ticket.expires_at - NOON).total_seconds() == 1800
    clock.turn(1799)
    assert await house.principal(f"Bearer {ticket.text}", None) == AS_ANNA
    clock.turn(1)
    assert "expired" in await refusal(house, ticket.text)


async def test_a_ticket_can_stand_in_a_link_and_stays_out_of_logs() -> None:
    ticket = identity().mint(ANNA)
    assert ticket.text.startswith("ct_")
    assert ticket.text.replace("-", "").replace("_", "").isalnum()
    assert ticket.text not in repr(ticket)


async def test_a_ticket_is_good_for_nothing_once_a_character_is_changed() -> None:
    house = identity()
    text = house.mint(ANNA).text
    for at in range(len(text)):
        await refusal(house, f"{text[:at]}{'B' if text[at] == 'A' else 'A'}{text[at + 1 :]}")


async def test_a_ticket_outlives_a_new_key_in_front_of_the_old_one() -> None:
    text = identity(ticket_keys=(b"old",)).mint(ANNA).text
    assert await identity(ticket_keys=(b"new", b"old")).principal(f"Bearer {text}", None)
    await refusal(identity(ticket_keys=(b"new",)), text)


async def test_a_users_token_under_the_projects_secret_is_that_user() -> None:
    token = hs256(sub=ANNA.upper(), aud=["authenticated", "other"])
    assert await identity().principal(f"Bearer {token}", None) == AS_ANNA


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
        ({"exp": str(NOW + 60)}, "expired"),
        ({"exp": float("nan")}, "expired"),
        ({"exp": float("inf")}, "expired"),
        ({"nbf": NOW + 11}, "not valid yet"),
        ({"iat": NOW + 11}, "not valid yet"),
        ({"iat": "now"}, "not valid yet"),
        ({"sub": None}, "names nobody"),
        ({"sub": "anna"}, "names nobody"),
    ],
)
async def test_a_token_with_a_wrong_claim_is_refused_with_the_reason(
    changed: dict[str, Any], hint: str
) -> None:
    assert hint in await refusal(identity(), hs256(**changed))


async def test_our_clock_decides_when_a_token_has_expired_with_ten_seconds_grace() -> None:
    clock = TurnedClock()
    house = identity(clock=clock)
    token = hs256(iat=NOW + 9)
    clock.turn(3609)
    assert await house.principal(f"Bearer {token}", None)
    clock.turn(1)
    assert "expired" in await refusal(house, token)


@pytest.mark.parametrize("role", ["service_role", "anon"])
async def test_the_projects_own_keys_are_no_user(role: str) -> None:
    key = jwt.encode({"role": role, "exp": NOW + 3600, "iss": "supabase"}, SECRET)
    assert "not a user's token" in await refusal(identity(), key)
    assert "not a user's token" in await refusal(identity(), hs256(role=role))


async def test_the_projects_own_keys_are_known_without_its_secret() -> None:
    for key in (jwt.encode({"role": "anon"}, SECRET), "sb_publishable_abc"):
        assert "not a user's token" in await refusal(identity(secret=None), key)


def test_everybodys_key_is_the_anon_or_the_publishable_one_and_no_other() -> None:
    assert is_everybodys(f"Bearer {jwt.encode({'role': 'anon', 'exp': NOW - 9}, SECRET)}")
    assert is_everybodys("bearer  sb_publishable_abc ")
    service_role = jwt.encode({"role": "service_role"}, SECRET)
    others = (service_role, hs256(), hs256(exp=NOW - 60), "sb_secret_abc", "a.b.c", KEYS[0], "")
    for token in others:
        assert not is_everybodys(f"Bearer {token}")
    for header in (None, "", "sb_publishable_abc", f"Bearer sb_publishable_{'x' * 9000}"):
        assert not is_everybodys(header)


async def test_a_token_that_is_not_signed_or_signed_by_another_is_refused() -> None:
    await refusal(identity(), jwt.encode(claims(), "", algorithm="none"))
    await refusal(identity(), jwt.encode(claims(), "x" * 40, algorithm="HS256"))
    await refusal(identity(), jwt.encode(claims(), SECRET * 2, algorithm="HS512"))
    await refusal(identity(secret=None), hs256())


@pytest.mark.parametrize("header", ["[" * 5000, '{"alg":["HS256"]}', '{"alg":"ES256","kid":7}'])
async def test_a_header_of_nonsense_is_refused(header: str) -> None:
    encoded = base64.urlsafe_b64encode(header.encode()).decode().rstrip("=")
    await refusal(identity(), f"{encoded}.e30.AA")


@given(token=st.text(max_size=200))
@hypothesis_settings(deadline=None)
def test_whatever_is_shown_is_nobody_or_refused(token: str) -> None:
    house = identity()
    for authorization in (token, f"Bearer {token}", f"Bearer ct_{token}", f"Bearer a.{token}.b"):
        try:
            asking = asyncio.run(house.principal(authorization, None))
        except Unauthenticated:
            continue
        assert asking is None
