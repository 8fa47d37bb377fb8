"""Login Kit, in literals."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import SecretStr

from connector.errors import CodeSpent, ReconnectRequired, TokenRejected, Unintelligible
from connector.model import Tokens
from connector.tiktok import Family
from connector.tiktok.login_kit import challenge

from .answers import ASKED_AT, LOGIN_KIT, OLD, answer, changed, query, sample, sent_form

FAMILY: Family = LOGIN_KIT


def refreshed(**fields: object) -> Tokens:
    call = LOGIN_KIT.refresh(OLD)
    assert call is not None
    return call.read(changed("login_kit_token", **fields))


def test_the_consent_link_asks_for_the_scopes() -> None:
    url = LOGIN_KIT.authorize_url(redirect_uri="https://shop.test/cb", state="s")
    assert url.startswith("https://www.test/v2/auth/authorize/?client_key=fake-client-key&")
    assert query(url)["scope"] == "user.info.basic,video.list"


def test_the_exchange_is_a_form_with_the_code_byte_for_byte() -> None:
    request = LOGIN_KIT.exchange("a*b!c d+%2A", redirect_uri="https://shop.test/cb").request
    assert request.url == "https://open.test/v2/oauth/token/"
    assert request.label == "oauth/token"
    assert request.headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert sent_form(request) == {
        "client_key": "fake-client-key",
        "client_secret": "fake-client-secret",
        "grant_type": "authorization_code",
        "code": "a*b!c d+%2A",
        "redirect_uri": "https://shop.test/cb",
    }


def test_a_flat_success_and_a_flat_failure_are_told_apart_though_both_are_200() -> None:
    call = LOGIN_KIT.exchange("c", redirect_uri="r")
    grant = call.read(sample("login_kit_token"))
    assert grant.subject == "-000fake-open-id"
    assert grant.scopes == ("user.info.basic", "video.list")
    assert grant.tokens.expires_at == ASKED_AT + timedelta(seconds=7200)
    assert grant.tokens.refresh_expires_at == ASKED_AT + timedelta(seconds=15552000)
    with pytest.raises(CodeSpent):
        call.read(sample("login_kit_refused"))


def test_the_rotated_refresh_token_replaces_the_dead_one() -> None:
    assert refreshed().refresh == SecretStr("rft.fake-refresh")


def test_a_refresh_answer_without_a_refresh_token_keeps_the_old() -> None:
    tokens = refreshed(refresh_token=None, refresh_expires_in=None)
    assert tokens.refresh == OLD.refresh
    assert tokens.refresh_expires_at == OLD.refresh_expires_at


def test_an_empty_error_beside_a_token_is_no_error() -> None:
    assert refreshed(error="").access == SecretStr("act.fake-access")


def test_only_an_invalid_grant_on_refresh_ends_the_connection() -> None:
    call = LOGIN_KIT.refresh(OLD)
    assert call is not None
    with pytest.raises(ReconnectRequired):
        call.read(sample("login_kit_refused"))


def test_without_a_refresh_token_there_is_nothing_to_ask() -> None:
    assert LOGIN_KIT.refresh(Tokens(access=SecretStr("act.only"))) is None


def test_the_profile_is_the_account() -> None:
    call = LOGIN_KIT.accounts(OLD)
    assert query(call.request) == {"fields": "open_id,display_name"}
    assert call.request.headers == {"Authorization": "Bearer act.old-access"}
    (account,) = call.read(sample("login_kit_user"))
    assert (account.id, account.name, account.kind) == ("-000fake-open-id", "The Baker", "profile")


@pytest.mark.parametrize("body", ["{}", '{"data": {}}', '{"data": {"user": []}}'])
def test_a_profile_without_a_user_is_not_understood(body: str) -> None:
    with pytest.raises(Unintelligible):
        LOGIN_KIT.accounts(OLD).read(answer(body))


def test_the_exchange_has_said_who_it_is_so_nobody_asks_again() -> None:
    assert FAMILY.subject(OLD) is None


def test_revoking_succeeds_with_an_empty_body() -> None:
    revoke = LOGIN_KIT.revoke(OLD)
    assert sent_form(revoke.request)["token"] == "act.old-access"
    assert revoke.read(answer("")) is None
    assert revoke.read(answer("{}")) is None
    with pytest.raises(TokenRejected):
        revoke.read(sample("login_kit_refused"))


def test_an_empty_body_with_a_failing_status_is_no_success() -> None:
    with pytest.raises(Unintelligible):
        LOGIN_KIT.revoke(OLD).read(answer("", status=400))


def test_a_challenge_is_lower_case_hex_where_the_rfc_has_base64url() -> None:
    assert (
        challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        == "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"
    )
