"""A person is sent only to exact allowed origins, never to an address that a browser would correct."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from connector.errors import InvalidRequest
from connector.web.app_keys import HttpSettings
from connector.web.redirects import check_return_to

SETTINGS = HttpSettings(
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
        "/.well-known/x",
        "/...//x",
        "/status?next=/../x#/../",
        "https://connect.example.com/status",
        "https://app.example.com",
        "https://APP.example.com:443/x?y=https://evil.test",
        "https://shop.example.com:8443/elsewhere",
        None,
    ],
)
def test_a_local_path_and_an_allowed_origin_are_accepted(return_to: str | None) -> None:
    check_return_to(return_to, SETTINGS)


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
        "/..//evil.test",
        "/.//evil.test",
        "/a/..//evil.test",
        "/%2e%2E//evil.test",
        "/.%2e//evil.test",
        "/%2e//evil.test",
        "/a/..",
        "/..?x=1",
        "/./#x",
        "https://app.example.com/..//evil.test",
        "https://app%2eexample.com/",
        "https://app.example.com%2f@evil.test",
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
def test_any_other_return_address_is_rejected(return_to: str) -> None:
    with pytest.raises(InvalidRequest, match="return_to must be"):
        check_return_to(return_to, SETTINGS)


@given(
    st.lists(
        st.sampled_from(
            ["https:", "/", "//", "\\", "@", "#", "?", ":", ".", "..", "%2e", "\t", "evil.test"]
        )
        | st.just("app.example.com"),
        max_size=8,
    ).map("".join)
)
def test_an_accepted_return_address_leads_to_an_allowed_host(return_to: str) -> None:
    """The host is parsed by another URL parser than the service's."""
    try:
        check_return_to(return_to, SETTINGS)
    except InvalidRequest:
        return
    target = URL("https://connect.example.com/").join(URL(return_to))
    assert target.host in ("connect.example.com", "app.example.com")
    # A page that takes only the path of the address must not get another host either.
    assert return_to.startswith("https:") or not target.raw_path.startswith("//")
