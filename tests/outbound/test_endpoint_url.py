"""The URL of an endpoint: its form, and the spellings of an IP address."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from connector.errors import EndpointRefused
from connector.outbound.endpoint_url import parse_endpoint_url


def refusal(text: str) -> str:
    with pytest.raises(EndpointRefused) as caught:
        parse_endpoint_url(text)
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://example.com/hook?a=b", "example.com"),
        ("HTTPS://EXAMPLE.com", "example.com"),
        ("https://example.com:8443/", "example.com"),
        ("http://receiver:8080/", "receiver"),
        ("https://my_app.example.com/", "my_app.example.com"),
        ("https://münchen.example/", "xn--mnchen-3ya.example"),
        ("https://8.8.8.8.example.com/", "8.8.8.8.example.com"),
        ("https://localhost/", "localhost"),
    ],
)
def test_a_host_name_is_accepted_in_the_form_that_is_resolved(text: str, host: str) -> None:
    endpoint = parse_endpoint_url(text)
    assert (endpoint.host, endpoint.literal) == (host, None)
    assert endpoint.url.raw_host == host


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://8.8.8.8/", "8.8.8.8"),
        ("https://[2606:4700::1]/", "2606:4700::1"),
        ("https://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1"),
        ("https://[0:0:0:0:0:0:0:1]/", "::1"),
        # Digits and dots of other scripts, which are ordinary digits and dots in a normalized host name.
        ("https://\uff11\uff12\uff17.0.0.1/", "127.0.0.1"),
        ("https://\u2460\u2461\u2466.0.0.1/", "127.0.0.1"),
        ("https://127\u30020\u30020\u30021/", "127.0.0.1"),
    ],
)
def test_an_ip_address_is_recognized_in_the_form_that_is_connected_to(
    text: str, address: str
) -> None:
    endpoint = parse_endpoint_url(text)
    assert endpoint.literal == ip_address(address)
    assert ip_address(endpoint.url.raw_host or "") == ip_address(address)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0X7F.0.0.1",
        "0x7f.1",
        "127.1",
        "127.0.1",
        "0177.0.0.1",
        "127.0.0.0x1",
        "127.0.0.01",
        "127.0.0.1.",
        "127.0.0.1..",
        "256.0.0.1",
        "1.2.3.4.5",
        "127.0.0.0x",
        "0",
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[::1%1]",
        "[127.0.0.1]",
        "[v1.example]",
        "[::g]",
        "127.0.0.%31",
        "127.0.0.1%00.example.com",
    ],
)
def test_an_unusual_spelling_of_an_ip_address_is_refused(host: str) -> None:
    assert "not valid" in refusal(f"https://{host}/")


@pytest.mark.parametrize(
    "host",
    [
        "example.com.",
        "example.com..",
        "a..b",
        ".example.com",
        "-example.com",
        "example-.com",
        "exa%6dple.com",
        "exa*mple.com",
        "a" * 64 + ".com",
        ".".join(["a" * 60] * 5),
    ],
)
def test_an_invalid_host_name_is_refused(host: str) -> None:
    assert "not valid" in refusal(f"https://{host}/")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/hook",
        "//example.com/hook",
        "https:example.com",
        "https:/example.com",
        "https:///hook",
        "https://?a",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com:6379/",
        "javascript:alert(1)",
        " https://example.com/",
    ],
)
def test_a_url_that_is_no_web_address_is_refused(text: str) -> None:
    assert "web address" in refusal(text) or "a space" in refusal(text)


@pytest.mark.parametrize(
    "text", ["https://[::1/", "https://example.com:99999/", "https://example.com:port/"]
)
def test_a_url_that_cannot_be_parsed_is_refused(text: str) -> None:
    assert "not valid" in refusal(text)


@pytest.mark.parametrize("port", [0, 1, 22, 25, 80, 444, 1023])
def test_a_port_below_1024_is_refused_except_443(port: int) -> None:
    assert "Use port 443, or a port from 1024" in refusal(f"https://example.com:{port}/")


def test_the_default_port_of_http_is_refused() -> None:
    assert "port 80" in refusal("http://receiver/")


@pytest.mark.parametrize("port", [443, 1024, 8443, 65535])
def test_port_443_and_the_ports_from_1024_are_accepted(port: int) -> None:
    assert parse_endpoint_url(f"https://example.com:{port}/").url.port == port


@pytest.mark.parametrize("user", ["", "user", "user:", ":secret", "127.0.0.1%2f", "user:secret"])
def test_a_user_name_or_password_is_refused_and_not_repeated(user: str) -> None:
    sentence = refusal(f"https://{user}@example.com/")
    assert "user name" in sentence
    assert "secret" not in sentence


def test_an_at_sign_after_the_host_is_accepted() -> None:
    assert parse_endpoint_url("https://example.com/@a?b=c@d").host == "example.com"


@pytest.mark.parametrize("text", ["https://example.com/#", "https://example.com#a@127.0.0.1"])
def test_a_fragment_is_refused(text: str) -> None:
    assert "fragment" in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/a b",
        "https://example.com/\r\nX: y",
        "https://exam\tple.com/",
        "https://good.example\\@evil.example/",
        "https://example.com/\x00",
        "https://example.com/\u2028",
    ],
)
def test_a_space_a_backslash_or_a_control_character_is_refused(text: str) -> None:
    assert "control character" in refusal(text)


def test_a_url_has_at_most_1024_characters() -> None:
    base = "https://example.com/"
    assert parse_endpoint_url(base + "a" * (1024 - len(base)))
    assert "1024" in refusal(base + "a" * (1025 - len(base)))
