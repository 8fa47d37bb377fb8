"""The settings of events."""

from __future__ import annotations

import pytest

from .test_table import problem, read


def test_private_networks_are_networks_or_addresses() -> None:
    text = "10.0.0.0/8, fd00::/8, 192.0.2.7"
    assert list(map(str, read(CONNECTOR_PRIVATE_NETWORKS=text).private_networks)) == [
        "10.0.0.0/8",
        "fd00::/8",
        "192.0.2.7/32",
    ]


def test_there_is_no_private_network_by_default() -> None:
    assert read().private_networks == ()


@pytest.mark.parametrize("text", ["10.0.0.1/8", "receiver.internal", "*"])
def test_a_private_network_that_is_no_network_is_a_problem(text: str) -> None:
    assert (
        problem(CONNECTOR_PRIVATE_NETWORKS=text).message == "Entry 1: The entry is not a network."
    )
