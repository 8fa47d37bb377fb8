"""Checks that concern more than one setting, or more than the form of a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from pydantic import SecretStr

from connector.origins import is_public_host
from connector.store import weak_ssl_mode

from .problems import Problem

CREDENTIAL_PAIRS = (
    ("TIKTOK_APP_ID", "TIKTOK_APP_SECRET"),
    ("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET"),
)
NO_APP = Problem(
    "TIKTOK_APP_ID",
    "No TikTok app is set, so nothing can be connected.",
    "Set TIKTOK_APP_ID and TIKTOK_APP_SECRET, found at https://business-api.tiktok.com/portal under "
    "My Apps, or TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET, found at https://developers.tiktok.com "
    "under Manage apps.",
)
WEBHOOK_URL, WEBHOOK_SECRET = "CONNECTOR_WEBHOOK_URL", "CONNECTOR_WEBHOOK_SECRET"
SUPABASE, SERVICE_KEY, POSTGRES = "SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_DB_URL"
SECRET_BEARING_URLS = ("TIKTOK_BUSINESS_API_URL", "TIKTOK_OPEN_API_URL", SUPABASE)


def missing_settings(is_set: Callable[[str], bool]) -> Iterator[Problem]:
    requirements = [
        *CREDENTIAL_PAIRS,
        *((secret, id) for id, secret in CREDENTIAL_PAIRS),
        (SERVICE_KEY, SUPABASE),
        (WEBHOOK_URL, WEBHOOK_SECRET),
        (WEBHOOK_SECRET, WEBHOOK_URL),
    ]
    if not is_set(POSTGRES):
        requirements.append((SUPABASE, SERVICE_KEY))
    for name, required in requirements:
        if is_set(name) and not is_set(required):
            yield Problem(required, f"Required because {name} is set.", "Set both or neither.")
    if not any(is_set(name) for pair in CREDENTIAL_PAIRS for name in pair):
        yield NO_APP
    databases = [name for name in (SUPABASE, POSTGRES) if is_set(name)]
    if databases and not is_set("CONNECTOR_ENCRYPTION_KEYS"):
        yield Problem(
            "CONNECTOR_ENCRYPTION_KEYS",
            f"Required because {databases[0]} is set: all processes on one database need the same "
            "keys.",
            "Copy the output of `connector keys new`.",
        )


def conflicts(values: Mapping[str, object]) -> Iterator[Problem]:
    if values["CONNECTOR_JOURNAL"] == values["CONNECTOR_DATABASE"]:
        yield Problem(
            "CONNECTOR_JOURNAL",
            "The path is the same as that of CONNECTOR_DATABASE.",
            "Choose another folder.",
        )
    address = values[POSTGRES]
    if isinstance(address, SecretStr) and (mode := weak_ssl_mode(address.get_secret_value())):
        yield Problem(
            POSTGRES,
            f"sslmode={mode} may send the password unencrypted to a host on the internet.",
            "Use sslmode=verify-full with the project's CA certificate in sslrootcert, or at least "
            "sslmode=require, which is the default.",
        )
    issuers = values["CONNECTOR_JWT_ISSUERS"] or ()
    supabase_issuers = (values["SUPABASE_JWT_ISSUER"], f"{values[SUPABASE]}/auth/v1")
    assert isinstance(issuers, tuple)  # noqa: S101
    if any(entry.issuer in supabase_issuers for entry in issuers):
        yield Problem(
            "CONNECTOR_JWT_ISSUERS",
            "One entry is the Supabase project, whose tokens are accepted already.",
            "Remove the entry.",
        )


def unencrypted_urls(values: Mapping[str, object]) -> Iterator[Problem]:
    """Plain http is accepted for this machine and for names of a private network."""
    for name in SECRET_BEARING_URLS:
        parts = urlsplit(str(values[name]))
        if parts.scheme == "http" and is_public_host(parts.hostname or ""):
            yield Problem(name, "Secrets would be sent unencrypted.", "Use https.")
