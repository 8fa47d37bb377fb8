"""The TikTok Accounts API, in literals."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import SecretStr

from connector.errors import Misconfigured, ReconnectRequired, TokenRejected, Unintelligible
from connector.model import Tokens
from connector.tiktok import Family

from .answers import ACCOUNTS, ASKED_AT, OLD, answer, changed, query, refused, sample, sent_json

FAMILY: Family = ACCOUNTS


def refreshed(**data: object) -> Tokens:
    call = ACCOUNTS.refresh(OLD)
    assert call is not None
    return call.read(changed("accounts_refresh", **data))


def test_the_consent_link_is_tiktoks_own_with_the_scopes_in_it() -> None:
    url = ACCOUNTS.authorize_url(redirect_uri="https://shop.test/cb/", state="s")
    assert query(url) == {
        "client_key": "7100",
        "response_type": "code",
        "redirect_uri": "https://shop.test/cb/",
        "scope": "user.info.basic,video.list",
        "state": "s",
    }


def test_the_code_is_sent_as_auth_code_and_the_app_as_client() -> None:
    request = ACCOUNTS.exchange("one*code!", redirect_uri="https://shop.test/cb/").request
    assert request.url == "https://business.test/open_api/v1.3/tt_user/oauth2/token/"
    assert sent_json(request) == {
        "client_id": "7100",
        "client_secret": "fake-app-secret",
        "grant_type": "authorization_code",
        "auth_code": "one*code!",
        "redirect_uri": "https://shop.test/cb/",
    }


def test_a_grant_has_both_lifetimes_from_when_we_asked() -> None:
    grant = ACCOUNTS.exchange("c", redirect_uri="r").read(sample("accounts_token"))
    assert grant.subject == "-000fake-open-id"
    assert grant.scopes == ("user.info.basic", "video.list")
    assert grant.tokens == Tokens(
        access=SecretStr("act.fake-access"),
        refresh=SecretStr("rft.fake-refresh"),
        expires_at=ASKED_AT + timedelta(seconds=86400),
        refresh_expires_at=ASKED_AT + timedelta(seconds=31536000),
    )


def test_the_names_of_version_1_2_are_understood() -> None:
    old = {
        "access_token": "act.fake-access",
        "refresh_token": "rft.fake-refresh",
        "expires": 86400,
        "refresh_expires": 31536000,
        "creator_id": "-000fake-open-id",
        "scope": "user.info.basic,video.list",
    }
    call = ACCOUNTS.exchange("c", redirect_uri="r")
    assert call.read(answer({"code": 0, "data": old})) == call.read(sample("accounts_token"))


def test_fields_at_the_top_and_fields_under_data_are_the_same() -> None:
    top = {"code": 0, "message": "OK", "access_token": "act.fake-access", "expires_in": 60}
    call = ACCOUNTS.exchange("c", redirect_uri="r")
    assert call.read(answer(top)).tokens.expires_at == ASKED_AT + timedelta(seconds=60)
    assert call.read(answer({**top, "data": {}})).tokens.access == SecretStr("act.fake-access")


def test_the_refresh_window_is_what_is_left_of_it_and_not_a_new_year() -> None:
    assert refreshed().refresh_expires_at == ASKED_AT + timedelta(seconds=31527314)


def test_what_a_refresh_leaves_out_stays_as_it_was() -> None:
    tokens = refreshed(refresh_token=None, refresh_token_expires_in=None)
    assert tokens.refresh == OLD.refresh
    assert tokens.refresh_expires_at == OLD.refresh_expires_at
    assert tokens.access == SecretStr("act.fake-access-2")


def test_a_rotated_refresh_token_is_the_one_kept() -> None:
    assert refreshed(refresh_token="rft.new").refresh == SecretStr("rft.new")


@pytest.mark.parametrize("nonsense", ["soon", 0, -1, True, 1e300, 10**40, [], "9" * 50])
def test_a_lifetime_that_makes_no_sense_does_not_cost_us_the_tokens(nonsense: object) -> None:
    tokens = refreshed(expires_in=nonsense, refresh_token="rft.new")
    assert tokens.refresh == SecretStr("rft.new")
    assert tokens.expires_at is None


def test_a_lifetime_written_as_text_or_float_is_understood() -> None:
    assert refreshed(expires_in="60").expires_at == ASKED_AT + timedelta(seconds=60)
    assert refreshed(expires_in=60.0).expires_at == ASKED_AT + timedelta(seconds=60)


def test_without_a_refresh_token_there_is_nothing_to_ask() -> None:
    assert ACCOUNTS.refresh(Tokens(access=SecretStr("act.only"))) is None


@pytest.mark.parametrize("code", [40103, 40107])
def test_a_dead_refresh_token_is_a_definite_end(code: int) -> None:
    call = ACCOUNTS.refresh(OLD)
    assert call is not None
    with pytest.raises(ReconnectRequired):
        call.read(refused(code))
    with pytest.raises(Misconfigured):
        call.read(refused(40101))


def test_the_account_is_known_by_its_id_alone_or_with_its_name() -> None:
    nameless = ACCOUNTS.accounts(OLD)
    assert nameless.request.label == "tt_user/token_info/get"
    assert sent_json(nameless.request) == {"app_id": "7100", "access_token": "act.old-access"}
    (account,) = nameless.read(sample("accounts_token_info"))
    assert (account.id, account.name, account.kind) == ("-000fake-open-id", "", "business")

    named = ACCOUNTS.accounts(OLD, subject="-000fake-open-id")
    assert query(named.request) == {
        "business_id": "-000fake-open-id",
        "fields": '["display_name"]',
    }
    assert named.request.url.endswith("fields=%5B%22display_name%22%5D")
    (account,) = named.read(sample("accounts_profile"))
    assert (account.id, account.name) == ("-000fake-open-id", "The Bakery")


def test_the_exchange_has_said_who_it_is_so_nobody_asks_again() -> None:
    assert FAMILY.subject(OLD) is None


def test_revoking_speaks_of_the_token_in_the_body() -> None:
    revoke = ACCOUNTS.revoke(OLD)
    assert revoke.request.label == "tt_user/oauth2/revoke"
    assert revoke.read(answer({"code": 0, "message": "OK", "data": {}})) is None
    assert revoke.read(answer({"code": 0, "message": "OK"})) is None


def test_a_rejected_access_token_is_no_end_while_it_can_be_refreshed() -> None:
    for call in (ACCOUNTS.accounts(OLD), ACCOUNTS.revoke(OLD)):
        with pytest.raises(TokenRejected):
            call.read(sample("business_refused"))


def test_calls_are_signed_with_their_header_and_not_as_bearer() -> None:
    request = ACCOUNTS.accounts(OLD, subject="1").request
    assert request.headers == {"Access-Token": "act.old-access"}


def test_an_open_id_that_lost_digits_is_refused() -> None:
    with pytest.raises(Unintelligible):
        ACCOUNTS.exchange("c", redirect_uri="r").read(changed("accounts_token", open_id=7.5e18))
