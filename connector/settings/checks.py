"""What no setting shows by itself: those that go together, and those that should not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from .problems import Problem

APPS = (
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
SUPABASE, SERVICE_KEY, POSTGRES = "SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_DB_URL"
CARRIES_SECRETS = ("TIKTOK_BUSINESS_API_URL", "TIKTOK_OPEN_API_URL", SUPABASE)


def missing(given: Callable[[str], bool]) -> Iterator[Problem]:
    needs = [*APPS, *((secret, app) for app, secret in APPS), (SERVICE_KEY, SUPABASE)]
    if not given(POSTGRES):
        needs.append((SUPABASE, SERVICE_KEY))
    for one, other in needs:
        if given(one) and not given(other):
            yield Problem(other, f"It is needed, since {one} is set.", "Set both or neither.")
    if not any(given(name) for pair in APPS for name in pair):
        yield NO_APP
    stores = [name for name in (SUPABASE, POSTGRES) if given(name)]
    if stores and not given("CONNECTOR_ENCRYPTION_KEYS"):
        yield Problem(
            "CONNECTOR_ENCRYPTION_KEYS",
            f"It is needed, since {stores[0]} is set: all who share that store need the same keys.",
            "Set it to what `connector keys new` prints.",
        )


def clashes(values: Mapping[str, object]) -> Iterator[Problem]:
    if values["CONNECTOR_JOURNAL"] == values["CONNECTOR_DATABASE"]:
        yield Problem(
            "CONNECTOR_JOURNAL", "It is the same file as CONNECTOR_DATABASE.", "Name another file."
        )


def in_the_clear(values: Mapping[str, object]) -> Iterator[Problem]:
    """Plain http is for the machine itself and for names that only a private network knows."""
    for name in CARRIES_SECRETS:
        parts = urlsplit(str(values[name]))
        if parts.scheme == "http" and _is_public(parts.hostname or ""):
            yield Problem(name, "Secrets would travel unencrypted.", "Write https.")


def _is_public(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".internal", ".localhost"))
