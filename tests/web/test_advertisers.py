"""The ad accounts that a person gave access to, and which of them is selected."""

from __future__ import annotations

from typing import Any

import pytest

from connector.model import UserId
from tests.credentials import ANNA
from tests.running_service import AS_SERVER

from .conftest import Harness

BEN = UserId("0b5a7c1e-4d3f-4a7b-8c9d-112233445566")
ADVERTISERS = [
    {"id": "7533163835474346001", "name": "Adlane EU"},
    {"id": "42", "name": "Adlane US"},
]


async def test_a_person_selects_one_of_several_ad_accounts_and_may_select_another_later(
    each_store: Harness,
) -> None:
    connection = await each_store.connect(advertisers=ADVERTISERS)
    assert connection["selection_required"] is True
    for advertiser in ADVERTISERS:
        response = await each_store.post(
            "/advertisers/select", each_store.as_user(), advertiser_id=advertiser["id"]
        )
        assert response.json == {
            "success": True,
            "business_id": advertiser["id"],
            "account_id": advertiser["name"],
            "message": "TikTok ad account selected",
            "connection_id": connection["connection_id"],
        }
        advertisers = (await each_store.get("/advertisers", each_store.as_user())).json[
            "advertisers"
        ]
        assert [a["id"] for a in advertisers if a["selected"]] == [advertiser["id"]]


async def test_a_selection_ticket_selects_only_for_its_own_connection(harness: Harness) -> None:
    first = await harness.connect(advertisers=ADVERTISERS, person="anna")
    harness.simulator.clock.advance(1)
    other = await harness.connect(advertisers=ADVERTISERS, person="anna's other account")
    ticket = {"Authorization": f"Bearer {first['ticket']}"}
    response = (await harness.get("/advertisers", ticket)).json
    assert response["connection_id"] == first["connection_id"]
    path = f"/advertisers?connection_id={first['connection_id']}"
    assert (await harness.get(path, ticket)).json == response
    selected = await harness.post("/advertisers/select", ticket, advertiser_id="42")
    assert selected.json["business_id"] == "42"
    other_connection = {"advertiser_id": "42", "connection_id": other["connection_id"]}
    assert (
        await harness.post("/advertisers/select", ticket, **other_connection)
    ).code == "forbidden"
    harness.simulator.clock.advance(3600)
    assert (await harness.get("/advertisers", ticket)).status == 401


async def test_a_server_names_the_user_or_the_connection_of_the_ad_accounts(
    harness: Harness,
) -> None:
    connection_id = (await harness.connect(advertisers=ADVERTISERS))["connection_id"]
    user = f"user_id={ANNA.upper()}"
    for query in (user, f"connection_id={connection_id}", f"{user}&connection_id={connection_id}"):
        assert (await harness.get(f"/advertisers?{query}", AS_SERVER)).json[
            "connection_id"
        ] == connection_id
    assert "user_id" in (await harness.get("/advertisers", AS_SERVER)).json["error"]
    mismatch = await harness.get(
        f"/advertisers?user_id={BEN}&connection_id={connection_id}", AS_SERVER
    )
    assert mismatch.status == 404
    body = {"advertiser_id": "42", "user_id": ANNA}
    assert (await harness.post("/advertisers/select", AS_SERVER, **body)).status == 200


async def test_a_user_cannot_list_or_select_ad_accounts_of_another_user(harness: Harness) -> None:
    connection_id = (await harness.connect(user_id=BEN, advertisers=ADVERTISERS))["connection_id"]
    body = {"advertiser_id": "42", "user_id": BEN}
    assert (await harness.get(f"/advertisers?user_id={BEN}", harness.as_user())).code == "forbidden"
    assert (
        await harness.post("/advertisers/select", harness.as_user(), **body)
    ).code == "forbidden"
    assert (
        await harness.get(f"/advertisers?connection_id={connection_id}", harness.as_user())
    ).code == "not_found"


async def test_an_ad_account_without_access_cannot_be_selected(harness: Harness) -> None:
    await harness.connect(advertisers=ADVERTISERS)
    response = await harness.post("/advertisers/select", harness.as_user(), advertiser_id="43")
    assert (response.status, response.code) == (422, "unknown_advertiser")


@pytest.mark.parametrize("advertiser_id", [7533163835474346001, 42, 4.2, True])
async def test_an_advertiser_id_as_a_number_is_rejected_with_the_reason(
    harness: Harness, advertiser_id: Any
) -> None:
    await harness.connect(advertisers=ADVERTISERS)
    response = await harness.post(
        "/advertisers/select", harness.as_user(), advertiser_id=advertiser_id
    )
    assert (response.status, response.code) == (400, "invalid_request")
    assert response.json["error"].startswith("advertiser_id must be text, in quotes")


async def test_a_selected_ad_account_that_is_lost_is_reported(harness: Harness) -> None:
    connection_id = (await harness.connect(advertisers=ADVERTISERS[:1], person="anna"))[
        "connection_id"
    ]
    remaining = {"person": "anna", "advertisers": ADVERTISERS[1:]}
    await harness.simulator.post("/_sim/advertisers", remaining)
    await harness.post(f"/connections/{connection_id}/refresh", harness.as_user())
    response = (await harness.get("/advertisers", harness.as_user())).json
    assert response["lost_advertiser"] == ADVERTISERS[0]
    assert response["advertisers"] == [{**ADVERTISERS[1], "selected": False}]
    assert (await harness.get(f"/connections/{connection_id}", harness.as_user())).json[
        "advertiser_lost"
    ] is True
