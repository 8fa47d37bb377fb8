"""Parses the text of a setting to its value, or raises `InvalidValue` with the problem and a remedy.

No message repeats the text, because a text in the wrong place is often a secret. In a list the message
names the number of the entry instead.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import SecretStr

from connector.encryption import EncryptionKey, InvalidKey
from connector.origins import origin_of

T = TypeVar("T")
Parse = Callable[[str], T]

MIN_JWT_SECRET_LENGTH = 32
BOOLEAN_WORDS = {"true": True, "1": True, "yes": True, "on": True}
BOOLEAN_WORDS |= {"false": False, "0": False, "no": False, "off": False}


class InvalidValue(Exception):
    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def single_word(text: str) -> str:
    if any(char.isspace() or not char.isprintable() for char in text):
        raise InvalidValue(
            "The value contains a space or a line break.", "Copy the value again, as one line."
        )
    return text


def secret(text: str) -> SecretStr:
    return SecretStr(single_word(text))


def comma_separated(parse: Parse[T]) -> Parse[tuple[T, ...]]:
    """Reports every invalid entry, not only the first."""

    def parse_all(text: str) -> tuple[T, ...]:
        entries = list(filter(None, map(str.strip, text.split(","))))
        if text and not entries:
            raise InvalidValue(
                "The value consists of commas only.", "Write the entries, or leave it empty."
            )
        values: list[T] = []
        errors: dict[int, InvalidValue] = {}
        for number, entry in enumerate(entries, start=1):
            try:
                values.append(parse(entry))
            except InvalidValue as error:
                errors[number] = error
        if errors:
            raise InvalidValue(
                " ".join(f"Entry {number}: {error.message}" for number, error in errors.items()),
                " ".join(dict.fromkeys(error.remedy for error in errors.values())),
            )
        return tuple(values)

    return parse_all


def boolean(text: str) -> bool:
    if text.lower() not in BOOLEAN_WORDS:
        raise InvalidValue("The value is neither true nor false.", "Write true or false.")
    return BOOLEAN_WORDS[text.lower()]


def one_of(*words: str) -> Parse[str]:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise InvalidValue("The value is unknown.", f"Write one of {', '.join(words)}.")
        return text.lower()

    return parse


def port(text: str) -> int:
    if text.startswith("tcp://"):
        raise InvalidValue(
            "The value is an address that Kubernetes sets for a service named connector.",
            "Set enableServiceLinks: false on the pod, or rename the service.",
        )
    return _whole_number(text, minimum=1, maximum=65535)


def minutes(*, maximum: int) -> Parse[timedelta]:
    return lambda text: timedelta(minutes=_whole_number(text, minimum=1, maximum=maximum))


def path(text: str) -> Path:
    if "\0" in text:
        raise InvalidValue("The value is not a path.", "Write a path.")
    return Path(text).expanduser()


def origin_url(text: str) -> str:
    """The host of an API. A path is refused because the service adds the path of each endpoint."""
    parts = parse_url_without_query(text, example="https://open.tiktokapis.com")
    if parts.path.strip("/"):
        raise InvalidValue("The URL has a path.", "Write the host only: https://example.com.")
    return text.rstrip("/")


def base_url(text: str) -> str:
    return page_url(text).rstrip("/")


def page_url(text: str) -> str:
    parse_url_without_query(text, example="https://connect.example.com")
    return text


def proxy_url(text: str) -> SecretStr:
    try:
        parts = urlsplit(single_word(text))
        is_proxy = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        is_proxy = is_proxy and not parts.netloc.endswith(":")
        is_proxy = is_proxy and not (parts.path.strip("/") or "?" in text or "#" in text)
    except ValueError:
        is_proxy = False
    if not is_proxy:
        raise InvalidValue(
            "The value is not the URL of an HTTP proxy, without a path.",
            "Write a URL such as http://user:password@proxy.example.com:3128, and percent-encode "
            "special characters of the password.",
        )
    if ":" in unquote(parts.username or ""):
        raise InvalidValue("The user name contains a colon.", "Use a user name without a colon.")
    return secret(text)


def redirect_uri(text: str) -> str:
    """Stored byte for byte, because TikTok compares the bytes. A query is allowed."""
    parse_url(text, example="https://app.example.com/callback")
    if "*" in text:
        raise InvalidValue(
            "The URL contains a *.", "Write every URL in full: TikTok compares them exactly."
        )
    return text


def allowed_origin(text: str) -> str:
    """Returns the origin as a browser sends it: in lower case, without the scheme's default port."""
    if "*" in text:
        raise InvalidValue(
            "* would let any website act for a person who is signed in.",
            "List each origin, for example https://app.example.com.",
        )
    parts = parse_url_without_query(text, example="https://app.example.com")
    if parts.path:
        raise InvalidValue(
            "The origin has a path or a slash at its end.", "Write scheme://host[:port] only."
        )
    if not text.isascii():
        raise InvalidValue("The host is not in ASCII.", "Write the host as browsers do: xn--….")
    origin = origin_of(text)
    assert origin is not None  # noqa: S101
    return origin


