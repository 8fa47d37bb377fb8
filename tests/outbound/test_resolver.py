"""Lookups with the operating system."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from connector.outbound.resolver import CheckedResolver, ThreadedResolver


async def test_a_name_is_resolved_to_addresses_without_repetition() -> None:
    resolver = ThreadedResolver()
    addresses = [result["host"] for result in await resolver.resolve("localhost")]
    assert addresses
    assert all(ip_address(address).is_loopback for address in addresses)
    assert len(set(addresses)) == len(addresses)
    await resolver.close()


async def test_a_name_has_one_lookup_at_a_time() -> None:
    resolver = ThreadedResolver()
    attempts = [asyncio.create_task(resolver.resolve("localhost")) for _ in range(5)]
    await asyncio.sleep(0)
    assert len(resolver._lookups) == 1
    first, *others = await asyncio.gather(*attempts)
    assert all(other == first for other in others)
    await resolver.close()


async def test_an_attempt_that_gives_up_does_not_end_the_lookup_of_the_others() -> None:
    resolver = ThreadedResolver()
    first, second = (asyncio.create_task(resolver.resolve("localhost")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second
    assert first.cancelled()
    await resolver.close()


async def test_without_checked_addresses_no_connection_is_made() -> None:
    with pytest.raises(LookupError):
        await CheckedResolver().resolve("example.com", 443)
