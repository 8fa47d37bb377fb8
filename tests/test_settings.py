"""What the environment may say, and how it is told what is wrong with it."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest

from connector.seal import Key
from connector.settings import (
    SETTINGS,
    Problem,
    Settings,
    SettingsWrong,
)

APP = {"TIKTOK_APP_ID": "7000000000000000001", "TIKTOK_APP_SECRET": "app-canary"}
KEY = Key("k1", bytes(range(32))).text()


def read(**environ: str) -> Settings:
    return Settings.read(APP | environ, dotenv=None)


def problems(environ: dict[str, str], dotenv: Path | None = None) -> tuple[Problem, ...]:
    with pytest.raises(SettingsWrong) as caught:
        Settings.read(environ, dotenv=dotenv)
    return caught.value.problems


def problem(**environ: str) -> Problem:
    (only,) = problems(APP | environ)
    return only


def test_one_tiktok_app_is_all_that_has_to_be_set() -> None:
    settings = read()
    assert settings.app_id == APP["TIKTOK_APP_ID"]
    assert settings.public_url == "http://localhost:8080"
    assert settings.redirect_uris == ("http://localhost:8080/oauth/callback",)
    assert settings.scopes == ("user.info.basic", "video.list")
    assert settings.consent_url == "https://www.tiktok.com/v2/auth/authorize/"
    assert settings.database == Path("connector.db")
    assert settings.state_max_age == timedelta(hours=1)
    assert settings.probe_every == timedelta(hours=6)
    assert (settings.supabase_url, settings.issuer, settings.jwks_url) == (None, None, None)
    assert (settings.api_keys, settings.encryption_keys, settings.warnings) == ((), (), ())
    assert not settings.accept_unsigned_state
    assert settings.user_accounts_token == "sealed"


def test_addresses_that_are_not_set_follow_those_that_are() -> None:
    assert read(CONNECTOR_PORT="9000").redirect_uris == ("http://localhost:9000/oauth/callback",)
    settings = read(CONNECTOR_PUBLIC_URL="https://connect.example.com/")
    assert settings.redirect_uris == ("https://connect.example.com/oauth/callback",)


def test_a_supabase_project_says_who_issues_its_users_tokens() -> None:
    settings = read(
        SUPABASE_URL="https://ref.supabase.co/",
        SUPABASE_SERVICE_ROLE_KEY="sb_secret_canary",
        CONNECTOR_ENCRYPTION_KEYS=KEY,
    )
    assert settings.issuer == "https://ref.supabase.co/auth/v1"
    assert settings.jwks_url == "https://ref.supabase.co/auth/v1/.well-known/jwks.json"
    assert settings.encryption_keys == (Key.parse(KEY),)


def test_every_problem_is_told_at_once_and_with_its_remedy() -> None:
    found = problems(
        {
            "TIKTOK_APP_ID": "1",
            "CONNECTOR_PORT": "http",
            "CONNECTOR_LOG": "loud",
            "CONNECTOR_RETURN_ACCESS_TOKEN": "perhaps",
            "SUPABASE_URL": "ref.supabase.co",
        }
    )
    assert [p.name for p in found] == [
        "CONNECTOR_PORT",
        "SUPABASE_URL",
        "CONNECTOR_RETURN_ACCESS_TOKEN",
        "CONNECTOR_LOG",
        "TIKTOK_APP_SECRET",
        "SUPABASE_SERVICE_ROLE_KEY",
        "CONNECTOR_ENCRYPTION_KEYS",
    ]
    assert all(p.sentence.endswith(".") and p.remedy for p in found)


def test_without_any_app_the_problem_says_where_to_get_one() -> None:
    (found,) = problems({})
    assert "business-api.tiktok.com/portal" in found.remedy
    assert "developers.tiktok.com" in found.remedy


@pytest.mark.parametrize(
    ("given", "lacking"),
    [
        ({"TIKTOK_APP_ID": "1"}, "TIKTOK_APP_SECRET"),
        ({"TIKTOK_APP_SECRET": "s"}, "TIKTOK_APP_ID"),
        ({"TIKTOK_CLIENT_ID": "1"}, "TIKTOK_CLIENT_SECRET"),
        ({"TIKTOK_CLIENT_SECRET": "s"}, "TIKTOK_CLIENT_KEY"),
        (APP | {"SUPABASE_SERVICE_ROLE_KEY": "sb_secret_x"}, "SUPABASE_URL"),
        (APP | {"SUPABASE_DB_URL": "postgresql://u:p@h/db"}, "CONNECTOR_ENCRYPTION_KEYS"),
    ],
)
def test_half_of_a_pair_is_told_by_the_name_of_the_other(
    given: dict[str, str], lacking: str
) -> None:
    assert [p.name for p in problems(given)] == [lacking]


def test_over_postgres_the_project_needs_no_service_role_key() -> None:
    settings = read(
        SUPABASE_URL="https://ref.supabase.co",
        SUPABASE_DB_URL="postgresql://postgres:pw@db.ref.supabase.co:5432/postgres",
        CONNECTOR_ENCRYPTION_KEYS=KEY,
    )
    assert settings.supabase_service_role_key is None
    assert settings.supabase_db_url


def test_client_id_is_another_name_for_client_key() -> None:
    environ = {"TIKTOK_CLIENT_ID": "aw1", "TIKTOK_CLIENT_SECRET": "s"}
    assert Settings.read(environ, dotenv=None).client_key == "aw1"
    same = environ | {"TIKTOK_CLIENT_KEY": "aw1"}
    assert Settings.read(same, dotenv=None).client_key == "aw1"
    (found,) = problems(environ | {"TIKTOK_CLIENT_KEY": "aw2"})
    assert "TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_ID" in found.sentence


def test_the_environment_wins_over_the_env_file_even_by_an_empty_value(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(
        "TIKTOK_APP_ID=written\nTIKTOK_APP_SECRET='a$b${HOME}'\n"
        "CONNECTOR_PORT=9999\nCONNECTOR_LOG=debug\nTIKTOK_CLIENT_KEY=written\n"
        "TIKTOK_CLIENT_SECRET=written\n",
        encoding="utf-8-sig",
    )
    environ = {"TIKTOK_CLIENT_ID": "real", "CONNECTOR_PORT": "", "CONNECTOR_LOG": "error"}
    settings = Settings.read(environ, dotenv=dotenv)
    assert settings.app_id == "written"
    assert settings.app_secret
    assert settings.app_secret.get_secret_value() == "a$b${HOME}"
    assert (settings.port, settings.log_level, settings.client_key) == (8080, "error", "real")


def test_an_env_file_that_is_no_text_is_a_problem_and_a_missing_one_is_not(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    assert Settings.read(APP, dotenv=dotenv).app_id
    dotenv.write_bytes(b"\xff\xfe\x00")
    assert [p.name for p in problems(APP, dotenv)] == [str(dotenv)]


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from-a-file\r\n")
    environ = {"TIKTOK_APP_ID": "1", "TIKTOK_APP_SECRET_FILE": str(file)}
    secret = Settings.read(environ, dotenv=None).app_secret
    assert secret
    assert secret.get_secret_value() == "from-a-file"
    (found,) = problems(environ | {"TIKTOK_APP_SECRET": "x"})
    assert found.name == "TIKTOK_APP_SECRET"
    file.write_text("\n")
    assert [p.name for p in problems(environ)] == ["TIKTOK_APP_SECRET_FILE"]
    file.unlink()
    assert [p.name for p in problems(environ)] == ["TIKTOK_APP_SECRET_FILE"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CONNECTOR_PORT", "65536"),
        ("CONNECTOR_PORT", "٨٠"),
        ("CONNECTOR_PORT", "tcp://10.0.0.1:80"),
        ("CONNECTOR_STATE_MINUTES", "0"),
        ("CONNECTOR_USER_ACCOUNTS_TOKEN", "encrypted"),
        ("CONNECTOR_PUBLIC_URL", "connect.example.com"),
        ("CONNECTOR_PUBLIC_URL", "https://connect.example.com/?a=1"),
        ("TIKTOK_OPEN_API_URL", "https://open.tiktokapis.com/v2"),
        ("TIKTOK_OPEN_API_URL", "ftp://open.tiktokapis.com"),
        ("TIKTOK_BUSINESS_API_URL", "https://name:pass@business-api.tiktok.com"),
        ("TIKTOK_CONSENT_URL", "https://www.tiktok.com/v2/auth/authorize/?client_key=1"),
        ("TIKTOK_REDIRECT_URI", "/callback"),
        ("TIKTOK_REDIRECT_URI", "https://a.example.com/cb,https://b.example.com/cb#top"),
        ("TIKTOK_REDIRECT_URI", "https://*.example.com/cb"),
        ("TIKTOK_REDIRECT_URI", ","),
        ("CONNECTOR_ALLOWED_ORIGINS", "https://app.example.com/"),
        ("CONNECTOR_ALLOWED_ORIGINS", "https://app.example.com:"),
        ("CONNECTOR_ALLOWED_ORIGINS", "https://bücher.example"),
        ("CONNECTOR_API_KEYS", "short"),
        ("SUPABASE_JWT_SECRET", "super-secret"),
        ("CONNECTOR_ENCRYPTION_KEYS", "k1:dG9vIHNob3J0"),
        ("CONNECTOR_ENCRYPTION_KEYS", f"{KEY},{KEY}"),
        ("CONNECTOR_JOURNAL", "connector.db"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_name(name: str, text: str) -> None:
    assert problem(**{name: text}).name == name


def test_a_star_among_the_origins_is_refused_with_the_reason() -> None:
    assert "any website" in problem(CONNECTOR_ALLOWED_ORIGINS="*").sentence


def test_origins_are_kept_as_browsers_send_them() -> None:
    text = "https://App.Example.com:443, http://localhost:3000,http://a.example:80"
    assert read(CONNECTOR_ALLOWED_ORIGINS=text).allowed_origins == (
        "https://app.example.com",
        "http://localhost:3000",
        "http://a.example",
    )


def test_yes_and_no_have_several_words() -> None:
    assert all(
        read(CONNECTOR_RETURN_ACCESS_TOKEN=w).return_access_token for w in ("1", "YES", "on")
    )
    assert not any(read(CONNECTOR_RETURN_ACCESS_TOKEN=w).return_access_token for w in ("0", "Off"))


def test_redirect_uris_are_kept_byte_for_byte() -> None:
    text = "https://A.example.com/cb/, https://b.example.com/cb?x=1"
    assert read(TIKTOK_REDIRECT_URI=text).redirect_uris == (
        "https://A.example.com/cb/",
        "https://b.example.com/cb?x=1",
    )


def test_every_bad_entry_of_a_list_is_told_by_its_number() -> None:
    text = "https://a.example,nonsense,https://b.example/path"
    sentence = problem(CONNECTOR_ALLOWED_ORIGINS=text).sentence
    assert "Entry 2" in sentence
    assert "Entry 3" in sentence


def test_the_projects_public_key_is_not_taken_for_the_service_role_key() -> None:
    payload = base64.urlsafe_b64encode(json.dumps({"role": "anon"}).encode()).decode()
    others = {"SUPABASE_URL": "https://ref.supabase.co", "CONNECTOR_ENCRYPTION_KEYS": KEY}
    for key in (f"e30.{payload.rstrip('=')}.sig", "sb_publishable_x"):
        found = problem(SUPABASE_SERVICE_ROLE_KEY=key, **others)
        assert "public key" in found.sentence


def test_a_misspelt_name_is_warned_of() -> None:
    warnings = read(CONNECTOR_API_KEY="x", TIKTOK_REDIRECT_URL="y", SUPABASE_DB_URI="z").warnings
    assert [warning.remedy for warning in warnings] == [
        "Did you mean CONNECTOR_API_KEYS?",
        "Did you mean SUPABASE_DB_URL?",
        "Did you mean TIKTOK_REDIRECT_URI?",
    ]


def test_a_misspelt_name_is_also_told_where_it_left_something_missing() -> None:
    with pytest.raises(SettingsWrong, match="Did you mean TIKTOK_APP_SECRET"):
        Settings.read({"TIKTOK_APP_ID": "1", "TIKTOK_APP_SECRT": "x"}, dotenv=None)


def test_names_that_are_other_peoples_business_are_left_alone() -> None:
    assert read(SUPABASE_ANON_KEY="x", TIKTOK_PIXEL="y", PATH="/bin").warnings == ()
    assert [w.name for w in read(CONNECTOR_COLOUR="blue").warnings] == ["CONNECTOR_COLOUR"]


def test_secrets_in_the_clear_are_warned_of_but_a_private_network_is_not() -> None:
    assert read(TIKTOK_OPEN_API_URL="http://simulator:9000").warnings == ()
    assert read(TIKTOK_OPEN_API_URL="http://127.0.0.1:9000").warnings == ()
    (warning,) = read(TIKTOK_OPEN_API_URL="http://open.tiktokapis.com").warnings
    assert "unencrypted" in warning.sentence


def test_nothing_shows_a_secret_neither_the_settings_nor_a_problem() -> None:
    canary = "CANARYcanaryCANARYcanaryCANARYcanary"
    key = base64.b64encode(canary[:32].encode()).decode()
    good = APP | {
        "TIKTOK_APP_SECRET": canary,
        "SUPABASE_URL": "https://ref.supabase.co",
        "SUPABASE_SERVICE_ROLE_KEY": canary,
        "SUPABASE_JWT_SECRET": canary,
        "SUPABASE_DB_URL": f"postgresql://u:{canary}@h/db",
        "CONNECTOR_API_KEYS": canary,
        "CONNECTOR_ENCRYPTION_KEYS": f"k1:{key}",
    }
    shown = repr(Settings.read(good, dotenv=None))
    with pytest.raises(SettingsWrong) as caught:
        Settings.read({s.name: f"{canary} {canary}:{key}" for s in SETTINGS}, dotenv=None)
    told = str(caught.value)
    assert len(caught.value.problems) > 20
    for secret in (canary, key):
        assert secret not in shown
        assert secret not in told


def test_the_table_is_fit_to_be_printed() -> None:
    assert len({name for s in SETTINGS for name in s.names}) == len(SETTINGS) + 8
    assert all(s.meaning.endswith(".") for s in SETTINGS)
    assert all(s.secret for s in SETTINGS if s.name.endswith(("SECRET", "KEYS", "ROLE_KEY")))
