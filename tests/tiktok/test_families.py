"""Each family is complete, and all differences between the families are declared in their modules."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from inspect import getfile
from pathlib import Path

import pytest

import connector.tiktok
from connector.errors import CodeSpent
from connector.settings.table import SETTINGS, Settings
from connector.tiktok import DEFAULT_FAMILY, FAMILIES, ApiFamily

from .responses import ACCOUNTS, LOGIN_KIT, MARKETING, OLD_TOKENS, business_error, response

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()

CONFIGURED_FAMILIES: tuple[ApiFamily, ...] = (MARKETING, ACCOUNTS, LOGIN_KIT)
each_family = pytest.mark.parametrize(
    "family", CONFIGURED_FAMILIES, ids=[family.name for family in CONFIGURED_FAMILIES]
)


def test_every_family_is_tested_here_and_has_a_unique_name() -> None:
    assert [type(family) for family in CONFIGURED_FAMILIES] == list(FAMILIES)
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    assert DEFAULT_FAMILY in {family.name for family in FAMILIES}


@each_family
def test_a_family_names_settings_that_exist(family: ApiFamily) -> None:
    credentials = {
        "app": {"app_id", "app_secret"},
        "client": {"client_key", "client_secret"},
    }[family.credentials]
    names = {field.name for field in fields(Settings)}
    assert credentials | {family.consent_url_setting, family.api_url_setting} <= names


@each_family
def test_the_consent_link_of_a_family_contains_scopes_exactly_if_the_family_declares_it(
    family: ApiFamily,
) -> None:
    url = family.authorize_url(redirect_uri="https://shop.test/cb", state="s")
    assert ("scope=" in url) == family.scopes_in_link


@each_family
def test_a_family_has_a_refresh_call_exactly_if_it_declares_that_it_can_refresh(
    family: ApiFamily,
) -> None:
    assert (family.refresh_call(OLD_TOKENS) is not None) == family.can_refresh


@each_family
def test_the_error_of_a_rejected_code_names_the_lifetime_of_the_familys_codes(
    family: ApiFamily,
) -> None:
    call = family.exchange_call("code", redirect_uri="https://shop.test/cb")
    flat = {"error": "invalid_grant", "error_description": "No."}
    rejected = response(flat) if family is LOGIN_KIT else business_error(40110)
    with pytest.raises(CodeSpent) as caught:
        call.parse(rejected)
    minutes = {MARKETING: "60 minutes", ACCOUNTS: "10 minutes", LOGIN_KIT: None}[family]
    assert ("minutes" in caught.value.message) == (minutes is not None)
    assert (minutes or "") in caught.value.message


def test_the_texts_about_the_lifetime_of_codes_agree_with_the_families() -> None:
    assert (MARKETING.code_lifetime, ACCOUNTS.code_lifetime) == (
        timedelta(hours=1),
        timedelta(minutes=10),
    )
    [setting] = [setting for setting in SETTINGS if setting.name == "CONNECTOR_STATE_MINUTES"]
    errors_page = (ROOT / "docs" / "errors.md").read_text()
    for text in (setting.description, README, errors_page):
        assert "one hour" in text
        assert "10 minutes" in text


@each_family
def test_every_call_of_a_family_stays_on_the_host_of_its_api(family: ApiFamily) -> None:
    calls = (
        family.exchange_call("code", redirect_uri="https://shop.test/cb"),
        family.accounts_call(OLD_TOKENS),
        family.accounts_call(OLD_TOKENS, tiktok_user_id="1"),
        family.revoke_call(OLD_TOKENS),
        *([call] if (call := family.refresh_call(OLD_TOKENS)) else []),
        *([user_id] if (user_id := family.user_id_call(OLD_TOKENS)) else []),
    )
    assert all(call.request.url.startswith(f"{family.app.api}/") for call in calls)


@each_family
def test_only_the_module_of_a_family_contains_the_name_of_the_family(family: ApiFamily) -> None:
    modules = Path(connector.tiktok.__file__).parent.glob("*.py")
    containing = {path.name for path in modules if f'"{family.name}"' in path.read_text()}
    assert containing == {Path(getfile(type(family))).name}
