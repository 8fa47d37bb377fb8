"""From the text of a setting to its value, or a sentence about what is wrong with it.

No sentence repeats what was written: what stands in the wrong place is, often enough, a secret. In
a list the entry is named by its number instead.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from connector.seal import BadKey, Key

T = TypeVar("T")
Parse = Callable[[str], T]

SHORTEST_API_KEY = 16
SHORTEST_JWT_SECRET = 32
WORDS = {"true": True, "1": True, "yes": True, "on": True}
WORDS |= {"false": False, "0": False, "no": False, "off": False}


class Wrong(Exception):
    def __init__(self, sentence: str, remedy: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.remedy = remedy


def opaque(text: str) -> str:
    if any(c.isspace() or not c.isprintable() for c in text):
        raise Wrong("It contains a space or a line break.", "Copy it again, as one line.")
    return text


def secret(text: str) -> SecretStr:
    return SecretStr(opaque(text))


def listed(parse: Parse[T]) -> Parse[tuple[T, ...]]:
    """Entries between commas; every bad one is told of, not only the first."""

    def parse_all(text: str) -> tuple[T, ...]:
        entries = list(filter(None, map(str.strip, text.split(","))))
        if text and not entries:
            raise Wrong("It holds commas and nothing else.", "Write the entries, or leave it out.")
        values: list[T] = []
        wrongs: list[tuple[int, Wrong]] = []
        for number, entry in enumerate(entries, start=1):
            try:
                values.append(parse(entry))
            except Wrong as wrong:
                wrongs.append((number, wrong))
        if wrongs:
            raise Wrong(
                " ".join(f"Entry {number}: {wrong.sentence}" for number, wrong in wrongs),
                " ".join(dict.fromkeys(wrong.remedy for _, wrong in wrongs)),
            )
        return tuple(values)

    return parse_all


def boolean(text: str) -> bool:
    if text.lower() not in WORDS:
        raise Wrong("It is neither true nor false.", "Write true or false.")
    return WORDS[text.lower()]


def one_of(*words: str) -> Parse[str]:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise Wrong("It is not a word known here.", f"Write one of {', '.join(words)}.")
        return text.lower()

    return parse


def port(text: str) -> int:
    if text.startswith("tcp://"):
        raise Wrong(
            "It is an address Kubernetes put there for a service called connector.",
            "Set enableServiceLinks: false on the pod, or call the service something else.",
        )
    return _whole_number(text, least=1, most=65535)


def minutes(*, most: int) -> Parse[timedelta]:
    return lambda text: timedelta(minutes=_whole_number(text, least=1, most=most))


def path(text: str) -> Path:
    if "\0" in text:
        raise Wrong("It is not a file name.", "Write a path.")
    return Path(text).expanduser()


def origin_url(text: str) -> str:
    """An API's host. A path is refused: every address below it is TikTok's to name."""
    parts = _split(text, example="https://open.tiktokapis.com")
    if parts.path.strip("/"):
        raise Wrong("It has a path.", "Write the host alone, for example https://example.com.")
    return text.rstrip("/")


def base_url(text: str) -> str:
    return page_url(text).rstrip("/")


def page_url(text: str) -> str:
    _split(text, example="https://connect.example.com")
    return text


def redirect_uri(text: str) -> str:
    """Kept byte for byte: TikTok compares it so. A query of its own is allowed."""
    _address(text, example="https://app.example.com/callback")
    if "*" in text:
        raise Wrong("It holds a *.", "Write every address out: they are compared exactly.")
    return text


def allowed_origin(text: str) -> str:
    """As a browser sends it: lower case, and no port where it is the usual one."""
    if "*" in text:
        raise Wrong(
            "* would let any website act for a person who is signed in.",
            "Write each origin out, for example https://app.example.com.",
        )
    parts = _split(text, example="https://app.example.com")
    if parts.path:
        raise Wrong(
            "It has a path or a slash at its end.", "Write scheme://host[:port] and no more."
        )
    if not text.isascii():
        raise Wrong("It is not written in ASCII.", "Write the host as browsers send it: xn--….")
    usual = {"http": 80, "https": 443}[parts.scheme]
    origin = f"{parts.scheme}://{parts.netloc.lower()}"
    return origin.removesuffix(f":{usual}")


def api_key(text: str) -> SecretStr:
    if len(text) < SHORTEST_API_KEY:
        raise Wrong(
            f"It is shorter than {SHORTEST_API_KEY} characters, so it can be guessed.",
            "Make one with: openssl rand -hex 32",
        )
    return secret(text)


def jwt_secret(text: str) -> SecretStr:
    if len(text) < SHORTEST_JWT_SECRET:
        raise Wrong(
            f"It is shorter than {SHORTEST_JWT_SECRET} characters, which no project's secret is.",
            "Copy the JWT secret from Supabase: Project Settings, JWT Keys.",
        )
    return secret(text)


def service_role_key(text: str) -> SecretStr:
    """The two keys stand side by side in Supabase's settings; the other one fails only later."""
    if text.startswith("sb_publishable_") or _role(text) == "anon":
        raise Wrong(
            "It is the project's public key, which may not do what the connector does.",
            "Copy the service_role (or secret) key from Supabase: Project Settings, API Keys.",
        )
    return secret(text)


def database_url(text: str) -> SecretStr:
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("postgres", "postgresql") and parts.hostname
    except ValueError:
        known = None
    if not known:
        raise Wrong(
            "It is not a Postgres URL.",
            "Copy the connection string from Supabase: Connect. It starts with postgresql://.",
        )
    return secret(text)


def encryption_keys(text: str) -> tuple[Key, ...]:
    keys = listed(_encryption_key)(text)
    if len({key.id for key in keys}) != len(keys):
        raise Wrong("Two keys have the same id.", "Give each key an id of its own.")
    return keys


def _encryption_key(text: str) -> Key:
    try:
        return Key.parse(text)
    except BadKey:
        raise Wrong(
            "It is not id:base64 of 32 bytes.", "`connector keys new` prints a fresh key."
        ) from None


def _whole_number(text: str, *, least: int, most: int) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
    if number is None or not least <= number <= most:
        raise Wrong(
            f"It is not a whole number from {least} to {most}.",
            f"Write a number from {least} to {most}.",
        )
    return number


def _split(text: str, *, example: str) -> SplitResult:
    if "?" in text:
        raise Wrong("It has a query.", "Take out the ? and what follows: we add what is needed.")
    return _address(text, example=example)


def _address(text: str, *, example: str) -> SplitResult:
    try:
        parts = urlsplit(opaque(text))
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        whole = whole and not parts.netloc.endswith(":")
    except ValueError:
        whole = None
    if not whole:
        raise Wrong("It is not a whole http or https address.", f"Write it like {example}.")
    if "@" in parts.netloc:
        raise Wrong("It holds a user name or password.", "Take out everything up to the @.")
    if "#" in text:
        raise Wrong("It has a fragment.", "Take out the # and what follows.")
    return parts


def _role(key: str) -> object:
    try:
        body = key.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError):
        return None
    return claims.get("role") if isinstance(claims, dict) else None
