"""Reading the settings from the environment, and the problems that are reported."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest

from connector.encryption import EncryptionKey
from connector.settings import SETTINGS, InvalidSettings, Problem, Settings

APP = {"TIKTOK_APP_ID": "7000000000000000001", "TIKTOK_APP_SECRET": "app-canary"}
KEY = EncryptionKey("k1", bytes(range(32))).format()


def read(**environ: str) -> Settings:
    return Settings.read(APP | environ, dotenv=None)


def problems(environ: dict[str, str], dotenv: Path | None = None) -> tuple[Problem, ...]:
    with pytest.raises(InvalidSettings) as caught:
        Settings.read(environ, dotenv=dotenv)
    return caught.value.problems


def problem(**environ: str) -> Problem:
    (reported,) = problems(APP | environ)
    return reported


def test_a_tiktok_app_is_the_only_required_setting() -> None:
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
    assert settings.user_accounts_token == "encrypted"


def test_the_default_urls_follow_the_port_and_the_public_url() -> None:
    assert read(CONNECTOR_PORT="9000").redirect_uris == ("http://localhost:9000/oauth/callback",)
    settings = read(CONNECTOR_PUBLIC_URL="https://connect.example.com/")
    assert settings.redirect_uris == ("https://connect.example.com/oauth/callback",)


def test_the_supabase_url_determines_the_issuer_and_the_jwks_url() -> None:
    settings = read(
        SUPABASE_URL="https://ref.supabase.co/",
        SUPABASE_SERVICE_ROLE_KEY="sb_secret_canary",
        CONNECTOR_ENCRYPTION_KEYS=KEY,
    )
    assert settings.issuer == "https://ref.supabase.co/auth/v1"
    assert settings.jwks_url == "https://ref.supabase.co/auth/v1/.well-known/jwks.json"
    assert settings.encryption_keys == (EncryptionKey.parse(KEY),)


def test_all_problems_of_the_settings_are_reported_together_with_their_remedies() -> None:
    found = problems(
        {
            "TIKTOK_APP_ID": "1",
            "CONNECTOR_PORT": "http",
            "CONNECTOR_LOG_LEVEL": "loud",
            "CONNECTOR_RETURN_ACCESS_TOKEN": "perhaps",
            "SUPABASE_URL": "ref.supabase.co",
        }
    )
    assert [p.name for p in found] == [
        "CONNECTOR_PORT",
        "SUPABASE_URL",
        "CONNECTOR_RETURN_ACCESS_TOKEN",
        "CONNECTOR_LOG_LEVEL",
        "TIKTOK_APP_SECRET",
        "SUPABASE_SERVICE_ROLE_KEY",
        "CONNECTOR_ENCRYPTION_KEYS",
    ]
    assert all(p.message.endswith(".") and p.remedy for p in found)


def test_the_remedy_for_a_missing_tiktok_app_names_both_portals() -> None:
    (reported,) = problems({})
    assert "business-api.tiktok.com/portal" in reported.remedy
    assert "developers.tiktok.com" in reported.remedy


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({"TIKTOK_APP_ID": "1"}, "TIKTOK_APP_SECRET"),
        ({"TIKTOK_APP_SECRET": "s"}, "TIKTOK_APP_ID"),
        ({"TIKTOK_CLIENT_ID": "1"}, "TIKTOK_CLIENT_SECRET"),
        ({"TIKTOK_CLIENT_SECRET": "s"}, "TIKTOK_CLIENT_KEY"),
        (APP | {"SUPABASE_SERVICE_ROLE_KEY": "sb_secret_x"}, "SUPABASE_URL"),
        (APP | {"SUPABASE_DB_URL": "postgresql://u:p@h/db"}, "CONNECTOR_ENCRYPTION_KEYS"),
    ],
)
def test_a_missing_id_or_secret_of_an_app_is_reported_by_its_setting_name(
    environ: dict[str, str], missing: str
) -> None:
    assert [p.name for p in problems(environ)] == [missing]


def test_a_database_url_makes_the_service_role_key_optional() -> None:
    settings = read(
        SUPABASE_URL="https://ref.supabase.co",
        SUPABASE_DB_URL="postgresql://postgres:pw@db.ref.supabase.co:5432/postgres",
        CONNECTOR_ENCRYPTION_KEYS=KEY,
    )
    assert settings.supabase_service_role_key is None
    assert settings.supabase_db_url


def test_tiktok_client_id_is_an_alias_of_tiktok_client_key() -> None:
    environ = {"TIKTOK_CLIENT_ID": "aw1", "TIKTOK_CLIENT_SECRET": "s"}
    assert Settings.read(environ, dotenv=None).client_key == "aw1"
    same = environ | {"TIKTOK_CLIENT_KEY": "aw1"}
    assert Settings.read(same, dotenv=None).client_key == "aw1"
    (reported,) = problems(environ | {"TIKTOK_CLIENT_KEY": "aw2"})
    assert "TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_ID" in reported.message


def test_the_environment_takes_precedence_over_the_env_file_even_with_an_empty_value(
    tmp_path: Path,
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(
        "TIKTOK_APP_ID=written\nTIKTOK_APP_SECRET='a$b${HOME}'\n"
        "CONNECTOR_PORT=9999\nCONNECTOR_LOG_LEVEL=debug\nTIKTOK_CLIENT_KEY=written\n"
        "TIKTOK_CLIENT_SECRET=written\n",
        encoding="utf-8-sig",
    )
    environ = {"TIKTOK_CLIENT_ID": "real", "CONNECTOR_PORT": "", "CONNECTOR_LOG_LEVEL": "error"}
    settings = Settings.read(environ, dotenv=dotenv)
    assert settings.app_id == "written"
    assert settings.app_secret
    assert settings.app_secret.get_secret_value() == "a$b${HOME}"
    assert (settings.port, settings.log_level, settings.client_key) == (8080, "error", "real")


def test_an_env_file_in_another_encoding_is_a_problem_and_a_missing_env_file_is_not(
    tmp_path: Path,
) -> None:
    dotenv = tmp_path / ".env"
    assert Settings.read(APP, dotenv=dotenv).app_id
    dotenv.write_bytes(b"\xff\xfe\x00")
    assert [p.name for p in problems(APP, dotenv)] == [str(dotenv)]


def test_a_secret_can_be_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from-a-file\r\n")
    environ = {"TIKTOK_APP_ID": "1", "TIKTOK_APP_SECRET_FILE": str(file)}
    secret = Settings.read(environ, dotenv=None).app_secret
    assert secret
    assert secret.get_secret_value() == "from-a-file"
    (reported,) = problems(environ | {"TIKTOK_APP_SECRET": "x"})
    assert reported.name == "TIKTOK_APP_SECRET"
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
        ("CONNECTOR_STATE_MINUTES", "1381"),
        ("CONNECTOR_USER_ACCOUNTS_TOKEN", "hashed"),
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
def test_an_invalid_value_is_reported_by_the_name_of_its_setting(name: str, text: str) -> None:
    assert problem(**{name: text}).name == name


def test_a_star_as_allowed_origin_is_refused_with_the_reason() -> None:
    assert "any website" in problem(CONNECTOR_ALLOWED_ORIGINS="*").message


def test_allowed_origins_are_normalized_to_the_form_browsers_send() -> None:
    text = "https://App.Example.com:443, http://localhost:3000,http://a.example:80"
    assert read(CONNECTOR_ALLOWED_ORIGINS=text).allowed_origins == (
        "https://app.example.com",
        "http://localhost:3000",
        "http://a.example",
    )


def test_booleans_accept_several_words() -> None:
    assert all(
        read(CONNECTOR_RETURN_ACCESS_TOKEN=w).return_access_token for w in ("1", "YES", "on")
    )
    assert not any(read(CONNECTOR_RETURN_ACCESS_TOKEN=w).return_access_token for w in ("0", "Off"))


def test_redirect_uris_are_stored_byte_for_byte() -> None:
    text = "https://A.example.com/cb/, https://b.example.com/cb?x=1"
    assert read(TIKTOK_REDIRECT_URI=text).redirect_uris == (
        "https://A.example.com/cb/",
        "https://b.example.com/cb?x=1",
    )


def test_every_invalid_entry_of_a_list_is_reported_by_its_number() -> None:
    text = "https://a.example,nonsense,https://b.example/path"
    message = problem(CONNECTOR_ALLOWED_ORIGINS=text).message
    assert "Entry 2" in message
    assert "Entry 3" in message


def test_the_public_key_of_a_project_is_refused_as_service_role_key() -> None:
    payload = base64.urlsafe_b64encode(json.dumps({"role": "anon"}).encode()).decode()
    other_settings = {"SUPABASE_URL": "https://ref.supabase.co", "CONNECTOR_ENCRYPTION_KEYS": KEY}
    for key in (f"e30.{payload.rstrip('=')}.sig", "sb_publishable_x"):
        reported = problem(SUPABASE_SERVICE_ROLE_KEY=key, **other_settings)
        assert "public key" in reported.message


def test_a_misspelt_setting_causes_a_warning_with_the_right_name() -> None:
    warnings = read(CONNECTOR_API_KEY="x", TIKTOK_REDIRECT_URL="y", SUPABASE_DB_URI="z").warnings
    assert [warning.remedy for warning in warnings] == [
        "Did you mean CONNECTOR_API_KEYS?",
        "Did you mean SUPABASE_DB_URL?",
        "Did you mean TIKTOK_REDIRECT_URI?",
    ]


def test_a_misspelt_setting_is_reported_beside_the_setting_that_is_missing() -> None:
    with pytest.raises(InvalidSettings, match="Did you mean TIKTOK_APP_SECRET"):
        Settings.read({"TIKTOK_APP_ID": "1", "TIKTOK_APP_SECRT": "x"}, dotenv=None)


def test_unknown_variables_cause_a_warning_only_with_the_prefix_of_the_service() -> None:
    assert read(SUPABASE_ANON_KEY="x", TIKTOK_PIXEL="y", PATH="/bin").warnings == ()
    assert [w.name for w in read(CONNECTOR_COLOUR="blue").warnings] == ["CONNECTOR_COLOUR"]


def test_plain_http_causes_a_warning_for_public_hosts_only() -> None:
    assert read(TIKTOK_OPEN_API_URL="http://simulator:9000").warnings == ()
    assert read(TIKTOK_OPEN_API_URL="http://127.0.0.1:9000").warnings == ()
    (warning,) = read(TIKTOK_OPEN_API_URL="http://open.tiktokapis.com").warnings
    assert "unencrypted" in warning.message


def test_neither_settings_nor_problems_show_a_secret() -> None:
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
    printed = repr(Settings.read(good, dotenv=None))
    with pytest.raises(InvalidSettings) as caught:
        Settings.read({s.name: f"{canary} {canary}:{key}" for s in SETTINGS}, dotenv=None)
    reported = str(caught.value)
    assert len(caught.value.problems) > 20
    for secret in (canary, key):
        assert secret not in printed
        assert secret not in reported


def test_settings_have_unique_names_and_descriptions_and_secrets_are_marked() -> None:
    assert len({name for s in SETTINGS for name in s.names}) == len(SETTINGS) + 10
    assert all(s.description.endswith(".") for s in SETTINGS)
    assert all(s.secret for s in SETTINGS if s.name.endswith(("SECRET", "KEYS", "ROLE_KEY")))
