"""The TikTok families that the settings switch on, with the credentials and hosts of each."""

from __future__ import annotations

import dataclasses

import pytest

from connector.settings import Settings, build_families
from connector.tiktok import FAMILIES

BUSINESS_APP = {"TIKTOK_APP_ID": "7001", "TIKTOK_APP_SECRET": "business-secret"}
LOGIN_KIT_APP = {"TIKTOK_CLIENT_KEY": "awkey", "TIKTOK_CLIENT_SECRET": "login-kit-secret"}


def read(environ: dict[str, str]) -> Settings:
    return Settings.read(environ, dotenv=None)


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        (BUSINESS_APP, ["marketing", "accounts"]),
        (LOGIN_KIT_APP, ["login_kit"]),
        (BUSINESS_APP | LOGIN_KIT_APP, ["marketing", "accounts", "login_kit"]),
    ],
)
def test_the_credentials_of_an_app_switch_its_families_on(
    environ: dict[str, str], names: list[str]
) -> None:
    assert list(build_families(read(environ))) == names


def test_each_family_gets_the_credentials_hosts_and_scopes_it_names() -> None:
    settings = read(BUSINESS_APP | LOGIN_KIT_APP)
    apps = {name: family.app for name, family in build_families(settings).items()}
    assert {name: (app.id, app.api, app.consent, app.scopes) for name, app in apps.items()} == {
        "marketing": ("7001", settings.business_api_url, settings.business_consent_url, ()),
        "accounts": ("7001", settings.business_api_url, settings.consent_url, settings.scopes),
        "login_kit": ("awkey", settings.open_api_url, settings.consent_url, settings.scopes),
    }
    assert {name: app.secret.get_secret_value() for name, app in apps.items()} == {
        "marketing": "business-secret",
        "accounts": "business-secret",
        "login_kit": "login-kit-secret",
    }


def test_every_setting_that_a_family_names_is_a_field_of_the_settings() -> None:
    fields = {field.name for field in dataclasses.fields(Settings)}
    named = {name for f in FAMILIES for name in (f.api_url_setting, f.consent_url_setting)}
    assert named <= fields