def jwt_secret(text: str) -> SecretStr:
    if len(text) < MIN_JWT_SECRET_LENGTH:
        raise InvalidValue(
            f"The value is shorter than {MIN_JWT_SECRET_LENGTH} characters, so it cannot be a "
            "project's JWT secret.",
            "Copy the JWT secret from Supabase: Project Settings, JWT Keys.",
        )
    return secret(text)


def service_role_key(text: str) -> SecretStr:
    """Refuses the public key, which Supabase shows next to this key: every call would fail with it."""
    if text.startswith("sb_publishable_") or _role(text) == "anon":
        raise InvalidValue(
            "The value is the project's public key, which lacks the rights the connector needs.",
            "Copy the service_role (or secret) key from Supabase: Project Settings, API Keys.",
        )
    return secret(text)


def database_url(text: str) -> SecretStr:
    try:
        parts = urlsplit(text)
        is_postgres = parts.scheme in ("postgres", "postgresql") and bool(parts.hostname)
    except ValueError:
        is_postgres = False
    if not is_postgres:
        raise InvalidValue(
            "The value is not a Postgres URL.",
            "Copy the connection string from Supabase: Connect. It starts with postgresql://.",
        )
    return secret(text)


def encryption_keys(text: str) -> tuple[EncryptionKey, ...]:
    keys = comma_separated(_encryption_key)(text)
    if len({key.id for key in keys}) != len(keys):
        raise InvalidValue("Two keys have the same id.", "Give each key its own id.")
    return keys


def _encryption_key(text: str) -> EncryptionKey:
    try:
        return EncryptionKey.parse(text)
    except InvalidKey:
        raise InvalidValue(
            "The key is not id:base64 of 32 bytes.", "`connector keys new` prints a new key."
        ) from None


def _whole_number(text: str, *, minimum: int, maximum: int) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
    if number is None or not minimum <= number <= maximum:
        raise InvalidValue(
            f"The value is not a whole number from {minimum} to {maximum}.",
            f"Write a number from {minimum} to {maximum}.",
        )
    return number


def parse_url_without_query(text: str, *, example: str) -> SplitResult:
    if "?" in text:
        raise InvalidValue(
            "The URL has a query.",
            "Remove the ? and everything after it: the connector adds its own parameters.",
        )
    return parse_url(text, example=example)


def parse_url(text: str, *, example: str) -> SplitResult:
    try:
        parts = urlsplit(single_word(text))
        is_complete = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        is_complete = is_complete and not parts.netloc.endswith(":")
    except ValueError:
        is_complete = False
    if not is_complete:
        raise InvalidValue(
            "The value is not a complete http or https URL.", f"Write a URL such as {example}."
        )
    if "@" in parts.netloc:
        raise InvalidValue(
            "The URL contains a user name or a password.", "Remove everything up to the @."
        )
    if "#" in text:
        raise InvalidValue("The URL has a fragment.", "Remove the # and everything after it.")
    return parts


def _role(key: str) -> object:
    try:
        body = key.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError):
        return None
    return claims.get("role") if isinstance(claims, dict) else None
