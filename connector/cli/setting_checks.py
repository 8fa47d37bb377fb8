"""Checks of settings that are valid by themselves: TikTok's rules, and common mistakes.

The form of credentials is checked only if they go to TikTok itself, not to a simulator. A problem never
repeats a value that may be a secret.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from connector.identity import CREATE_API_KEY
from connector.origins import is_loopback, origin_of
from connector.settings import Problem, Settings

MAX_REDIRECT_URIS = 10
MAX_REDIRECT_URI_LENGTH = 512
MIN_SECRET_LENGTH = 16
EXAMPLE_VALUE = re.compile(
    r"^[<\[{(]|\byour\b|^your|_here$|change[-_ ]?me|placeholder|example|^x{3,}$|^(todo|secret|test|"
    r"app[-_]?id|app[-_]?secret|client[-_]?(key|id|secret))$",
    re.IGNORECASE,
)
BUSINESS_PORTAL = "https://business-api.tiktok.com/portal under My Apps"
DEVELOPER_PORTAL = "https://developers.tiktok.com under Manage apps"


def setting_errors(settings: Settings) -> list[Problem]:
    return [
        *_example_values(settings),
        *_malformed_credentials(settings),
        *_redirect_uris(settings),
    ]


def setting_warnings(settings: Settings) -> list[Problem]:
    return [
        *_unregistrable_redirects(settings),
        *_public_url(settings),
        *_allowed_origins(settings),
        *_access(settings),
        *weakened_protection(settings),
    ]


# Credentials.


def _example_values(settings: Settings) -> Iterator[Problem]:
    credentials: tuple[tuple[str, str | SecretStr | None, str], ...] = (
        ("TIKTOK_APP_ID", settings.app_id, BUSINESS_PORTAL),
        ("TIKTOK_APP_SECRET", settings.app_secret, BUSINESS_PORTAL),
        ("TIKTOK_CLIENT_KEY", settings.client_key, DEVELOPER_PORTAL),
        ("TIKTOK_CLIENT_SECRET", settings.client_secret, DEVELOPER_PORTAL),
        ("SUPABASE_SERVICE_ROLE_KEY", settings.supabase_service_role_key, "Supabase, API Keys"),
    )
    for name, value, source in credentials:
        if value is not None and EXAMPLE_VALUE.search(_plain_text(value)):
            yield Problem(name, "The value is an example.", f"Copy the real value from {source}.")
    for key in settings.api_keys:
        if key.secret is not None and EXAMPLE_VALUE.search(_plain_text(key.secret)):
            yield Problem(
                "CONNECTOR_API_KEYS", f"The key {key.name} is an example.", CREATE_API_KEY
            )


def _malformed_credentials(settings: Settings) -> Iterator[Problem]:
    if is_tiktok(settings.business_api_url) and settings.app_id and settings.app_secret:
        if not settings.app_id.isdigit():
            yield Problem(
                "TIKTOK_APP_ID",
                "The value is not a number, but TikTok's app ids are numbers.",
                f"Copy the app id from {BUSINESS_PORTAL}.",
            )
        yield from _too_short("TIKTOK_APP_SECRET", settings.app_secret, BUSINESS_PORTAL)
    if is_tiktok(settings.open_api_url) and settings.client_key and settings.client_secret:
        if settings.client_key.isdigit():
            yield Problem(
                "TIKTOK_CLIENT_KEY",
                "The value is a number, so it is the app's id and not its client key.",
                f"Copy the client key from {DEVELOPER_PORTAL}.",
            )
        yield from _too_short("TIKTOK_CLIENT_SECRET", settings.client_secret, DEVELOPER_PORTAL)


def _too_short(name: str, value: SecretStr, source: str) -> Iterator[Problem]:
    if len(_plain_text(value)) < MIN_SECRET_LENGTH:
        yield Problem(
            name,
            "The value is shorter than TikTok's secrets.",
            f"Copy the complete secret from {source}.",
        )


def is_tiktok(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host.endswith((".tiktok.com", ".tiktokapis.com"))


def _plain_text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


# URLs.


def _redirect_uris(settings: Settings) -> Iterator[Problem]:
    name, uris = "TIKTOK_REDIRECT_URI", settings.redirect_uris
    if len(uris) > MAX_REDIRECT_URIS:
        yield Problem(
            name,
            f"TikTok allows {MAX_REDIRECT_URIS} redirect URIs for one app, not {len(uris)}.",
            "Remove some.",
        )
    for uri in uris:
        parts = urlsplit(uri)
        if parts.scheme == "http" and not is_loopback(uri):
            yield Problem(name, f"{uri} is not https, which TikTok requires.", "Use https.")
        if len(uri) > MAX_REDIRECT_URI_LENGTH:
            yield Problem(
                name,
                f"{uri[:40]}… is longer than {MAX_REDIRECT_URI_LENGTH} characters.",
                "Use a shorter redirect URI.",
            )
        if settings.app_id is None and settings.client_key and parts.query:
            yield Problem(
                name,
                f"{uri} has a query, which TikTok does not allow for login_kit.",
                "Register a redirect URI without a query, and use return_to instead.",
            )


def _unregistrable_redirects(settings: Settings) -> Iterator[Problem]:
    """Reports redirect URIs that TikTok accepts for one family but not for another."""
    name = "TIKTOK_REDIRECT_URI"
    for uri in settings.redirect_uris:
        parts = urlsplit(uri)
        if is_loopback(uri) and is_tiktok(settings.business_api_url):
            yield Problem(
                name,
                f"{uri} leads to this machine. TikTok allows localhost for marketing, but not for "
                "accounts and login_kit on the web.",
                "For those families, use an https URL that leads here, for example through a tunnel.",
            )
        elif not is_loopback(uri) and settings.app_id and (parts.port or parts.query):
            yield Problem(
                name,
                f"{uri} has a port or a query, and TikTok allows neither for accounts.",
                "Register a redirect URI without a port and a query.",
            )


def _public_url(settings: Settings) -> Iterator[Problem]:
    name, public_url = "CONNECTOR_PUBLIC_URL", settings.public_url
    if urlsplit(public_url).scheme == "http" and not is_loopback(public_url):
        yield Problem(
            name, "Connect links contain a ticket, which would be sent unencrypted.", "Use https."
        )
    if is_loopback(public_url) and not all(map(is_loopback, settings.redirect_uris)):
        yield Problem(
            name,
            "Connect links lead to this machine, but TIKTOK_REDIRECT_URI leads elsewhere.",
            "Set the URL at which people reach the service.",
        )


def _allowed_origins(settings: Settings) -> Iterator[Problem]:
    """The page at the redirect URI posts the code to the service, so a browser checks its origin."""
    name = "CONNECTOR_ALLOWED_ORIGINS"
    own_origin = origin_of(settings.public_url)
    for origin in dict.fromkeys(map(origin_of, settings.redirect_uris)):
        if origin != own_origin and origin not in settings.allowed_origins:
            yield Problem(
                name,
                f"TikTok sends people to {origin}, but browsers do not let pages of that origin "
                "call the service.",
                f"Add {origin}, unless your own server posts the code.",
            )
    for origin in settings.allowed_origins:
        if origin.startswith("http:") and not is_loopback(origin):
            yield Problem(
                name, f"Any machine on the network can impersonate {origin}.", "Use https."
            )


# Access.


def _access(settings: Settings) -> Iterator[Problem]:
    own_origin = origin_of(settings.public_url)
    if not settings.require_user:
        for uri in settings.redirect_uris:
            if origin_of(uri) != own_origin:
                yield Problem(
                    "CONNECTOR_REQUIRE_USER",
                    f"The page {uri} can post a code without the token of the signed-in user, so a link "
                    "from somebody else can connect an account to the wrong user.",
                    "Set it to true, and send the user's token with the exchange.",
                )
    if not settings.api_keys:
        yield Problem(
            "CONNECTOR_API_KEYS",
            "No key is set, so none of your servers can request a token.",
            CREATE_API_KEY,
        )
    for entry in settings.jwt_issuers:
        if entry.audience is None:
            yield Problem(
                "CONNECTOR_JWT_ISSUERS",
                f"{entry.issuer} has no audience, so its tokens for other applications are accepted "
                "too.",
                f"Write {entry.issuer}|audience if the issuer puts an aud into its tokens.",
            )


def weakened_protection(settings: Settings) -> Iterator[Problem]:
    """Reports settings that weaken a protection, so that the next operator sees what was chosen."""
    if settings.accept_unsigned_state:
        yield Problem(
            "CONNECTOR_ACCEPT_UNSIGNED_STATE",
            "Any person who knows a user's id can connect an account to that user.",
            "Get the state from POST /oauth/start, then turn this setting off.",
        )
    if settings.return_access_token:
        yield Problem(
            "CONNECTOR_RETURN_ACCESS_TOKEN",
            "The page that posts a code gets the access token, and so does every script on that page.",
            "Read tokens from your server with GET /connections/{id}/token, then turn this setting off.",
        )
    if settings.user_accounts_token == "plain":  # noqa: S105 - not a password
        yield Problem(
            "CONNECTOR_USER_ACCOUNTS_TOKEN",
            "Every reader of user_accounts, and of a backup of it, gets working access tokens.",
            "Read tokens with GET /connections/{id}/token, then set it to none or encrypted.",
        )


def readable_dotenv(path: Path) -> Iterator[Problem]:
    """The file contains secrets, and other accounts of the machine may read it."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if mode & stat.S_IROTH:
        yield Problem(
            str(path), "Everybody on this machine can read the secrets in it.", f"chmod 600 {path}"
        )
