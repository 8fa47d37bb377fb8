"""The environment, read once.

`Settings` is the table: each line names a setting, how it is read and what it means, and the README
and `.env.example` are held against it. The real environment wins over `.env`, also by an empty
value, and an empty value means unset. A default may be built from a setting above it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import SecretStr

from connector.seal import Key

from . import checks, values
from .keyfile import key_file, local_keys
from .problems import Problem, SettingsWrong
from .reading import Reading, Setting

__all__ = ["SETTINGS", "Problem", "Setting", "Settings", "SettingsWrong", "key_file", "local_keys"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    host: Annotated[
        str,
        Setting("CONNECTOR_HOST", values.opaque, "Where the service listens.", default="127.0.0.1"),
    ]
    port: Annotated[
        int, Setting("CONNECTOR_PORT", values.port, "The port it listens on.", default="8080")
    ]
    public_url: Annotated[
        str,
        Setting(
            "CONNECTOR_PUBLIC_URL",
            values.base_url,
            "Where people reach the service from outside.",
            default="http://localhost:{CONNECTOR_PORT}",
        ),
    ]
    allowed_origins: Annotated[
        tuple[str, ...],
        Setting(
            "CONNECTOR_ALLOWED_ORIGINS",
            values.listed(values.allowed_origin),
            "Your frontends, comma-separated: the exact origins whose pages may call the service.",
            default="",
        ),
    ]
    app_id: Annotated[
        str | None,
        Setting(
            "TIKTOK_APP_ID",
            values.opaque,
            "Your app at business-api.tiktok.com; turns on marketing and accounts.",
        ),
    ]
    app_secret: Annotated[
        SecretStr | None,
        Setting("TIKTOK_APP_SECRET", values.secret, "That app's secret.", secret=True),
    ]
    client_key: Annotated[
        str | None,
        Setting(
            "TIKTOK_CLIENT_KEY",
            values.opaque,
            "Your app at developers.tiktok.com; turns on login_kit.",
            also="TIKTOK_CLIENT_ID",
        ),
    ]
    client_secret: Annotated[
        SecretStr | None,
        Setting("TIKTOK_CLIENT_SECRET", values.secret, "That app's secret.", secret=True),
    ]
    redirect_uris: Annotated[
        tuple[str, ...],
        Setting(
            "TIKTOK_REDIRECT_URI",
            values.listed(values.redirect_uri),
            "Where TikTok may send people back to, comma-separated, as registered with TikTok; "
            "the first is the default.",
            default="{CONNECTOR_PUBLIC_URL}/oauth/callback",
        ),
    ]
    scopes: Annotated[
        tuple[str, ...],
        Setting(
            "TIKTOK_SCOPES",
            values.listed(values.opaque),
            "What login_kit and accounts ask for, comma-separated.",
            default="user.info.basic,video.list",
        ),
    ]
    business_api_url: Annotated[
        str,
        Setting(
            "TIKTOK_BUSINESS_API_URL",
            values.origin_url,
            "TikTok's business API; https://sandbox-ads.tiktok.com for the sandbox.",
            default="https://business-api.tiktok.com",
        ),
    ]
    open_api_url: Annotated[
        str,
        Setting(
            "TIKTOK_OPEN_API_URL",
            values.origin_url,
            "TikTok's API for developers.",
            default="https://open.tiktokapis.com",
        ),
    ]
    business_consent_url: Annotated[
        str,
        Setting(
            "TIKTOK_BUSINESS_CONSENT_URL",
            values.page_url,
            "The page where an advertiser consents.",
            default="https://business-api.tiktok.com/portal/auth",
        ),
    ]
    consent_url: Annotated[
        str,
        Setting(
            "TIKTOK_CONSENT_URL",
            values.page_url,
            "The page where an account holder consents.",
            default="https://www.tiktok.com/v2/auth/authorize/",
        ),
    ]
    supabase_url: Annotated[
        str | None,
        Setting("SUPABASE_URL", values.base_url, "Your Supabase project, which is then the store."),
    ]
    supabase_service_role_key: Annotated[
        SecretStr | None,
        Setting(
            "SUPABASE_SERVICE_ROLE_KEY",
            values.service_role_key,
            "The project's service_role (or secret) key.",
            secret=True,
        ),
    ]
    supabase_jwt_secret: Annotated[
        SecretStr | None,
        Setting(
            "SUPABASE_JWT_SECRET",
            values.jwt_secret,
            "Verifies users' tokens signed with HS256; others are verified by the project's JWKS.",
            secret=True,
        ),
    ]
    supabase_db_url: Annotated[
        SecretStr | None,
        Setting(
            "SUPABASE_DB_URL",
            values.database_url,
            "The project's Postgres, spoken to directly: the fast lane; needs the postgres extra.",
            secret=True,
        ),
    ]
    database: Annotated[
        Path,
        Setting(
            "CONNECTOR_DATABASE",
            values.path,
            "The SQLite file, where no Supabase project is set.",
            default="connector.db",
        ),
    ]
    journal: Annotated[
        Path,
        Setting(
            "CONNECTOR_JOURNAL",
            values.path,
            "Where TikTok's answers are kept until the store has them.",
            default="connector.journal",
        ),
    ]
    encryption_keys: Annotated[
        tuple[Key, ...],
        Setting(
            "CONNECTOR_ENCRYPTION_KEYS",
            values.encryption_keys,
            "id:base64, comma-separated; the first seals, all of them open. Required with Supabase; "
            "on SQLite one is made beside the file.",
            default="",
            secret=True,
        ),
    ]
    api_keys: Annotated[
        tuple[SecretStr, ...],
        Setting(
            "CONNECTOR_API_KEYS",
            values.listed(values.api_key),
            "For your own servers, comma-separated.",
            default="",
            secret=True,
        ),
    ]
    accept_unsigned_state: Annotated[
        bool,
        Setting(
            "CONNECTOR_ACCEPT_UNSIGNED_STATE",
            values.boolean,
            "Take a state without a signature from anybody, for frontends that make their own.",
            default="false",
        ),
    ]
    return_access_token: Annotated[
        bool,
        Setting(
            "CONNECTOR_RETURN_ACCESS_TOKEN",
            values.boolean,
            "Put access_token into the answer of the exchange.",
            default="false",
        ),
    ]
    user_accounts_token: Annotated[
        Literal["sealed", "plain", "none"],
        Setting(
            "CONNECTOR_USER_ACCOUNTS_TOKEN",
            values.one_of("sealed", "plain", "none"),
            "What goes into user_accounts.tiktok_access_token: sealed, plain or none.",
            default="sealed",
        ),
    ]
    probe_every: Annotated[
        timedelta,
        Setting(
            "CONNECTOR_PROBE_MINUTES",
            values.minutes(most=7 * 24 * 60),
            "How often a token without expiry is checked, in minutes.",
            default="360",
        ),
    ]
    state_max_age: Annotated[
        timedelta,
        Setting(
            "CONNECTOR_STATE_MINUTES",
            values.minutes(most=24 * 60),
            "How old a state may be, in minutes; TikTok's own code lives one hour.",
            default="60",
        ),
    ]
    log_level: Annotated[
        str,
        Setting(
            "CONNECTOR_LOG",
            values.one_of("debug", "info", "warning", "error"),
            "The least that is logged: debug, info, warning or error.",
            default="info",
        ),
    ]
    log_format: Annotated[
        str,
        Setting(
            "CONNECTOR_LOG_FORMAT", values.one_of("text", "json"), "text or json.", default="text"
        ),
    ]
    warnings: tuple[Problem, ...] = ()

    @classmethod
    def read(cls, environ: Mapping[str, str], *, dotenv: Path | None = Path(".env")) -> Settings:
        reading = Reading(SETTINGS, environ, dotenv)
        found: dict[str, Any] = {field: reading.value(setting) for field, setting in _TABLE.items()}
        named = {setting.name: found[field] for field, setting in _TABLE.items()}
        problems = [*reading.problems, *checks.missing(reading.given), *checks.clashes(named)]
        warnings = (*reading.strangers(), *checks.in_the_clear(named))
        if problems:
            raise SettingsWrong(problems, warnings)
        return cls(**found, warnings=warnings)

    @property
    def issuer(self) -> str | None:
        """What a user's token must say about who issued it."""
        return self.supabase_url and f"{self.supabase_url}/auth/v1"

    @property
    def jwks_url(self) -> str | None:
        return self.issuer and f"{self.issuer}/.well-known/jwks.json"


_TABLE: dict[str, Setting] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(Settings, include_extras=True).items()
    if hasattr(hint, "__metadata__")
}
SETTINGS: tuple[Setting, ...] = tuple(_TABLE.values())
