"""The Marketing API, in literals."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import SecretStr

from connector.errors import CodeSpent, TokenRejected, Unintelligible
from connector.model import Tokens
from connector.tiktok import App, Family, Marketing

from .answers import ASKED_AT, MARKETING, answer, changed, query, refused, sample, sent_json

TOKENS = Tokens(access=SecretStr("fake-marketing-access"))
FAMILY: Family = MARKETING


def test_the_consent_link_names_the_app_the_way_back_and_the_state() -> None:
    url = MARKETING.authorize_url(redirect_uri="https://shop.test/cb?a=1&b=ü", state="s.t/a+te=")
    assert url.startswith("https://business.test/portal/auth?app_id=7100&")
    assert query(url) == {
        "app_id": "7100",
        "redirect_uri": "https://shop.test/cb?a=1&b=ü",
        "state": "s.t/a+te=",
    }


def test_a_consent_link_pasted_from_the_portal_keeps_its_own_query() -> None:
    app = App(
        "7100", SecretStr("s"), "https://x.test", "https://x.test/auth?rid=a%20b&state=your_state"
    )
    url = Marketing(app).authorize_url(redirect_uri="https://shop.test/", state="ours")
    assert url.startswith("https://x.test/auth?rid=a%20b&app_id=7100&")
    assert query(url)["state"] == "ours"


def test_the_exchange_does_not_ask_for_the_advertisers_along_with_the_token() -> None:
    request = MARKETING.exchange("one*code!", redirect_uri="https://shop.test/cb").request
    assert request.url == "https://business.test/open_api/v1.3/oauth2/access_token/"
    assert sent_json(request) == {
        "app_id": "7100",
        "secret": "fake-app-secret",
        "auth_code": "one*code!",
        "return_advertiser_ids": False,
    }


def test_a_token_without_a_lifetime_lives_until_revoked() -> None:
    grant = MARKETING.exchange("c", redirect_uri="r").read(sample("marketing_token"))
    assert grant.tokens == TOKENS
    assert grant.subject is None


def test_scope_ids_beyond_what_a_float_holds_come_through_exactly() -> None:
    grant = MARKETING.exchange("c", redirect_uri="r").read(sample("marketing_token"))
    assert grant.scopes == ("1", "4", "7533163835474346001")


@pytest.mark.parametrize("ids", [None, [], [7, "8"], "nonsense"])
def test_the_exchange_does_not_mind_how_advertisers_are_listed(ids: object) -> None:
    call = MARKETING.exchange("c", redirect_uri="r")
    assert call.read(changed("marketing_token", advertiser_ids=ids)).tokens == TOKENS


def test_a_token_at_the_top_of_the_answer_is_found() -> None:
    call = MARKETING.exchange("c", redirect_uri="r")
    assert call.read(answer({"access_token": "fake-marketing-access"})).tokens == TOKENS


def test_an_expiry_and_a_refresh_token_are_kept_should_they_ever_come_but_not_used() -> None:
    call = MARKETING.exchange("c", redirect_uri="r")
    tokens = call.read(changed("marketing_token", expires_in=60, refresh_token="fake-r")).tokens
    assert tokens.expires_at == ASKED_AT + timedelta(seconds=60)
    assert tokens.refresh == SecretStr("fake-r")
    assert FAMILY.refresh(tokens) is None


def test_an_exchange_without_a_token_is_not_taken_for_a_grant() -> None:
    call = MARKETING.exchange("c", redirect_uri="r")
    with pytest.raises(Unintelligible):
        call.read(changed("marketing_token", access_token=None))
    with pytest.raises(Unintelligible):
        call.read(changed("marketing_token", access_token="two\r\nlines"))


def test_a_spent_code_is_said_to_be_spent() -> None:
    with pytest.raises(CodeSpent):
        MARKETING.exchange("c", redirect_uri="r").read(refused(40110, "The auth_code is canceled"))


def test_advertisers_are_asked_for_with_the_token_in_the_header_alone() -> None:
    request = MARKETING.accounts(TOKENS).request
    assert request.label == "oauth2/advertiser/get"
    assert request.headers == {"Access-Token": "fake-marketing-access"}
    assert query(request) == {"app_id": "7100", "secret": "fake-app-secret"}


def test_the_secret_in_the_address_is_not_shown() -> None:
    assert "fake" not in repr(MARKETING.accounts(TOKENS).request)
    assert "fake" not in repr(MARKETING.accounts(TOKENS))


def test_advertiser_ids_are_texts_however_they_came() -> None:
    accounts = MARKETING.accounts(TOKENS).read(sample("marketing_advertisers"))
    assert [(a.id, a.name, a.kind) for a in accounts] == [
        ("7000000000000000001", "Bäckerei Berlin", "advertiser"),
        ("7000000000000000002", "Bakery 🥐 Paris", "advertiser"),
    ]


def test_nobody_granted_is_an_empty_list_also_as_go_writes_it() -> None:
    read = MARKETING.accounts(TOKENS).read
    assert read(answer({"code": 0, "data": {"list": []}})) == ()
    assert read(answer('{"code": 0, "data": {"list": null}}')) == ()


def test_a_missing_list_is_not_taken_for_nobody() -> None:
    with pytest.raises(Unintelligible):
        MARKETING.accounts(TOKENS).read(answer({"code": 0, "data": {}}))


def test_a_name_loses_control_characters_and_nothing_else() -> None:
    row = {"advertiser_id": "1", "advertiser_name": "A\u0000\x1b[31m 👩‍🍳"}
    (account,) = MARKETING.accounts(TOKENS).read(answer({"code": 0, "data": {"list": [row]}}))
    assert account.name == "A[31m 👩‍🍳"


@pytest.mark.parametrize("key", ["core_user_id", "id"])
def test_the_user_is_known_by_the_new_key_and_by_the_old(key: str) -> None:
    call = MARKETING.subject(TOKENS)
    assert call.request.label == "user/info"
    assert call.read(answer({"code": 0, "data": {key: 69}})) == "69"


def test_a_token_that_tiktok_took_back_is_found_by_asking_for_its_advertisers() -> None:
    with pytest.raises(TokenRejected):
        MARKETING.accounts(TOKENS).read(sample("business_refused"))


def test_revoking_what_is_revoked_already_is_a_success() -> None:
    revoke = MARKETING.revoke(TOKENS)
    assert sent_json(revoke.request)["access_token"] == "fake-marketing-access"
    assert revoke.read(sample("business_refused")) is None
    with pytest.raises(TokenRejected):
        revoke.read(refused(40102))


def test_signing_replaces_any_credential_that_came_along() -> None:
    request = MARKETING.subject(TOKENS).request
    stranger = type(request)(
        "GET", request.url, "x", {"ACCESS-token": "x", "authorization": "y", "A": "b"}
    )
    assert MARKETING.sign(stranger, TOKENS).headers == {
        "A": "b",
        "Access-Token": "fake-marketing-access",
    }
