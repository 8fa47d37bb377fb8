"""What a setting that reads well may still get wrong: TikTok's rules, and what people forget.

TikTok's shapes are held against credentials only where the credentials go to TikTok. A problem
never repeats a value that may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from connector.settings import Problem, Settings

MOST_REDIRECT_URIS = 10
LONGEST_REDIRECT_URI = 512
SHORTEST_SECRET = 16
PLACEHOLDER = re.compile(
    r"^[<\[{(]|\byour\b|^your|_here$|change[-_ ]?me|placeholder|example|^x{3,}$|^(todo|secret|test|"
    r"app[-_]?id|app[-_]?secret|client[-_]?(key|id|secret))$",
    re.IGNORECASE,
)
BUSINESS = "https://business-api.tiktok.com/portal under My Apps"
DEVELOPERS = "https://developers.tiktok.com under Manage apps"


def problems(settings: Settings) -> list[Problem]:
    return [*_placeholders(settings), *_shapes(settings), *_redirect_uris(settings)]


def warnings(settings: Settings) -> list[Problem]:
    return [
        *_local_redirects(settings),
        *_public_url(settings),
        *_origins(settings),
        *_keys(settings),
    ]


# Credentials.


def _placeholders(settings: Settings) -> Iterator[Problem]:
    given: tuple[tuple[str, str | SecretStr | None, str], ...] = (
        ("TIKTOK_APP_ID", settings.app_id, BUSINESS),
        ("TIKTOK_APP_SECRET", settings.app_secret, BUSINESS),
        ("TIKTOK_CLIENT_KEY", settings.client_key, DEVELOPERS),
        ("TIKTOK_CLIENT_SECRET", settings.client_secret, DEVELOPERS),
        ("SUPABASE_SERVICE_ROLE_KEY", settings.supabase_service_role_key, "Supabase, API Keys"),
    )
    for name, value, where in given:
        if value is not None and PLACEHOLDER.search(_plain(value)):
            yield Problem(name, "It is a placeholder.", f"Copy the true one from {where}.")
    if any(PLACEHOLDER.search(_plain(key)) for key in settings.api_keys):
        yield Problem(
            "CONNECTOR_API_KEYS", "One is a placeholder.", "Make one with: openssl rand -hex 32"
        )


def _shapes(settings: Settings) -> Iterator[Problem]:
    if _is_tiktok(settings.business_api_url) and settings.app_id and settings.app_secret:
        if not settings.app_id.isdigit():
            yield Problem(
                "TIKTOK_APP_ID", "It is not a number, as TikTok's are.", f"Copy it from {BUSINESS}."
            )
        yield from _short("TIKTOK_APP_SECRET", settings.app_secret, BUSINESS)
    if _is_tiktok(settings.open_api_url) and settings.client_key and settings.client_secret:
        if settings.client_key.isdigit():
            yield Problem(
                "TIKTOK_CLIENT_KEY",
                "It is a number: that is the app's id, not its client key.",
                f"Copy the client key from {DEVELOPERS}.",
            )
        yield from _short("TIKTOK_CLIENT_SECRET", settings.client_secret, DEVELOPERS)


def _short(name: str, value: SecretStr, where: str) -> Iterator[Problem]:
    if len(_plain(value)) < SHORTEST_SECRET:
        yield Problem(name, "It is shorter than any of TikTok's.", f"Copy all of it from {where}.")


def _is_tiktok(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host.endswith((".tiktok.com", ".tiktokapis.com"))


def _plain(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


# Addresses.


def _redirect_uris(settings: Settings) -> Iterator[Problem]:
    name, uris = "TIKTOK_REDIRECT_URI", settings.redirect_uris
    if len(uris) > MOST_REDIRECT_URIS:
        yield Problem(
            name,
            f"TikTok takes {MOST_REDIRECT_URIS} for one app, not {len(uris)}.",
            "Take some out.",
        )
    for uri in uris:
        parts = urlsplit(uri)
        if parts.scheme == "http" and not _is_local(parts):
            yield Problem(name, f"{uri} is not https, which TikTok requires.", "Write https.")
        if len(uri) > LONGEST_REDIRECT_URI:
            yield Problem(
                name,
                f"{uri[:40]}… is longer than {LONGEST_REDIRECT_URI} characters.",
                "Shorten it.",
            )
        if settings.app_id is None and settings.client_key and parts.query:
            yield Problem(
                name,
                f"{uri} has a query, which TikTok's login_kit does not take.",
                "Register one without, and pass return_to instead.",
            )


def _local_redirects(settings: Settings) -> Iterator[Problem]:
    name = "TIKTOK_REDIRECT_URI"
    for uri in settings.redirect_uris:
        parts = urlsplit(uri)
        if _is_local(parts) and _is_tiktok(settings.business_api_url):
            yield Problem(
                name,
                f"{uri} leads to this machine: fine for trying marketing out, but TikTok takes no "
                "localhost for accounts and login_kit on the web.",
                "For those, use an https address that reaches here, for example through a tunnel.",
            )
        elif not _is_local(parts) and settings.app_id and (parts.port or parts.query):
            yield Problem(
                name,
                f"{uri} has a port or a query: for accounts, TikTok takes neither.",
                "Register one without.",
            )


def _public_url(settings: Settings) -> Iterator[Problem]:
    name, public = "CONNECTOR_PUBLIC_URL", urlsplit(settings.public_url)
    if public.scheme == "http" and not _is_local(public):
        yield Problem(
            name, "Connect links hold a ticket, and it would travel unencrypted.", "Write https."
        )
    if _is_local(public) and not all(_is_local(urlsplit(u)) for u in settings.redirect_uris):
        yield Problem(
            name,
            "Connect links lead to this machine, while TIKTOK_REDIRECT_URI leads elsewhere.",
            "Set it to the address at which people reach the service.",
        )


def _origins(settings: Settings) -> Iterator[Problem]:
    """The page at a redirect address posts the code to us: a browser asks whether it may."""
    name = "CONNECTOR_ALLOWED_ORIGINS"
    ours = _origin(settings.public_url)
    for origin in dict.fromkeys(map(_origin, settings.redirect_uris)):
        if origin != ours and origin not in settings.allowed_origins:
            yield Problem(
                name,
                f"TikTok sends people to {origin}, whose page may not call the service from a "
                "browser.",
                f"Add {origin}, unless it is your server that posts the code.",
            )
    for origin in settings.allowed_origins:
        if origin.startswith("http:") and not _is_local(urlsplit(origin)):
            yield Problem(name, f"Anybody on the way can speak for {origin}.", "Write https.")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.lower()}".removesuffix(f":{usual}")


def _is_local(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


# Who may ask.


def _keys(settings: Settings) -> Iterator[Problem]:
    if not settings.api_keys:
        yield Problem(
            "CONNECTOR_API_KEYS",
            "None is set, so no server of yours can ask for a token.",
            "Make one with: openssl rand -hex 32",
        )
    if settings.accept_unsigned_state:
        yield Problem(
            "CONNECTOR_ACCEPT_UNSIGNED_STATE",
            "Anybody can connect an account of theirs to any user whose id they know.",
            "Get the state from POST /oauth/start, then turn it off.",
        )
