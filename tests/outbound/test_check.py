"""Which URLs are refused as an endpoint, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network

import pytest

from connector.errors import EndpointRefused
from connector.outbound import OutboundClient

from .resolvers import (
    PUBLIC_ADDRESSES,
    REFUSED_ADDRESSES,
    ScriptedResolver,
    SilentResolver,
    in_url,
)

PRIVATE = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def client_for(*addresses: str) -> OutboundClient:
    """The name hooks.example has these addresses, and the operator allows the private networks."""
    resolver = ScriptedResolver(hooks_example=[list(addresses)])
    return OutboundClient(private_networks=PRIVATE, resolver=resolver)


async def refusal(client: OutboundClient, url: str) -> str:
    with pytest.raises(EndpointRefused) as caught:
        await client.check(url)
    await client.close()
    return caught.value.message


@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
async def test_a_special_address_is_refused(address: str) -> None:
    client = OutboundClient(resolver=ScriptedResolver())
    sentence = await refusal(client, f"https://{in_url(address)}/")
    assert "not public" in sentence
    assert "CONNECTOR_PRIVATE_NETWORKS" in sentence


@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
async def test_a_name_that_leads_to_a_special_address_is_refused_without_naming_the_address(
    address: str,
) -> None:
    resolver = ScriptedResolver(hooks_example=[[address]])
    sentence = await refusal(OutboundClient(resolver=resolver), "https://hooks.example/")
    assert "not public" in sentence
    assert "CONNECTOR_PRIVATE_NETWORKS" in sentence
    assert address not in sentence


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
async def test_a_public_address_and_a_name_that_leads_to_it_are_accepted(address: str) -> None:
    client = client_for(address)
    await client.check("https://hooks.example/")
    await client.check(f"https://{in_url(address)}/")


@pytest.mark.parametrize("addresses", [["8.8.8.8", "127.0.0.1"], ["::1", "8.8.8.8"]])
async def test_one_special_address_among_public_ones_is_enough_to_refuse_a_name(
    addresses: list[str],
) -> None:
    assert "not public" in await refusal(client_for(*addresses), "https://hooks.example/")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_networks_of_the_operator_are_accepted(scheme: str) -> None:
    client = client_for("10.1.2.3", "fd00::1")
    await client.check(f"{scheme}://hooks.example:8080/")
    await client.check(f"{scheme}://10.1.2.3:8080/")
    await client.check(f"{scheme}://[::ffff:10.1.2.3]:8080/")


async def test_a_private_address_outside_the_networks_of_the_operator_is_refused() -> None:
    assert "not public" in await refusal(client_for("192.168.0.1"), "http://hooks.example:8080/")


@pytest.mark.parametrize("addresses", [["8.8.8.8"], ["10.0.0.1", "8.8.8.8"]])
async def test_http_is_refused_if_one_address_is_public(addresses: list[str]) -> None:
    sentence = await refusal(client_for(*addresses), "http://hooks.example:8080/")
    assert "Use https" in sentence


async def test_http_to_a_public_ip_address_is_refused() -> None:
    assert "Use https" in await refusal(client_for(), "http://8.8.8.8:8080/")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"])
async def test_the_demo_accepts_loopback_over_http(host: str) -> None:
    client = OutboundClient(allow_loopback=True)
    await client.check(f"http://{host}:8080/")
    await client.close()


async def test_localhost_is_refused_otherwise() -> None:
    assert "not public" in await refusal(OutboundClient(), "https://localhost/")


@pytest.mark.parametrize(
    "client",
    [lambda: OutboundClient(resolver=ScriptedResolver()), lambda: client_for()],
    ids=["unknown name", "name without an address"],
)
async def test_a_name_without_an_address_is_refused(client: Callable[[], OutboundClient]) -> None:
    assert "has no address" in await refusal(client(), "https://hooks.example/")


async def test_a_name_server_that_does_not_answer_refuses_the_name() -> None:
    client = OutboundClient(resolver=SilentResolver(), connect_seconds=0.02)
    assert "did not answer in time" in await refusal(client, "https://hooks.example/")


async def test_the_form_of_the_url_is_checked_before_the_name_is_resolved() -> None:
    resolver = ScriptedResolver()
    client = OutboundClient(resolver=resolver)
    assert "port 22" in await refusal(client, "https://hooks.example:22/")
    assert resolver.lookups == []


def test_a_refusal_is_an_error_of_the_caller() -> None:
    assert (EndpointRefused.status, EndpointRefused.code) == (422, "endpoint_refused")
    assert not EndpointRefused.retryable
