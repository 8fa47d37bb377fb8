"""OAuth of TikTok for Developers: form requests, flat responses, HTTP 200 for errors too."""

import pytest

from .conftest import BUSINESS_APP, LOGIN_KIT_APP, REDIRECT_URI, Client, hex_challenge

CREDENTIALS = {"client_key": LOGIN_KIT_APP.id, "client_secret": LOGIN_KIT_APP.secret}
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"


async def test_a_login_kit_exchange_returns_a_flat_object(client: Client) -> None:
    tokens = await client.login_kit_tokens(scopes="user.info.basic,video.list")
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


async def test_a_login_kit_code_contains_characters_that_must_be_decoded_once(
    client: Client,
) -> None:
    code = await client.consent("login_kit")
    assert "*" in code
    assert "!" in code


async def test_the_token_endpoint_refuses_json(client: Client) -> None:
    response, body = await client.request("POST", "/v2/oauth/token/", json=CREDENTIALS)
    assert (response.status, b"invalid_request" in body) == (200, True)


async def test_a_login_kit_error_is_a_flat_object_with_http_200(client: Client) -> None:
    response = await client.exchange_login_kit("unknown")
    assert sorted(response) == ["error", "error_description", "log_id"]
    assert response["error"] == "invalid_grant"


async def test_a_login_kit_code_can_be_redeemed_once_within_one_hour(client: Client) -> None:
    used_code, expired_code = await client.consent("login_kit"), await client.consent("login_kit")
    await client.exchange_login_kit(used_code)
    assert (await client.exchange_login_kit(used_code))["error"] == "invalid_grant"
    client.clock.seconds += 3_600
    assert (await client.exchange_login_kit(expired_code))["error"] == "invalid_grant"


@pytest.mark.parametrize("changes", [{"client_key": "404"}, {"client_secret": "wrong"}])
async def test_an_unknown_app_and_a_wrong_secret_get_the_same_error(
    client: Client, changes: dict[str, str]
) -> None:
    code = await client.consent("login_kit")
    assert (await client.exchange_login_kit(code, **changes))["error"] == "invalid_client"
    assert "access_token" in await client.exchange_login_kit(code)


async def test_a_login_kit_exchange_refuses_the_code_of_another_app(client: Client) -> None:
    code = await client.consent("login_kit", app=BUSINESS_APP.id)
    assert (await client.exchange_login_kit(code))["error"] == "invalid_grant"


async def test_a_login_kit_exchange_requires_the_redirect_uri_of_the_consent(
    client: Client,
) -> None:
    code = await client.consent("login_kit", redirect_uri=REDIRECT_URI)
    response = await client.exchange_login_kit(code, redirect_uri=REDIRECT_URI + "?x")
    assert response["error"] == "invalid_request"


async def test_an_unknown_login_kit_grant_type_gets_its_own_error(client: Client) -> None:
    response = await client.exchange_login_kit("x", grant_type="password")
    assert response["error"] == "unsupported_grant_type"


async def test_a_login_kit_exchange_without_a_code_is_malformed(client: Client) -> None:
    assert (await client.exchange_login_kit(""))["error"] == "invalid_request"


def test_the_pkce_challenge_is_the_digest_in_hexadecimal() -> None:
    assert hex_challenge(VERIFIER) == CHALLENGE


async def test_a_code_with_a_challenge_requires_its_verifier(client: Client) -> None:
    code = await client.consent("login_kit", code_challenge=CHALLENGE)
    without_verifier = await client.exchange_login_kit(code)
    with_wrong_verifier = await client.exchange_login_kit(code, code_verifier="x" * 43)
    assert without_verifier["error"] == with_wrong_verifier["error"] == "invalid_request"
    assert "access_token" in await client.exchange_login_kit(code, code_verifier=VERIFIER)


async def test_client_credentials_return_an_app_token(client: Client) -> None:
    response = await client.post_form(
        "/v2/oauth/token/", grant_type="client_credentials", **CREDENTIALS
    )
    assert sorted(response) == ["access_token", "expires_in", "token_type"]
    assert response["access_token"].startswith("clt.")


async def test_revoking_a_login_kit_token_returns_an_empty_body_each_time(client: Client) -> None:
    tokens = await client.login_kit_tokens()
    fields = {"token": tokens["access_token"], **CREDENTIALS}
    for _ in range(2):
        response, body = await client.request("POST", "/v2/oauth/revoke/", data=fields)
        assert (response.status, body) == (200, b"")
    assert (await client.refresh_login_kit(tokens["refresh_token"]))["error"] == "invalid_grant"


async def test_a_person_has_a_different_open_id_in_each_app(client: Client) -> None:
    first, second = await client.login_kit_tokens(), await client.login_kit_tokens()
    other_app = await client.accounts_tokens()
    assert first["open_id"] == second["open_id"] != other_app["open_id"]
