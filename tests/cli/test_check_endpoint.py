"""`connector check`: the endpoint that the settings name."""

from __future__ import annotations

import pytest

from connector.events.signing import new_secret

from .runner import CommandRunner


@pytest.mark.parametrize(
    ("private_networks", "expected"),
    [
        ("", "PROBLEM  CONNECTOR_WEBHOOK_URL: The IP address in the url is not public."),
        ("10.0.0.0/8", "ok       CONNECTOR_WEBHOOK_URL"),
    ],
)
async def test_an_endpoint_to_which_nothing_would_be_sent_is_a_problem(
    cli: CommandRunner, private_networks: str, expected: str
) -> None:
    cli.environment |= {
        "CONNECTOR_WEBHOOK_URL": "http://10.1.1.1:8080/hook",
        "CONNECTOR_WEBHOOK_SECRET": new_secret().get_secret_value(),
        "CONNECTOR_PRIVATE_NETWORKS": private_networks,
    }
    result = await cli.run("check")
    assert expected in result.out
    assert result.code == expected.startswith("PROBLEM")
