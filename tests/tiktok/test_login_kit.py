"""The requests and the parsers of Login Kit, with responses as literals."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import SecretStr

from connector.errors import AccessTokenRejected, CodeSpent, ReconnectRequired, UnreadableResponse
from connector.model import Tokens
from connector.tiktok.login_kit import challenge

from .responses import (
    LOGIN_KIT,
    MALFORMED_IDS,
    OLD_LIFETIME,
    OLD_TOKENS,
    REQUESTED_AT,
    form_body,
    query_of,
    response,
    sample_response,
    sample_with,
)


def refreshed_tokens(**changes: object) -> Tokens:
    call = LOGIN_KIT.refresh_call(OLD_TOKENS)
    assert call is not None
    return call.parse(sample_with("login_kit_token", **changes))


def test_the_login_kit_consent_link_contains_the_scopes() -> None:
    url = LOGIN_KIT.authorize_url(redirect_uri="https://shop.test/cb", state="s")
    assert url.startswith("https://www.test/v2/auth/authorize/?client_key=fake-client-key&")
    assert query_of(url)["scope"] == "user.info.basic,video.list"


def test_the_login_kit_exchange_is_a_form_that_contains_the_code_byte_for_byte() -> None:
    request = LOGIN_KIT.exchange_call("a*b!c d+%2A", redirect_uri="https://shop.test/cb").request
    assert request.url == "https://open.test/v2/oauth/token/"
    assert request.endpoint == "oauth/token"
    assert request.headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert form_body(request) == {
        "client_key": "fake-client-key",
        "client_secret": "fake-client-secret",
        "grant_type": "authorization_code",
        "code": "a*b!c d+%2A",
        "redirect_uri": "https://shop.test/cb",
    }


def test_a_flat_success_and_a_flat_error_are_distinguished_although_both_have_status_200() -> None:
    call = LOGIN_KIT.exchange_call("c", redirect_uri="r")
    grant = call.parse(sample_response("login_kit_token"))
    assert grant.tiktok_user_id == "-000fake-open-id"
    assert grant.scopes == ("user.info.basic", "video.list")
    assert grant.tokens.expires_at == REQUESTED_AT + timedelta(seconds=7200)
    assert grant.tokens.refresh_expires_at == REQUESTED_AT + timedelta(seconds=15552000)
    with pytest.raises(CodeSpent):
        call.parse(sample_response("login_kit_refused"))


@pytest.mark.parametrize("open_id", MALFORMED_IDS, ids=str)
def test_a_login_kit_grant_with_a_malformed_user_id_keeps_its_tokens(open_id: object) -> None:
    call = LOGIN_KIT.exchange_call("c", redirect_uri="r")
    grant = call.parse(sample_with("login_kit_token", open_id=open_id))
    assert grant.tiktok_user_id is None
    assert grant.tokens.refresh is not None


def test_a_login_kit_refresh_response_without_a_lifetime_keeps_the_old_lifetime() -> None:
    assert refreshed_tokens(expires_in=None).expires_at == REQUESTED_AT + OLD_LIFETIME


def test_a_rotated_login_kit_refresh_token_replaces_the_old_one() -> None:
    assert refreshed_tokens().refresh == SecretStr("rft.fake-refresh")


def test_a_login_kit_refresh_response_without_a_refresh_token_leaves_the_old_one_in_place() -> None:
    tokens = refreshed_tokens(refresh_token=None, refresh_expires_in=None)
    assert tokens.refresh == OLD_TOKENS.refresh
    assert tokens.refresh_expires_at == OLD_TOKENS.refresh_expires_at


def test_an_empty_error_field_beside_a_token_is_no_error() -> None:
    assert refreshed_tokens(error="").access == SecretStr("act.fake-access")


def test_an_invalid_grant_on_a_login_kit_refresh_requires_a_reconnect() -> None:
    call = LOGIN_KIT.refresh_call(OLD_TOKENS)
    assert call is not None
    with pytest.raises(ReconnectRequired):
        call.parse(sample_response("login_kit_refused"))


def test_login_kit_tokens_without_a_refresh_token_have_no_refresh_call() -> None:
    assert LOGIN_KIT.refresh_call(Tokens(access=SecretStr("act.only"))) is None


def test_the_account_of_a_login_kit_connection_is_the_profile() -> None:
    call = LOGIN_KIT.accounts_call(OLD_TOKENS)
    assert query_of(call.request) == {"fields": "open_id,display_name"}
    assert call.request.headers == {"Authorization": "Bearer act.old-access"}
    (account,) = call.parse(sample_response("login_kit_user"))
    assert (account.id, account.name, account.kind) == ("-000fake-open-id", "The Baker", "profile")


@pytest.mark.parametrize("body", ["{}", '{"data": {}}', '{"data": {"user": []}}'])
def test_a_profile_response_without_a_user_is_unreadable(body: str) -> None:
    with pytest.raises(UnreadableResponse):
        LOGIN_KIT.accounts_call(OLD_TOKENS).parse(response(body))


def test_login_kit_has_no_user_id_call_because_its_grant_contains_the_user_id() -> None:
    assert LOGIN_KIT.user_id_call(OLD_TOKENS) is None


def test_a_login_kit_revocation_succeeds_with_an_empty_body() -> None:
    revoke = LOGIN_KIT.revoke_call(OLD_TOKENS)
    assert form_body(revoke.request)["token"] == "act.old-access"
    assert revoke.parse(response("")) is None
    assert revoke.parse(response("{}")) is None
    with pytest.raises(AccessTokenRejected):
        revoke.parse(sample_response("login_kit_refused"))


def test_a_login_kit_revocation_with_an_empty_body_and_an_error_status_fails() -> None:
    with pytest.raises(UnreadableResponse):
        LOGIN_KIT.revoke_call(OLD_TOKENS).parse(response("", status=400))
    with pytest.raises(UnreadableResponse):
        LOGIN_KIT.revoke_call(OLD_TOKENS).parse(response("{}", status=302))
    with pytest.raises(UnreadableResponse):
        LOGIN_KIT.revoke_call(OLD_TOKENS).parse(response("", status=302))


def test_a_pkce_challenge_is_lower_case_hex_and_not_base64url() -> None:
    assert (
        challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        == "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"
    )
