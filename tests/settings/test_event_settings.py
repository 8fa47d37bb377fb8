"""The settings of events."""

from __future__ import annotations

import base64

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


SECRET = "whsec_" + base64.b64encode(b"canary" * 5 + b"12").decode()


def test_an_endpoint_has_a_url_which_may_have_a_query_and_a_secret() -> None:
    url = "https://app.example.com/hooks?source=tiktok"
    settings = read(CONNECTOR_WEBHOOK_URL=url, CONNECTOR_WEBHOOK_SECRET=SECRET)
    assert settings.webhook_url == url
    assert settings.webhook_secret is not None
    assert settings.webhook_secret.get_secret_value() == SECRET
    assert SECRET not in repr(settings)
    assert (read().webhook_url, read().webhook_secret) == (None, None)


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        (SECRET.removeprefix("whsec_"), "does not start with whsec_"),
        ("whsec_not-base64", "is not base64"),
        ("whsec_c2hvcnQ=", "has 5 bytes, not 24 to 64"),
    ],
)
def test_a_webhook_secret_has_the_form_of_standard_webhooks(secret: str, message: str) -> None:
    reported = problem(
        CONNECTOR_WEBHOOK_URL="https://app.example.com", CONNECTOR_WEBHOOK_SECRET=secret
    )
    assert message in reported.message
    assert "openssl rand -base64 32" in reported.remedy
    assert secret not in str(reported)


def test_a_webhook_url_and_its_secret_require_each_other() -> None:
    assert problem(CONNECTOR_WEBHOOK_URL="https://a.example.com").name == "CONNECTOR_WEBHOOK_SECRET"
    assert problem(CONNECTOR_WEBHOOK_SECRET=SECRET).name == "CONNECTOR_WEBHOOK_URL"
