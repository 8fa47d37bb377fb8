"""Campaigns and reports: pages, filters, limits, and the same figures in each response."""

import pytest

from .conftest import Client, Json

CAMPAIGNS = "/open_api/v1.3/campaign/get/"
REPORT = "/open_api/v1.3/report/integrated/get/"
PARAMETERS = {
    "report_type": "BASIC",
    "data_level": "AUCTION_CAMPAIGN",
    "advertiser_id": "71",
    "dimensions": '["campaign_id","stat_time_day"]',
    "metrics": '["spend","impressions","video_play_actions"]',
    "start_date": "2026-11-01",
    "end_date": "2026-11-03",
    "page_size": "1000",
}


async def _report(client: Client, **changes: str) -> Json:
    token = await client.marketing_token(advertisers=["71"])
    return await client.get(REPORT, token=token, **{**PARAMETERS, **changes})


async def test_the_pages_of_campaigns_add_up_to_the_total(client: Client) -> None:
    token = await client.marketing_token(advertisers=["71"])
    first = await client.get(CAMPAIGNS, token=token, advertiser_id="71", page_size="2")
    info = first["data"]["page_info"]
    rows = [
        row
        for page in range(1, info["total_page"] + 1)
        for row in (
            await client.get(
                CAMPAIGNS, token=token, advertiser_id="71", page_size="2", page=str(page)
            )
        )["data"]["list"]
    ]
    assert len({row["campaign_id"] for row in rows}) == info["total_number"]


async def test_deleted_campaigns_are_listed_only_on_request(client: Client) -> None:
    token = await client.marketing_token(advertisers=40)
    ids = list(client.state.tokens.find_access_token(token).grant.advertisers)
    totals = []
    for filtering in ("{}", '{"secondary_status":"CAMPAIGN_STATUS_ALL"}'):
        responses = [
            await client.get(CAMPAIGNS, token=token, advertiser_id=id, filtering=filtering)
            for id in ids
        ]
        totals.append(sum(r["data"]["page_info"]["total_number"] for r in responses))
    assert totals[0] < totals[1]


async def test_the_campaigns_of_an_advertiser_that_was_not_granted_are_refused(
    client: Client,
) -> None:
    response = await client.get(CAMPAIGNS, token=await client.marketing_token(), advertiser_id="99")
    assert response["code"] == 40001


async def test_a_report_has_one_row_per_campaign_and_day(client: Client) -> None:
    rows = (await _report(client))["data"]["list"]
    days = {row["dimensions"]["stat_time_day"] for row in rows}
    campaigns = {row["dimensions"]["campaign_id"] for row in rows}
    assert len(days) == 3
    assert len(rows) == 3 * len(campaigns)


async def test_report_figures_are_text_and_a_dash_if_there_is_no_data(client: Client) -> None:
    metrics = (await _report(client))["data"]["list"][0]["metrics"]
    assert metrics["impressions"].isdigit()
    assert "." in metrics["spend"]
    assert metrics["video_play_actions"] == "-"


async def test_a_repeated_report_returns_the_same_data(client: Client) -> None:
    assert (await _report(client))["data"] == (await _report(client))["data"]


@pytest.mark.parametrize(
    "changes",
    [
        {"end_date": "2026-12-02"},
        {"end_date": "2026-10-31"},
        {"report_type": "GUESS"},
        {"data_level": "GUESS"},
        {"dimensions": ""},
        {"start_date": "yesterday"},
        {"page_size": "1001"},
    ],
    ids=lambda changes: next(iter(changes.items())),
)
async def test_a_report_with_an_invalid_parameter_is_refused(client: Client, changes: Json) -> None:
    assert (await _report(client, **changes))["code"] == 40002


async def test_a_report_refuses_more_than_five_advertisers(client: Client) -> None:
    token = await client.marketing_token(advertisers=[str(n) for n in range(6)])
    parameters = {name: value for name, value in PARAMETERS.items() if name != "advertiser_id"}
    ids = '["0","1","2","3","4","5"]'
    response = await client.get(REPORT, token=token, **parameters, advertiser_ids=ids)
    assert response["code"] == 40011
