"""OAuth of TikTok for Developers: form in, flat out, HTTP 200 also for a no."""

import pytest

from .conftest import ADS, BACK, KIT, Tap, hex_challenge

CLIENT = {"client_key": KIT.id, "client_secret": KIT.secret}
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"


async def test_an_exchange_answers_a_flat_object(tap: Tap) -> None:
    tokens = await tap.kit(scopes="user.info.basic,video.list")
    assert sorted(tokens) == [
        "access_token",
        "expires_in",
        "open_id",
        "refresh_expires_in",
        "refresh_token",
        "scope",
        "token_type",
    ]
    assert (tokens["expires_in"], tokens["refresh_expires_in"]) == (7_200, 15_552_000)
    assert tokens["scope"] == "user.info.basic,video.list"


async def test_a_code_holds_the_characters_that_must_be_decoded_once(tap: Tap) -> None:
    code = await tap.consent("login_kit")
    assert "*" in code
    assert "!" in code


async def test_json_is_not_taken(tap: Tap) -> None:
    answer, body = await tap.call("POST", "/v2/oauth/token/", json=CLIENT)
    assert (answer.status, b"invalid_request" in body) == (200, True)


async def test_a_refusal_is_flat_and_has_http_200(tap: Tap) -> None:
    answer = await tap.kit_exchange("made-up")
    assert sorted(answer) == ["error", "error_description", "log_id"]
    assert answer["error"] == "invalid_grant"


async def test_a_code_is_redeemed_once_and_within_its_hour(tap: Tap) -> None:
    used, late = await tap.consent("login_kit"), await tap.consent("login_kit")
    await tap.kit_exchange(used)
    assert (await tap.kit_exchange(used))["error"] == "invalid_grant"
    tap.clock.seconds += 3_600
    assert (await tap.kit_exchange(late))["error"] == "invalid_grant"


@pytest.mark.parametrize("changed", [{"client_key": "404"}, {"client_secret": "wrong"}])
async def test_an_unknown_app_and_a_wrong_secret_look_the_same(
    tap: Tap, changed: dict[str, str]
) -> None:
    code = await tap.consent("login_kit")
    assert (await tap.kit_exchange(code, **changed))["error"] == "invalid_client"
    assert "access_token" in await tap.kit_exchange(code)


async def test_another_apps_code_is_refused(tap: Tap) -> None:
    code = await tap.consent("login_kit", app=ADS.id)
    assert (await tap.kit_exchange(code))["error"] == "invalid_grant"


async def test_the_redirect_uri_must_be_the_one_of_the_consent(tap: Tap) -> None:
    code = await tap.consent("login_kit", redirect_uri=BACK)
    answer = await tap.kit_exchange(code, redirect_uri=BACK + "?x")
    assert answer["error"] == "invalid_request"


async def test_an_unknown_grant_type_is_named(tap: Tap) -> None:
    answer = await tap.kit_exchange("x", grant_type="password")
    assert answer["error"] == "unsupported_grant_type"


async def test_a_missing_field_is_malformed(tap: Tap) -> None:
    assert (await tap.kit_exchange(""))["error"] == "invalid_request"


def test_the_challenge_is_the_digest_in_hex() -> None:
    assert hex_challenge(VERIFIER) == CHALLENGE


async def test_a_consent_with_a_challenge_wants_its_verifier(tap: Tap) -> None:
    code = await tap.consent("login_kit", code_challenge=CHALLENGE)
    assert (await tap.kit_exchange(code))["error"] == "invalid_request"
    assert (await tap.kit_exchange(code, code_verifier="x" * 43))["error"] == "invalid_request"
    assert "access_token" in await tap.kit_exchange(code, code_verifier=VERIFIER)


async def test_client_credentials_give_a_token_of_nobody(tap: Tap) -> None:
    answer = await tap.form("/v2/oauth/token/", grant_type="client_credentials", **CLIENT)
    assert sorted(answer) == ["access_token", "expires_in", "token_type"]
    assert answer["access_token"].startswith("clt.")


async def test_revoking_answers_an_empty_body_and_ends_the_token(tap: Tap) -> None:
    tokens = await tap.kit()
    fields = {"token": tokens["access_token"], **CLIENT}
    for _ in range(2):
        answer, body = await tap.call("POST", "/v2/oauth/revoke/", data=fields)
        assert (answer.status, body) == (200, b"")
    assert (await tap.kit_refresh(tokens["refresh_token"]))["error"] == "invalid_grant"


async def test_a_person_is_somebody_else_to_every_app(tap: Tap) -> None:
    mine, again, theirs = await tap.kit(), await tap.kit(), await tap.account()
    assert mine["open_id"] == again["open_id"] != theirs["open_id"]
