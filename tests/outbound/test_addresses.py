"""Which addresses a request may reach."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.outbound.addresses import Network, is_allowed, is_internal, is_public

from .resolvers import PUBLIC_ADDRESSES, REFUSED_ADDRESSES

REFUSED_RANGES = [
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("::/96", "::/8", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23"),
        *("2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10"),
        *("fec0::/10", "ff00::/8"),
    )
]
MAPPED = IPv6Network("::ffff:0:0/96")
ADDRESSES = st.ip_addresses()
NETWORKS = st.builds(
    lambda address, bits: ip_network((address, min(bits, address.max_prefixlen)), strict=False),
    ADDRESSES,
    st.integers(0, 128),
)


def mapped(address: IPv4Address) -> IPv6Address:
    return IPv6Address(int(MAPPED.network_address) + int(address))


@pytest.mark.parametrize("text", REFUSED_ADDRESSES)
def test_a_special_address_is_refused(text: str) -> None:
    assert not is_allowed(ip_address(text), ())


@pytest.mark.parametrize("text", PUBLIC_ADDRESSES)
def test_a_public_address_is_allowed(text: str) -> None:
    assert is_allowed(ip_address(text), ())


@pytest.mark.parametrize("network", REFUSED_RANGES, ids=str)
def test_the_first_and_the_last_address_of_a_refused_range_are_refused(network: Network) -> None:
    assert not is_public(network[0])
    assert not is_public(network[-1])


@given(st.sampled_from(REFUSED_RANGES).flatmap(lambda network: st.ip_addresses(network=network)))
def test_no_address_of_a_refused_range_is_public(address: IPv4Address | IPv6Address) -> None:
    if address not in MAPPED:
        assert not is_public(address)


@given(ADDRESSES)
def test_a_public_address_is_global_unicast(address: IPv4Address | IPv6Address) -> None:
    if is_public(address) and address not in MAPPED:
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_reserved
        assert not any(address in network for network in REFUSED_RANGES)


@given(st.ip_addresses(v=4), st.lists(NETWORKS, max_size=2), st.booleans())
def test_a_mapped_address_is_treated_as_its_ipv4_address(
    address: IPv4Address, networks: list[Network], allow_loopback: bool
) -> None:
    of_ipv4 = tuple(network for network in networks if network.version == 4)
    expected = is_allowed(address, of_ipv4, allow_loopback=allow_loopback)
    assert is_allowed(mapped(address), of_ipv4, allow_loopback=allow_loopback) == expected


@given(st.data(), NETWORKS)
def test_an_address_of_a_private_network_is_allowed(data: st.DataObject, network: Network) -> None:
    address = data.draw(st.ip_addresses(network=network))
    if address not in MAPPED:
        assert is_allowed(address, (network,))


@given(ADDRESSES, NETWORKS)
def test_a_private_network_allows_no_address_outside(
    address: IPv4Address | IPv6Address, network: Network
) -> None:
    if address not in network and address not in MAPPED:
        assert is_allowed(address, (network,)) == is_public(address)


def test_a_public_address_is_not_internal() -> None:
    assert not is_internal(ip_address("8.8.8.8"), (ip_network("10.0.0.0/8"),))


@pytest.mark.parametrize("text", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_allowed_only_for_the_demo(text: str) -> None:
    assert is_allowed(ip_address(text), (), allow_loopback=True)
    assert not is_allowed(ip_address(text), ())


@pytest.mark.parametrize("text", ["10.0.0.1", "169.254.169.254", "0.0.0.0", "::"])
def test_allowing_loopback_allows_nothing_else(text: str) -> None:
    assert not is_allowed(ip_address(text), (), allow_loopback=True)


def test_an_address_with_a_zone_is_in_no_private_network() -> None:
    assert not is_allowed(ip_address("fe80::1%eth0"), (ip_network("fe80::/10"),))
    assert is_allowed(ip_address("fe80::1"), (ip_network("fe80::/10"),))
