"""Parses the settings that decide who may call the service. The rules are in `parsers`."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

from connector.identity import ApiKey, InvalidApiKey, JwtIssuer
from connector.origins import is_loopback

from .parsers import InvalidValue, comma_separated, parse_url_without_query, single_word


def network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError:
        raise InvalidValue(
            "The entry is not a network.", "Write networks such as 10.0.0.0/8 or 192.0.2.7."
        ) from None


def api_keys(text: str) -> tuple[ApiKey, ...]:
    keys = comma_separated(_api_key)(text)
    if len({key.name for key in keys}) != len(keys):
        raise InvalidValue("Two keys have the same name.", "Give each key its own name.")
    if len({key.digest for key in keys}) != len(keys):
        raise InvalidValue("Two entries contain the same key.", "Write each key once.")
    return keys


def jwt_issuers(text: str) -> tuple[JwtIssuer, ...]:
    issuers = comma_separated(_jwt_issuer)(text)
    if len({entry.issuer for entry in issuers}) != len(issuers):
        raise InvalidValue("Two entries have the same issuer.", "Write each issuer once.")
    return issuers


def _jwt_issuer(text: str) -> JwtIssuer:
    """Stored byte for byte, because `iss` is compared exactly."""
    issuer, separator, audience = text.partition("|")
    parts = parse_url_without_query(issuer, example="https://example.eu.auth0.com/")
    if parts.scheme == "http" and not is_loopback(issuer):
        raise InvalidValue("The issuer's keys would be fetched unencrypted.", "Use https.")
    if separator and not audience:
        raise InvalidValue(
            "The audience after the | is empty.", "Write the audience, or remove the |."
        )
    return JwtIssuer(issuer, single_word(audience) or None)


def _api_key(text: str) -> ApiKey:
    try:
        return ApiKey.parse(text)
    except InvalidApiKey as error:
        raise InvalidValue(error.message, error.remedy) from None
