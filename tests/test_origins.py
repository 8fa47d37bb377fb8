"""The origin of a URL, and whether a URL leads to this machine."""

from __future__ import annotations

import pytest

from connector.origins import is_loopback, is_public_host, origin_of


def test_an_origin_is_written_as_browsers_write_it() -> None:
    assert origin_of("HTTPS://App.Example.com:443/x") == "https://app.example.com"
    assert origin_of("http://127.0.0.1:8080") == "http://127.0.0.1:8080"
    assert origin_of("http://x:443") == "http://x:443"


@pytest.mark.parametrize("text", ["mailto:a@b", "https://[", "https:", "/path", ""])
def test_text_that_is_not_a_web_address_has_no_origin(text: str) -> None:
    assert origin_of(text) is None


@pytest.mark.parametrize("host", ["localhost", "app.localhost", "127.0.0.1", "127.1.2.3", "[::1]"])
def test_a_url_of_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(f"http://{host}:8080/path")


@pytest.mark.parametrize("host", ["example.com", "localhost.example.com", "10.0.0.1", "[::2]"])
def test_a_url_of_another_machine_is_not_loopback(host: str) -> None:
    assert not is_loopback(f"http://{host}:8080/path")


@pytest.mark.parametrize(
    "host", ["example.com", "8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "134744072"]
)
def test_a_host_on_the_internet_is_public(host: str) -> None:
    assert is_public_host(host)


@pytest.mark.parametrize(
    "host", ["localhost", "db", "db.internal", "printer.local", "127.0.0.1", "10.0.0.1", "fd00::1"]
)
def test_a_host_of_this_machine_or_of_a_private_network_is_not_public(host: str) -> None:
    assert not is_public_host(host)
