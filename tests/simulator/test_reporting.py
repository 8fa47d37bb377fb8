"""Campaigns and reports come in pages, and the same figures every time."""

import pytest

from .conftest import Json, Tap

CAMPAIGNS = "/open_api/v1.3/campaign/get/"
REPORT = "/open_api/v1.3/report/integrated/get/"
ASKED = {
    "report_type": "BASIC",
    "data_level": "AUCTION_CAMPAIGN",
    "advertiser_id": "71",
    "dimensions": '["campaign_id","stat_time_day"]',
    "metrics": '["spend","impressions","video_play_actions"]',
    "start_date": "2026-11-01",
    "end_date": "2026-11-03",
    "page_size": "1000",
}


async def _report(tap: Tap, **changed: str) -> Json:
    return await tap.get(
        REPORT, token=await tap.ads_token(advertisers=["71"]), **{**ASKED, **changed}
    )


async def test_pages_of_campaigns_add_up(tap: Tap) -> None:
    token = await tap.ads_token(advertisers=["71"])
    first = await tap.get(CAMPAIGNS, token=token, advertiser_id="71", page_size="2")
    info = first["data"]["page_info"]
    rows = [
        row
        for page in range(1, info["total_page"] + 1)
        for row in (
            await tap.get(CAMPAIGNS, token=token, advertiser_id="71", page_size="2", page=str(page))
        )["data"]["list"]
    ]
    assert len({row["campaign_id"] for row in rows}) == info["total_number"]


async def test_deleted_campaigns_are_hidden_unless_asked_for(tap: Tap) -> None:
    token = await tap.ads_token(advertisers=40)
    ids = list(tap.world.ledger.access(token).grant.advertisers)
    totals = []
    for filtering in ("{}", '{"secondary_status":"CAMPAIGN_STATUS_ALL"}'):
        counts = [
            (await tap.get(CAMPAIGNS, token=token, advertiser_id=id, filtering=filtering))["data"]
            for id in ids
        ]
        totals.append(sum(data["page_info"]["total_number"] for data in counts))
    assert totals[0] < totals[1]


async def test_campaigns_of_somebody_else_are_refused(tap: Tap) -> None:
    answer = await tap.get(CAMPAIGNS, token=await tap.ads_token(), advertiser_id="99")
    assert answer["code"] == 40001


async def test_a_report_has_one_row_per_campaign_and_day(tap: Tap) -> None:
    rows = (await _report(tap))["data"]["list"]
    days = {row["dimensions"]["stat_time_day"] for row in rows}
    campaigns = {row["dimensions"]["campaign_id"] for row in rows}
    assert len(days) == 3
    assert len(rows) == 3 * len(campaigns)


async def test_figures_are_text_and_a_dash_where_there_is_nothing(tap: Tap) -> None:
    metrics = (await _report(tap))["data"]["list"][0]["metrics"]
    assert metrics["impressions"].isdigit()
    assert "." in metrics["spend"]
    assert metrics["video_play_actions"] == "-"


async def test_a_report_says_the_same_twice(tap: Tap) -> None:
    assert (await _report(tap))["data"] == (await _report(tap))["data"]


@pytest.mark.parametrize(
    "changed",
    [
        {"end_date": "2026-12-02"},
        {"end_date": "2026-10-31"},
        {"report_type": "GUESS"},
        {"data_level": "GUESS"},
        {"dimensions": ""},
        {"start_date": "yesterday"},
        {"page_size": "1001"},
    ],
    ids=lambda changed: next(iter(changed.items())),
)
async def test_a_report_that_cannot_be_asked_for_is_refused(tap: Tap, changed: Json) -> None:
    assert (await _report(tap, **changed))["code"] == 40002


async def test_five_advertisers_are_the_most_for_one_report(tap: Tap) -> None:
    token = await tap.ads_token(advertisers=[str(n) for n in range(6)])
    asked = {k: v for k, v in ASKED.items() if k != "advertiser_id"}
    ids = '["0","1","2","3","4","5"]'
    assert (await tap.get(REPORT, token=token, **asked, advertiser_ids=ids))["code"] == 40011
