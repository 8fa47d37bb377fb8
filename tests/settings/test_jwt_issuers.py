"""The settings that say who issues users' tokens."""

from __future__ import annotations

import pytest

from connector.identity import JwtIssuer

from .test_table import KEY, problem, read


def test_the_issuer_of_the_supabase_project_can_differ_from_its_address() -> None:
    settings = read(
        SUPABASE_URL="http://kong:8000",
        SUPABASE_JWT_ISSUER="https://auth.example.com/auth/v1",
        SUPABASE_SERVICE_ROLE_KEY="sb_secret_canary",
        CONNECTOR_ENCRYPTION_KEYS=KEY,
    )
    assert settings.issuer == "https://auth.example.com/auth/v1"
    assert settings.jwks_url == "http://kong:8000/auth/v1/.well-known/jwks.json"


def test_issuers_are_stored_byte_for_byte_with_their_audience() -> None:
    text = "https://shop.eu.auth0.com/|https://api.example.com, http://localhost:9000/realms/shop"
    assert read(CONNECTOR_JWT_ISSUERS=text).jwt_issuers == (
        JwtIssuer("https://shop.eu.auth0.com/", "https://api.example.com"),
        JwtIssuer("http://localhost:9000/realms/shop"),
    )


def test_the_supabase_project_is_not_a_further_issuer() -> None:
    reported = problem(
        SUPABASE_URL="https://ref.supabase.co",
        SUPABASE_SERVICE_ROLE_KEY="sb_secret_canary",
        CONNECTOR_ENCRYPTION_KEYS=KEY,
        CONNECTOR_JWT_ISSUERS="https://ref.supabase.co/auth/v1",
    )
    assert reported.name == "CONNECTOR_JWT_ISSUERS"
    assert "accepted already" in reported.message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SUPABASE_JWT_ISSUER", "supabase"),
        ("CONNECTOR_JWT_ISSUERS", "clerk.example.com"),
        ("CONNECTOR_JWT_ISSUERS", "http://clerk.example.com"),
        ("CONNECTOR_JWT_ISSUERS", "https://clerk.example.com?a=1"),
        ("CONNECTOR_JWT_ISSUERS", "https://clerk.example.com|"),
        ("CONNECTOR_JWT_ISSUERS", "https://clerk.example.com|two words"),
        ("CONNECTOR_JWT_ISSUERS", "https://clerk.example.com|shop,https://clerk.example.com"),
    ],
)
def test_an_invalid_issuer_is_reported_by_the_name_of_its_setting(name: str, text: str) -> None:
    assert problem(**{name: text}).name == name


def test_every_invalid_issuer_is_reported_by_its_number() -> None:
    message = problem(CONNECTOR_JWT_ISSUERS="https://a.example,b,http://c.example").message
    assert "Entry 2: " in message
    assert "Entry 3: The issuer's keys would be fetched unencrypted." in message
