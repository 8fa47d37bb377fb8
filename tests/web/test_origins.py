"""Where a person may be sent: exact origins, and nothing that a browser would make into one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from connector.errors import InvalidRequest
from connector.web.keys import Options
from connector.web.origins import check_return_to, origin

OPTIONS = Options(
    public_url="https://connect.example.com",
    redirect_uris=("https://shop.example.com:8443/back?a=b",),
    allowed_origins=("https://app.example.com",),
)


@pytest.mark.parametrize(
    "return_to",
    [
        "/",
        "/status?tab=1#end",
        "/a//b",
        "https://connect.example.com/status",
        "https://app.example.com",
        "https://APP.example.com:443/x?y=https://evil.test",
        "https://shop.example.com:8443/elsewhere",
        None,
    ],
)
def test_a_path_here_and_an_origin_we_know_are_taken(return_to: str | None) -> None:
    check_return_to(return_to, OPTIONS)


@pytest.mark.parametrize(
    "return_to",
    [
        "",
        "status",
        "//evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "/\t/evil.test",
        "/\n/evil.test",
        " //evil.test",
        "///evil.test",
        "https:evil.test",
        "https:/evil.test",
        "https:///evil.test",
        "https:\\\\evil.test",
        "https://evil.test",
        "http://app.example.com",
        "https://app.example.com:444",
        "https://app.example.com.evil.test",
        "https://app.example.com@evil.test",
        "https://evil.test\\@app.example.com",
        "https://evil.test#@app.example.com",
        "https://user@app.example.com",
        "https://shop.example.com/",
        "https://app.example.com\uff0eevil.test",
        "https://[evil",
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "data:text/html,x",
        "ftp://app.example.com",
    ],
)
def test_everything_else_is_refused(return_to: str) -> None:
    with pytest.raises(InvalidRequest, match="return_to must be"):
        check_return_to(return_to, OPTIONS)


@given(
    st.lists(
        st.sampled_from(["https:", "/", "//", "\\", "@", "#", "?", ":", ".", "\t", "evil.test"])
        | st.just("app.example.com"),
        max_size=8,
    ).map("".join)
)
def test_what_is_taken_leads_nowhere_else(return_to: str) -> None:
    """Judged by another reader of addresses than ours."""
    try:
        check_return_to(return_to, OPTIONS)
    except InvalidRequest:
        return
    led_to = URL("https://connect.example.com/").join(URL(return_to))
    assert led_to.host in ("connect.example.com", "app.example.com")


def test_an_origin_is_written_as_browsers_do() -> None:
    assert origin("HTTPS://App.Example.com:443/x") == "https://app.example.com"
    assert origin("http://127.0.0.1:8080") == "http://127.0.0.1:8080"
    assert origin("http://x:443") == "http://x:443"
    assert origin("mailto:a@b") is None
    assert origin("https://[") is None
