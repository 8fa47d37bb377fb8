"""The ad accounts a person let us into, and which of them counts."""

from __future__ import annotations

from typing import Any

import pytest

from connector.model import UserId
from tests.houses import AS_SERVER
from tests.people import ANNA

from .conftest import Site

BEN = UserId("0b5a7c1e-4d3f-4a7b-8c9d-112233445566")
TWO = [{"id": "7533163835474346001", "name": "Adlane EU"}, {"id": "42", "name": "Adlane US"}]


async def test_of_several_the_person_picks_one_and_may_change_their_mind(anywhere: Site) -> None:
    connected = await anywhere.connected(advertisers=TWO)
    assert connected["selection_required"] is True
    for each in TWO:
        answer = await anywhere.post(
            "/advertisers/select", anywhere.user(), advertiser_id=each["id"]
        )
        assert answer.said == {
            "success": True,
            "business_id": each["id"],
            "account_id": each["name"],
            "message": "TikTok ad account selected",
            "connection_id": connected["connection_id"],
        }
        listed = (await anywhere.get("/advertisers", anywhere.user())).said
        assert [a["id"] for a in listed["advertisers"] if a["selected"]] == [each["id"]]


async def test_the_pickers_ticket_picks_for_that_very_connection(site: Site) -> None:
    connected = await site.connected(advertisers=TWO, person="anna")
    site.simulator.clock.turn(1)
    other = await site.connected(advertisers=TWO, person="anna's other self")
    picker = {"Authorization": f"Bearer {connected['ticket']}"}
    listed = (await site.get("/advertisers", picker)).said
    assert listed["connection_id"] == connected["connection_id"]
    named = f"/advertisers?connection_id={connected['connection_id']}"
    assert (await site.get(named, picker)).said == listed
    chosen = await site.post("/advertisers/select", picker, advertiser_id="42")
    assert chosen.said["business_id"] == "42"
    elsewhere = {"advertiser_id": "42", "connection_id": other["connection_id"]}
    assert (await site.post("/advertisers/select", picker, **elsewhere)).code == "forbidden"
    site.simulator.clock.turn(3600)
    assert (await site.get("/advertisers", picker)).status == 401


async def test_a_server_names_the_user_or_the_connection(site: Site) -> None:
    id = (await site.connected(advertisers=TWO))["connection_id"]
    user = f"user_id={ANNA.upper()}"
    for query in (user, f"connection_id={id}", f"{user}&connection_id={id}"):
        assert (await site.get(f"/advertisers?{query}", AS_SERVER)).said["connection_id"] == id
    assert "user_id" in (await site.get("/advertisers", AS_SERVER)).said["error"]
    crossed = await site.get(f"/advertisers?user_id={BEN}&connection_id={id}", AS_SERVER)
    assert crossed.status == 404
    body = {"advertiser_id": "42", "user_id": ANNA}
    assert (await site.post("/advertisers/select", AS_SERVER, **body)).status == 200


async def test_nobody_looks_or_chooses_for_another(site: Site) -> None:
    id = (await site.connected(user_id=BEN, advertisers=TWO))["connection_id"]
    body = {"advertiser_id": "42", "user_id": BEN}
    assert (await site.get(f"/advertisers?user_id={BEN}", site.user())).code == "forbidden"
    assert (await site.post("/advertisers/select", site.user(), **body)).code == "forbidden"
    assert (await site.get(f"/advertisers?connection_id={id}", site.user())).code == "not_found"


async def test_one_that_was_not_granted_is_refused(site: Site) -> None:
    await site.connected(advertisers=TWO)
    answer = await site.post("/advertisers/select", site.user(), advertiser_id="43")
    assert (answer.status, answer.code) == (422, "unknown_advertiser")


@pytest.mark.parametrize("id", [7533163835474346001, 42, 4.2, True])
async def test_an_id_as_a_number_is_refused_with_the_reason(site: Site, id: Any) -> None:
    await site.connected(advertisers=TWO)
    answer = await site.post("/advertisers/select", site.user(), advertiser_id=id)
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.said["error"].startswith("advertiser_id must be text, in quotes")


async def test_a_chosen_one_that_is_gone_is_told(site: Site) -> None:
    id = (await site.connected(advertisers=TWO[:1], person="anna"))["connection_id"]
    granted = {"person": "anna", "advertisers": TWO[1:]}
    await site.simulator.post("/_sim/advertisers", granted)
    await site.post(f"/connections/{id}/refresh", site.user())
    listed = (await site.get("/advertisers", site.user())).said
    assert listed["selected_lost"] == TWO[0]
    assert listed["advertisers"] == [{**TWO[1], "selected": False}]
    assert (await site.get(f"/connections/{id}", site.user())).said["advertiser_lost"] is True
