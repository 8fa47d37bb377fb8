"""`connector check` fetches the keys of each issuer of users' tokens."""

from __future__ import annotations

import pytest

from tests.identity.oidc_issuer import running_issuer

from .runner import CommandRunner, line_about


async def test_an_issuer_without_an_audience_causes_a_warning(cli: CommandRunner) -> None:
    async with running_issuer() as first, running_issuer() as second:
        line = await line_about(cli, CONNECTOR_JWT_ISSUERS=f"{first.url}|shop,{second.url}")
    assert line.startswith("warning")
    assert f"{second.url} has no audience" in line


async def test_an_issuer_with_a_slash_too_much_causes_a_warning_with_the_right_issuer(
    cli: CommandRunner,
) -> None:
    async with running_issuer() as issuer:
        line = await line_about(cli, CONNECTOR_JWT_ISSUERS=f"{issuer.url}/|shop")
    assert line.startswith("warning")
    assert f"names another issuer, '{issuer.url}'" in line


@pytest.mark.parametrize("keys", [[], [{"kty": "oct", "k": "c2VjcmV0", "kid": "k1"}]])
async def test_an_issuer_without_a_usable_key_causes_a_warning(
    cli: CommandRunner, keys: list[dict[str, str]]
) -> None:
    async with running_issuer() as issuer:
        issuer.jwks.keys = list(keys)
        line = await line_about(cli, CONNECTOR_JWT_ISSUERS=f"{issuer.url}|shop")
    assert "it publishes no usable key" in line


async def test_check_fetches_the_keys_of_each_issuer(cli: CommandRunner) -> None:
    async with running_issuer() as issuer:
        cli.environment["CONNECTOR_JWT_ISSUERS"] = f"{issuer.url}|shop"
        result = await cli.run("check")
    assert f"ok       keys of {issuer.url}" in result.out
    assert "CONNECTOR_JWT_ISSUERS" not in result.out
