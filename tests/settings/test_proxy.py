"""TIKTOK_PROXY is the URL of an HTTP proxy, and its password is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.settings import InvalidSettings, Settings

APP = {"TIKTOK_APP_ID": "7000000000000000001", "TIKTOK_APP_SECRET": "app-canary"}


@pytest.mark.parametrize(
    "text",
    [
        "http://proxy.example.com:3128",
        "https://proxy.example.com/",
        "http://user:pass%23w%C3%B6rd@10.0.0.7:3128",
        "http://[::1]:3128",
    ],
)
def test_the_url_of_an_http_proxy_is_accepted(text: str) -> None:
    settings = Settings.read({**APP, "TIKTOK_PROXY": text}, dotenv=None)
    assert settings.tiktok_proxy is not None
    assert settings.tiktok_proxy.get_secret_value() == text
    assert text not in repr(settings)


@pytest.mark.parametrize(
    "text",
    [
        "proxy.example.com:3128",
        "socks5://proxy.example.com:1080",
        "http://:3128",
        "http://proxy.example.com:",
        "http://proxy.example.com:65536",
        "http://proxy.example.com/path",
        "http://user:pass#word@proxy.example.com:3128",
        "http://us%3Aer:password@proxy.example.com:3128",
        "http://proxy.example.com 3128",
    ],
)
def test_another_value_is_refused_with_an_example_and_without_the_value(text: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        Settings.read({**APP, "TIKTOK_PROXY": text}, dotenv=None)
    [problem] = caught.value.problems
    assert problem.name == "TIKTOK_PROXY"
    assert text not in problem.message


def test_the_proxy_can_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "proxy"
    file.write_text("http://user:canary@proxy.example.com:3128\n")
    settings = Settings.read({**APP, "TIKTOK_PROXY_FILE": str(file)}, dotenv=None)
    assert settings.tiktok_proxy is not None
    assert settings.tiktok_proxy.get_secret_value().endswith("3128")


def test_no_proxy_is_used_unless_it_is_set() -> None:
    assert Settings.read(APP, dotenv=None).tiktok_proxy is None
