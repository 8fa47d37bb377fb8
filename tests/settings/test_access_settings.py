"""The settings that decide who may call the service."""

from __future__ import annotations

import pytest

from .test_table import problem, read

FIRST, SECOND = "0123456789abcdef", "fedcba9876543210"


def test_api_keys_are_bare_or_have_a_name_and_scopes() -> None:
    named, bare = read(CONNECTOR_API_KEYS=f"billing:read+tokens:{FIRST}, {SECOND}").api_keys
    assert (named.name, named.scopes) == ("billing", frozenset({"read", "tokens"}))
    assert (bare.name[:4], len(bare.scopes)) == ("key-", 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"billing:admin:{FIRST}", "Entry 1: A scope is unknown"),
        (f"a:read:{FIRST},a:write:{SECOND}", "Two keys have the same name."),
        (f"a:read:{FIRST},b:write:{FIRST}", "Two entries contain the same key."),
        (f"{FIRST},{FIRST}", "Two keys have the same name."),
    ],
)
def test_api_keys_that_cannot_be_told_apart_are_a_problem(text: str, message: str) -> None:
    reported = problem(CONNECTOR_API_KEYS=text)
    assert reported.message.startswith(message)
    assert FIRST not in str(reported)


def test_trusted_proxies_are_networks_or_addresses() -> None:
    text = "10.0.0.0/8, 2001:db8::/32, 192.0.2.7"
    assert list(map(str, read(CONNECTOR_TRUSTED_PROXIES=text).trusted_proxies)) == [
        "10.0.0.0/8",
        "2001:db8::/32",
        "192.0.2.7/32",
    ]


@pytest.mark.parametrize("text", ["10.0.0.1/8", "proxy.internal", "*"])
def test_a_trusted_proxy_that_is_no_network_is_a_problem(text: str) -> None:
    assert problem(CONNECTOR_TRUSTED_PROXIES=text).message == "Entry 1: The entry is not a network."
