"""The requests and the parsers of the Marketing API, with responses as literals."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import SecretStr

from connector.errors import AccessTokenRejected, CodeSpent, UnreadableResponse
from connector.model import Tokens
from connector.tiktok import AppConfig, MarketingApi, Request

from .responses import (
    MARKETING,
    REQUESTED_AT,
    business_error,
    json_body,
    query_of,
    response,
    sample_response,
    sample_with,
)

TOKENS = Tokens(access=SecretStr("fake-marketing-access"))


def test_the_marketing_consent_link_contains_the_app_the_redirect_uri_and_the_state() -> None:
    url = MARKETING.authorize_url(redirect_uri="https://shop.test/cb?a=1&b=ü", state="s.t/a+te=")
    assert url.startswith("https://business.test/portal/auth?app_id=7100&")
    assert query_of(url) == {
        "app_id": "7100",
        "redirect_uri": "https://shop.test/cb?a=1&b=ü",
        "state": "s.t/a+te=",
    }


def test_a_consent_link_copied_from_the_portal_retains_its_own_query() -> None:
    app = AppConfig(
        "7100", SecretStr("s"), "https://x.test", "https://x.test/auth?rid=a%20b&state=your_state"
    )
    url = MarketingApi(app).authorize_url(redirect_uri="https://shop.test/", state="our-state")
    assert url.startswith("https://x.test/auth?rid=a%20b&app_id=7100&")
    assert query_of(url)["state"] == "our-state"


def test_the_marketing_exchange_does_not_request_the_advertisers() -> None:
    request = MARKETING.exchange_call("one*code!", redirect_uri="https://shop.test/cb").request
    assert request.url == "https://business.test/open_api/v1.3/oauth2/access_token/"
    assert json_body(request) == {
        "app_id": "7100",
        "secret": "fake-app-secret",
        "auth_code": "one*code!",
        "return_advertiser_ids": False,
    }


def test_a_token_without_a_lifetime_has_no_expiry() -> None:
    grant = MARKETING.exchange_call("c", redirect_uri="r").parse(sample_response("marketing_token"))
    assert grant.tokens == TOKENS
    assert grant.tiktok_user_id is None


def test_scope_ids_beyond_the_precision_of_a_float_are_exact() -> None:
    grant = MARKETING.exchange_call("c", redirect_uri="r").parse(sample_response("marketing_token"))
    assert grant.scopes == ("1", "4", "7533163835474346001")


@pytest.mark.parametrize("ids", [None, [], [7, "8"], "nonsense"])
def test_the_marketing_exchange_ignores_the_list_of_advertisers(ids: object) -> None:
    call = MARKETING.exchange_call("c", redirect_uri="r")
    assert call.parse(sample_with("marketing_token", advertiser_ids=ids)).tokens == TOKENS


def test_an_exchange_response_with_the_token_at_the_top_level_and_no_code_is_parsed() -> None:
    call = MARKETING.exchange_call("c", redirect_uri="r")
    assert call.parse(response({"access_token": "fake-marketing-access"})).tokens == TOKENS


def test_an_expiry_and_a_refresh_token_of_a_marketing_grant_are_stored_but_not_used() -> None:
    call = MARKETING.exchange_call("c", redirect_uri="r")
    grant = call.parse(sample_with("marketing_token", expires_in=60, refresh_token="fake-r"))
    assert grant.tokens.expires_at == REQUESTED_AT + timedelta(seconds=60)
    assert grant.tokens.refresh == SecretStr("fake-r")
    assert MARKETING.refresh_call(grant.tokens) is None


def test_an_exchange_response_without_a_valid_token_is_unreadable() -> None:
    call = MARKETING.exchange_call("c", redirect_uri="r")
    with pytest.raises(UnreadableResponse):
        call.parse(sample_with("marketing_token", access_token=None))
    with pytest.raises(UnreadableResponse):
        call.parse(sample_with("marketing_token", access_token="two\r\nlines"))


def test_a_used_authorization_code_raises_the_error_code_spent() -> None:
    with pytest.raises(CodeSpent):
        MARKETING.exchange_call("c", redirect_uri="r").parse(
            business_error(40110, "The auth_code is canceled")
        )


def test_the_request_for_the_advertisers_has_the_token_in_its_header_only() -> None:
    request = MARKETING.accounts_call(TOKENS).request
    assert request.endpoint == "oauth2/advertiser/get"
    assert request.headers == {"Access-Token": "fake-marketing-access"}
    assert query_of(request) == {"app_id": "7100", "secret": "fake-app-secret"}


def test_the_repr_of_a_request_does_not_contain_the_secret_in_its_url() -> None:
    assert "fake" not in repr(MARKETING.accounts_call(TOKENS).request)
    assert "fake" not in repr(MARKETING.accounts_call(TOKENS))


def test_advertiser_ids_are_strings_whether_tiktok_sends_strings_or_numbers() -> None:
    accounts = MARKETING.accounts_call(TOKENS).parse(sample_response("marketing_advertisers"))
    assert [(account.id, account.name, account.kind) for account in accounts] == [
        ("7000000000000000001", "Bäckerei Berlin", "advertiser"),
        ("7000000000000000002", "Bakery 🥐 Paris", "advertiser"),
    ]


def test_an_empty_or_null_list_of_advertisers_gives_no_accounts() -> None:
    parse = MARKETING.accounts_call(TOKENS).parse
    assert parse(response({"code": 0, "data": {"list": []}})) == ()
    assert parse(response('{"code": 0, "data": {"list": null}}')) == ()


def test_a_response_without_a_list_of_advertisers_is_unreadable() -> None:
    with pytest.raises(UnreadableResponse):
        MARKETING.accounts_call(TOKENS).parse(response({"code": 0, "data": {}}))


def test_an_advertiser_name_loses_its_control_characters_only() -> None:
    advertiser = {"advertiser_id": "1", "advertiser_name": "A\u0000\x1b[31m 👩‍🍳"}
    (account,) = MARKETING.accounts_call(TOKENS).parse(
        response({"code": 0, "data": {"list": [advertiser]}})
    )
    assert account.name == "A[31m 👩‍🍳"


@pytest.mark.parametrize("field", ["core_user_id", "id"])
def test_the_marketing_user_id_is_read_from_the_current_and_the_former_field(field: str) -> None:
    call = MARKETING.user_id_call(TOKENS)
    assert call.request.endpoint == "user/info"
    assert call.parse(response({"code": 0, "data": {field: 69}})) == "69"


def test_the_advertiser_call_raises_access_token_rejected_for_a_withdrawn_token() -> None:
    with pytest.raises(AccessTokenRejected):
        MARKETING.accounts_call(TOKENS).parse(sample_response("business_refused"))


def test_the_revocation_of_an_already_revoked_marketing_token_is_an_error_of_its_own() -> None:
    revoke = MARKETING.revoke_call(TOKENS)
    assert json_body(revoke.request)["access_token"] == "fake-marketing-access"
    for rejection in (sample_response("business_refused"), business_error(40102)):
        with pytest.raises(AccessTokenRejected):
            revoke.parse(rejection)


def test_the_credentials_replace_any_credentials_in_a_request() -> None:
    headers = {"ACCESS-token": "x", "authorization": "y", "A": "b"}
    request = Request("GET", "https://business.test/", "x", headers)
    assert MARKETING.with_credentials(request, TOKENS).headers == {
        "A": "b",
        "Access-Token": "fake-marketing-access",
    }
