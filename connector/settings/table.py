"""The table of settings: each field of `Settings` with its name, its parser and its description.

The README and `.env.example` are compared with it. The environment takes precedence over `.env`, even
with an empty value; a setting with an empty value is unset. A default may contain the value of an earlier
setting. The fields of the last base class come first, and the fields of `Settings` itself come last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import SecretStr

from connector.encryption import EncryptionKey

from . import parsers
from .access_settings import AccessSettings
from .address_settings import AddressSettings
from .cross_checks import conflicts, missing_settings, unencrypted_urls
from .event_settings import EventSettings
from .problems import InvalidSettings, Problem
from .sources import Setting, SettingsSource
from .tiktok_settings import TikTokSettings


@dataclass(frozen=True, kw_only=True)
class Settings(EventSettings, AccessSettings, TikTokSettings, AddressSettings):
    redirect_uris: Annotated[
        tuple[str, ...],
        Setting(
            "TIKTOK_REDIRECT_URI",
            parsers.comma_separated(parsers.redirect_uri),
            "The redirect URIs registered with TikTok, comma-separated; the first is the default.",
            default="{CONNECTOR_PUBLIC_URL}/oauth/callback",
        ),
    ]
    supabase_url: Annotated[
        str | None,
        Setting("SUPABASE_URL", parsers.base_url, "Your Supabase project; without it: SQLite."),
    ]
    supabase_service_role_key: Annotated[
        SecretStr | None,
        Setting(
            "SUPABASE_SERVICE_ROLE_KEY",
            parsers.service_role_key,
            "The project's service_role (or secret) key.",
            secret=True,
        ),
    ]
    supabase_jwt_secret: Annotated[
        SecretStr | None,
        Setting(
            "SUPABASE_JWT_SECRET",
            parsers.jwt_secret,
            "Verifies users' tokens signed with HS256; others are verified by the project's JWKS.",
            secret=True,
        ),
    ]
    supabase_jwt_issuer: Annotated[
        str | None,
        Setting(
            "SUPABASE_JWT_ISSUER",
            parsers.page_url,
            "The iss of the project's tokens, if it is not SUPABASE_URL/auth/v1.",
        ),
    ]
    supabase_db_url: Annotated[
        SecretStr | None,
        Setting(
            "SUPABASE_DB_URL",
            parsers.database_url,
            "The project's Postgres, called directly, which is faster; needs the postgres extra.",
            secret=True,
        ),
    ]
    database: Annotated[
        Path,
        Setting(
            "CONNECTOR_DATABASE",
            parsers.path,
            "The SQLite file, used if no Supabase project is set.",
            default="connector.db",
        ),
    ]
    journal: Annotated[
        Path,
        Setting(
            "CONNECTOR_JOURNAL",
            parsers.path,
            "The folder, on a local disk, that holds TikTok's responses until the database has them.",
            default="connector.journal",
        ),
    ]
    encryption_keys: Annotated[
        tuple[EncryptionKey, ...],
        Setting(
            "CONNECTOR_ENCRYPTION_KEYS",
            parsers.encryption_keys,
            "id:base64, comma-separated; the first encrypts, all of them decrypt. Required with "
            "Supabase; on SQLite a key is created beside the file.",
            default="",
            secret=True,
        ),
    ]
    return_access_token: Annotated[
        bool,
        Setting(
            "CONNECTOR_RETURN_ACCESS_TOKEN",
            parsers.boolean,
            "Include access_token in the response of the exchange.",
            default="false",
        ),
    ]
    user_accounts_token: Annotated[
        Literal["encrypted", "plain", "none"],
        Setting(
            "CONNECTOR_USER_ACCOUNTS_TOKEN",
            parsers.one_of("encrypted", "plain", "none"),
            "The content of user_accounts.tiktok_access_token: encrypted, plain or none.",
            default="encrypted",
        ),
    ]
    probe_every: Annotated[
        timedelta,
        Setting(
            "CONNECTOR_PROBE_MINUTES",
            parsers.minutes(maximum=7 * 24 * 60),
            "How often a token without expiry is checked, in minutes.",
            default="360",
        ),
    ]
    state_max_age: Annotated[
        timedelta,
        Setting(
            "CONNECTOR_STATE_MINUTES",
            # A used code and its state are stored for 24 hours.
            parsers.minutes(maximum=23 * 60),
            "The maximum age of a state, in minutes, at most 1,380. TikTok's code is valid for one hour; "
            "for TikTok Accounts, 10 minutes.",
            default="60",
        ),
    ]
    log_level: Annotated[
        str,
        Setting(
            "CONNECTOR_LOG_LEVEL",
            parsers.one_of("debug", "info", "warning", "error"),
            "The lowest level that is logged: debug, info, warning or error.",
            default="info",
        ),
    ]
    log_format: Annotated[
        str,
        Setting(
            "CONNECTOR_LOG_FORMAT",
            parsers.one_of("text", "json"),
            "The format of the log: text or json.",
            default="text",
        ),
    ]
    warnings: tuple[Problem, ...] = ()

    @classmethod
    def read(cls, environ: Mapping[str, str], *, dotenv: Path | None = Path(".env")) -> Settings:
        source = SettingsSource(SETTINGS, environ, dotenv)
        fields: dict[str, Any] = {
            field: source.value(setting) for field, setting in _SETTINGS_BY_FIELD.items()
        }
        by_name = {setting.name: fields[field] for field, setting in _SETTINGS_BY_FIELD.items()}
        problems = [*source.problems, *missing_settings(source.is_set), *conflicts(by_name)]
        warnings = (*source.unknown_names(), *unencrypted_urls(by_name))
        if problems:
            raise InvalidSettings(problems, warnings)
        return cls(**fields, warnings=warnings)

    @property
    def issuer(self) -> str | None:
        """The required `iss` of the tokens of the Supabase project."""
        return self.supabase_jwt_issuer or self._supabase_auth_url

    @property
    def jwks_url(self) -> str | None:
        return self._supabase_auth_url and f"{self._supabase_auth_url}/.well-known/jwks.json"

    @property
    def _supabase_auth_url(self) -> str | None:
        return self.supabase_url and f"{self.supabase_url}/auth/v1"


_SETTINGS_BY_FIELD: dict[str, Setting] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(Settings, include_extras=True).items()
    if hasattr(hint, "__metadata__")
}
SETTINGS: tuple[Setting, ...] = tuple(_SETTINGS_BY_FIELD.values())
