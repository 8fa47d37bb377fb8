"""GET /connections: pages, filters, search and totals, for users and for servers."""

from __future__ import annotations

import pytest

from connector.model import UserId
from tests.credentials import ANNA
from tests.running_service import AS_SERVER

from .conftest import Harness

BEN = UserId("0b5a7c1e-4d3f-4a7b-8c9d-112233445566")


async def test_a_user_lists_their_own_connections_and_a_server_lists_all_connections(
    harness: Harness,
) -> None:
    ids = {user: (await harness.connect(user_id=user))["connection_id"] for user in (ANNA, BEN)}

    async def listed_ids(headers: dict[str, str], query: str = "") -> set[str]:
        connections = (await harness.get(f"/connections{query}", headers)).json["connections"]
        return {connection["id"] for connection in connections}

    assert await listed_ids(harness.as_user(ANNA)) == await listed_ids(
        harness.as_user(ANNA), f"?user_id={ANNA}"
    )
    assert await listed_ids(harness.as_user(ANNA)) == {ids[ANNA]}
    assert await listed_ids(AS_SERVER) == set(ids.values())
    assert await listed_ids(AS_SERVER, f"?user_id={BEN}") == {ids[BEN]}
    assert await listed_ids(AS_SERVER, "?family=login_kit") == set()
    assert (
        await harness.get(f"/connections?user_id={BEN}", harness.as_user(ANNA))
    ).code == "forbidden"


async def test_a_long_list_of_connections_is_returned_in_pages(each_store: Harness) -> None:
    user_ids = [UserId(f"0b5a7c1e-4d3f-4a7b-8c9d-{n:012d}") for n in range(5)]
    for user_id in user_ids:
        await each_store.connect(user_id=user_id)
    listed: list[str] = []
    after, pages = "", 0
    while after is not None:
        page = (await each_store.get(f"/connections?limit=2{after}", AS_SERVER)).json
        listed += [connection["user_id"] for connection in page["connections"]]
        after, pages = page["next"] and f"&after={page['next']}", pages + 1
    assert (pages, sorted(listed)) == (3, sorted(user_ids))


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("after=x", "after"),
        ("family=shop", "family"),
        ("status=broken", "status"),
        ("q=", "q"),
        ("q=%20", "q"),
        ("state=active", "state"),
        ("status=active&page=2", "page"),
    ],
)
async def test_an_invalid_query_parameter_is_named_in_the_error(
    harness: Harness, query: str, parameter: str
) -> None:
    response = await harness.get(f"/connections?{query}", harness.as_user())
    assert (response.status, response.code) == (400, "invalid_request")
    assert response.json["error"].startswith(parameter)


async def test_an_error_about_an_unknown_parameter_repeats_a_short_name_and_no_value(
    harness: Harness,
) -> None:
    response = await harness.get(f"/connections?{'n' * 500}=secret", harness.as_user())
    assert response.status == 400
    assert response.json["error"] == f"{'n' * 100} is not a parameter of this address."


async def test_each_filter_limits_the_list_and_the_totals_count_all_statuses(
    each_store: Harness,
) -> None:
    shop = [{"id": "7533163835474346001", "name": "Żółta Łódź"}]
    active = (await each_store.connect(advertisers=shop))["connection_id"]
    ended = (await each_store.connect(user_id=BEN))["connection_id"]
    profile = (await each_store.connect(family="login_kit"))["connection_id"]
    await each_store.call("DELETE", f"/connections/{ended}", headers=AS_SERVER)

    async def ids(query: str) -> list[str]:
        page = (await each_store.get(f"/connections?{query}", AS_SERVER)).json
        return [connection["id"] for connection in page["connections"]]

    assert sorted(await ids("status=active")) == sorted([active, profile])
    assert await ids("status=revoked") == [ended]
    assert await ids("family=login_kit") == [profile]
    assert await ids("q=ŻÓŁ") == await ids("q=7533163835474346001") == [active]
    assert await ids(f"q={BEN}") == await ids(f"q={ended.upper()}") == [ended]
    assert await ids("q=żół&status=revoked") == []
    totals = {"reconnect_required": 0, "refresh_failing": 0, "active": 2, "revoked": 1}
    response = (await each_store.get("/connections?status=revoked&q=x", AS_SERVER)).json
    assert response == {"connections": [], "next": None, "totals": totals}
    response = (await each_store.get("/connections?family=login_kit", AS_SERVER)).json
    assert response["totals"] == totals | {"active": 1, "revoked": 0}


async def test_the_totals_of_a_user_are_their_own_and_never_old(each_store: Harness) -> None:
    await each_store.connect(user_id=BEN)
    for count in (0, 1):
        page = (await each_store.get("/connections", each_store.as_user())).json
        assert page["totals"]["active"] == count
        await each_store.connect()


async def test_the_totals_of_a_server_are_at_most_thirty_seconds_old(harness: Harness) -> None:
    async def active() -> int:
        return int((await harness.get("/connections", AS_SERVER)).json["totals"]["active"])

    assert await active() == 0
    await harness.connect()
    assert await active() == 0
    harness.simulator.clock.advance(30)
    assert await active() == 1


async def test_a_user_cannot_find_the_connection_of_another_user(harness: Harness) -> None:
    id = (await harness.connect(user_id=BEN))["connection_id"]
    for query in (id, BEN):
        page = (await harness.get(f"/connections?q={query}", harness.as_user(ANNA))).json
        assert page["connections"] == []


async def test_the_list_contains_the_name_of_a_profile(each_store: Harness) -> None:
    id = (await each_store.connect(family="login_kit"))["connection_id"]
    detail = (await each_store.get(f"/connections/{id}", AS_SERVER)).json
    (listed,) = (await each_store.get("/connections", AS_SERVER)).json["connections"]
    assert listed["account"] == detail["account"] is not None
