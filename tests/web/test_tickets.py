"""Connect links for people without a login."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.credentials import ANNA
from tests.manual_clock import NOON
from tests.running_service import AS_SERVER

from .conftest import ALLOWED_ORIGIN, Harness


async def test_a_connect_link_has_its_ticket_in_the_fragment(harness: Harness) -> None:
    payload = (
        await harness.post(
            "/tickets", AS_SERVER, user_id=ANNA, return_to=f"{ALLOWED_ORIGIN}/a?b=c&d"
        )
    ).json
    link = urlsplit(payload["url"])
    assert f"{link.scheme}://{link.netloc}{link.path}" == f"{harness.url}/connect"
    fragment = parse_qs(link.fragment)
    assert fragment == {"ticket": [payload["ticket"]], "return_to": [f"{ALLOWED_ORIGIN}/a?b=c&d"]}
    assert not link.query
    assert (datetime.fromisoformat(payload["expires_at"]) - NOON).total_seconds() == 1800


async def test_a_connect_link_to_another_site_is_rejected(harness: Harness) -> None:
    response = await harness.post("/tickets", AS_SERVER, user_id=ANNA, return_to="//evil.test")
    assert (response.status, response.code) == (400, "invalid_request")


async def test_a_ticket_requires_a_valid_user_id(harness: Harness) -> None:
    assert "user_id is missing" in (await harness.post("/tickets", AS_SERVER)).json["error"]
    response = await harness.post("/tickets", AS_SERVER, user_id="anna\n")
    assert "1 to 128 printable ASCII characters" in response.json["error"]


@pytest.mark.parametrize("name", ["", " ", "a" * 101, "An\nna", "A\x00B", "\x9b", "\ud800", 7])
async def test_a_display_name_is_a_short_text_without_control_characters(
    harness: Harness, name: object
) -> None:
    response = await harness.post("/tickets", AS_SERVER, user_id=ANNA, display_name=name)
    assert (response.status, response.code) == (400, "invalid_request")


async def test_a_connect_link_contains_the_display_name_only_in_its_ticket(
    harness: Harness,
) -> None:
    body = {"user_id": ANNA, "display_name": "Schmidt"}
    url = (await harness.post("/tickets", AS_SERVER, **body)).json["url"]
    assert "Schmidt" not in url
