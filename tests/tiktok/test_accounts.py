"""The requests and the parsers of the TikTok Accounts API, with responses as literals."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from connector.errors import (
    AccessTokenRejected,
    ConfigurationError,
    ReconnectRequired,
)
from connector.model import Tokens
from connector.tiktok import AccountsApi

from .responses import (
    ACCOUNTS,
    MALFORMED_IDS,
    OLD_LIFETIME,
    OLD_TOKENS,
    REQUESTED_AT,
    business_error,
    json_body,
    query_of,
    response,
    sample_response,
    sample_with,
)


def refreshed_tokens(**changes: object) -> Tokens:
    call = ACCOUNTS.refresh_call(OLD_TOKENS)
    assert call is not None
    return call.parse(sample_with("accounts_refresh", **changes))


def test_the_accounts_consent_link_contains_the_scopes() -> None:
    url = ACCOUNTS.authorize_url(redirect_uri="https://shop.test/cb/", state="s")
    assert query_of(url) == {
        "client_key": "7100",
        "response_type": "code",
        "redirect_uri": "https://shop.test/cb/",
        "scope": "user.info.basic,video.list",
        "state": "s",
        "disable_auto_auth": "1",
    }


def test_a_pasted_consent_link_cannot_turn_automatic_authorization_on() -> None:
    app = replace(ACCOUNTS.app, consent="https://www.test/auth/?disable_auto_auth=0&lang=en")
    url = AccountsApi(app).authorize_url(redirect_uri="https://shop.test/cb/", state="s")
    assert (query_of(url)["disable_auto_auth"], query_of(url)["lang"]) == ("1", "en")


def test_the_accounts_exchange_sends_the_code_as_auth_code_and_the_app_as_client() -> None:
    request = ACCOUNTS.exchange_call("one*code!", redirect_uri="https://shop.test/cb/").request
    assert request.url == "https://business.test/open_api/v1.3/tt_user/oauth2/token/"
    assert json_body(request) == {
        "client_id": "7100",
        "client_secret": "fake-app-secret",
        "grant_type": "authorization_code",
        "auth_code": "one*code!",
        "redirect_uri": "https://shop.test/cb/",
    }


def test_both_lifetimes_of_an_accounts_grant_count_from_the_request() -> None:
    grant = ACCOUNTS.exchange_call("c", redirect_uri="r").parse(sample_response("accounts_token"))
    assert grant.tiktok_user_id == "-000fake-open-id"
    assert grant.scopes == ("user.info.basic", "video.list")
    assert grant.tokens == Tokens(
        access=SecretStr("act.fake-access"),
        refresh=SecretStr("rft.fake-refresh"),
        expires_at=REQUESTED_AT + timedelta(seconds=86400),
        refresh_expires_at=REQUESTED_AT + timedelta(seconds=31536000),
    )


def test_an_accounts_grant_with_the_field_names_of_v1_2_is_parsed() -> None:
    v1_2_data = {
        "access_token": "act.fake-access",
        "refresh_token": "rft.fake-refresh",
        "expires": 86400,
        "refresh_expires": 31536000,
        "creator_id": "-000fake-open-id",
        "scope": "user.info.basic,video.list",
    }
    parse = ACCOUNTS.exchange_call("c", redirect_uri="r").parse
    assert parse(response({"code": 0, "data": v1_2_data})) == parse(
        sample_response("accounts_token")
    )


def test_token_fields_at_the_top_level_are_read_like_fields_of_data() -> None:
    flat = {"code": 0, "message": "OK", "access_token": "act.fake-access", "expires_in": 60}
    parse = ACCOUNTS.exchange_call("c", redirect_uri="r").parse
    assert parse(response(flat)).tokens.expires_at == REQUESTED_AT + timedelta(seconds=60)
    assert parse(response({**flat, "data": {}})).tokens.access == SecretStr("act.fake-access")


def test_the_refresh_token_expires_after_the_remaining_lifetime_in_the_refresh_response() -> None:
    assert refreshed_tokens().refresh_expires_at == REQUESTED_AT + timedelta(seconds=31527314)


def test_fields_that_an_accounts_refresh_response_lacks_stay_unchanged() -> None:
    tokens = refreshed_tokens(refresh_token=None, refresh_token_expires_in=None)
    assert tokens.refresh == OLD_TOKENS.refresh
    assert tokens.refresh_expires_at == OLD_TOKENS.refresh_expires_at
    assert tokens.access == SecretStr("act.fake-access-2")


def test_a_refresh_token_in_an_accounts_refresh_response_replaces_the_old_one() -> None:
    assert refreshed_tokens(refresh_token="rft.new").refresh == SecretStr("rft.new")


@pytest.mark.parametrize("lifetime", ["soon", 0, -1, True, 1e300, 10**40, [], "9" * 50])
def test_a_refresh_response_with_a_malformed_lifetime_still_returns_its_tokens(
    lifetime: object,
) -> None:
    tokens = refreshed_tokens(expires_in=lifetime, refresh_token="rft.new")
    assert tokens.refresh == SecretStr("rft.new")
    assert tokens.expires_at == REQUESTED_AT + OLD_LIFETIME


def test_a_refresh_response_without_a_lifetime_keeps_the_old_lifetime() -> None:
    tokens = refreshed_tokens(expires_in=None)
    assert tokens.expires_at == REQUESTED_AT + OLD_LIFETIME


def test_a_refreshed_token_without_any_known_lifetime_is_refreshed_again_within_an_hour() -> None:
    call = ACCOUNTS.refresh_call(replace(OLD_TOKENS, issued_at=None))
    assert call is not None
    tokens = call.parse(sample_with("accounts_refresh", expires_in=None))
    assert tokens.expires_at == REQUESTED_AT + timedelta(hours=1)


def test_a_token_that_never_expired_never_expires_after_a_refresh_without_a_lifetime() -> None:
    call = ACCOUNTS.refresh_call(replace(OLD_TOKENS, expires_at=None))
    assert call is not None
    assert call.parse(sample_with("accounts_refresh", expires_in=None)).expires_at is None


@pytest.mark.parametrize("open_id", MALFORMED_IDS, ids=str)
def test_an_accounts_grant_with_a_malformed_user_id_keeps_its_tokens(open_id: object) -> None:
    parse = ACCOUNTS.exchange_call("c", redirect_uri="r").parse
    grant = parse(sample_with("accounts_token", open_id=open_id))
    assert grant.tiktok_user_id is None
    assert grant.tokens == parse(sample_response("accounts_token")).tokens


def test_a_lifetime_as_text_or_as_float_is_parsed() -> None:
    assert refreshed_tokens(expires_in="60").expires_at == REQUESTED_AT + timedelta(seconds=60)
    assert refreshed_tokens(expires_in=60.0).expires_at == REQUESTED_AT + timedelta(seconds=60)


def test_accounts_tokens_without_a_refresh_token_have_no_refresh_call() -> None:
    assert ACCOUNTS.refresh_call(Tokens(access=SecretStr("act.only"))) is None


@pytest.mark.parametrize("code", [40103, 40107])
def test_a_rejected_accounts_refresh_token_requires_a_reconnect(code: int) -> None:
    call = ACCOUNTS.refresh_call(OLD_TOKENS)
    assert call is not None
    with pytest.raises(ReconnectRequired):
        call.parse(business_error(code))
    with pytest.raises(ConfigurationError):
        call.parse(business_error(40101))


def test_the_account_of_an_accounts_connection_has_a_name_only_if_its_id_was_passed() -> None:
    call_without_id = ACCOUNTS.accounts_call(OLD_TOKENS)
    assert call_without_id.request.endpoint == "tt_user/token_info/get"
    assert json_body(call_without_id.request) == {
        "app_id": "7100",
        "access_token": "act.old-access",
    }
    (account,) = call_without_id.parse(sample_response("accounts_token_info"))
    assert (account.id, account.name, account.kind) == ("-000fake-open-id", "", "business")

    call_with_id = ACCOUNTS.accounts_call(OLD_TOKENS, tiktok_user_id="-000fake-open-id")
    assert query_of(call_with_id.request) == {
        "business_id": "-000fake-open-id",
        "fields": '["display_name"]',
    }
    assert call_with_id.request.url.endswith("fields=%5B%22display_name%22%5D")
    (account,) = call_with_id.parse(sample_response("accounts_profile"))
    assert (account.id, account.name) == ("-000fake-open-id", "The Bakery")


def test_the_accounts_api_has_no_user_id_call_because_its_grant_contains_the_user_id() -> None:
    assert ACCOUNTS.user_id_call(OLD_TOKENS) is None


def test_the_accounts_revocation_sends_the_token_in_the_body() -> None:
    revoke = ACCOUNTS.revoke_call(OLD_TOKENS)
    assert revoke.request.endpoint == "tt_user/oauth2/revoke"
    assert json_body(revoke.request)["access_token"] == "act.old-access"
    assert revoke.parse(response({"code": 0, "message": "OK", "data": {}})) is None
    assert revoke.parse(response({"code": 0, "message": "OK"})) is None


def test_a_rejected_accounts_access_token_does_not_end_the_connection() -> None:
    for call in (ACCOUNTS.accounts_call(OLD_TOKENS), ACCOUNTS.revoke_call(OLD_TOKENS)):
        with pytest.raises(AccessTokenRejected):
            call.parse(sample_response("business_refused"))


def test_accounts_calls_send_the_token_in_the_access_token_header_and_not_as_bearer() -> None:
    request = ACCOUNTS.accounts_call(OLD_TOKENS, tiktok_user_id="1").request
    assert request.headers == {"Access-Token": "act.old-access"}
