"""Campaigns and reports: plausible figures, the same ones every time they are asked for."""

from __future__ import annotations

from datetime import date, timedelta
from typing import cast

from aiohttp import web

from .business import get, json_text, paged, texts, wanted
from .grammar import Ask, Refusal
from .marketing import granted, permitted
from .nouns import Json
from .people import number, snowflake

_OBJECTIVES = ("TRAFFIC", "WEB_CONVERSIONS", "LEAD_GENERATION", "REACH", "VIDEO_VIEWS")
_REPORTS = ("BASIC", "AUDIENCE", "PLAYABLE_MATERIAL", "CATALOG", "BC", "TT_SHOP")
_LEVELS = ("AUCTION_AD", "AUCTION_ADGROUP", "AUCTION_CAMPAIGN", "AUCTION_ADVERTISER")
_ID_DIMENSIONS = ("advertiser_id", "campaign_id", "adgroup_id", "ad_id")
_METRICS = {"impressions": 90_000, "reach": 60_000, "clicks": 2_500, "conversion": 90}
_MONEY = {"spend": 50_000, "cpc": 120, "cpm": 900, "cost_per_conversion": 2_500, "ctr": 500}


def _campaigns(advertiser_id: str) -> list[Json]:
    return [
        _campaign(advertiser_id, n) for n in range(3 + number("campaigns", advertiser_id, below=20))
    ]


def _campaign(advertiser_id: str, n: int) -> Json:
    id = snowflake("campaign", advertiser_id, n)
    deleted = n % 7 == 6
    created = date(2025, 1, 6) + timedelta(days=number("day", id, below=600))
    return {
        "advertiser_id": advertiser_id,
        "campaign_id": id,
        "campaign_name": f"Campaign {n + 1}",
        "campaign_type": "REGULAR_CAMPAIGN",
        "objective_type": _OBJECTIVES[number("objective", id, below=len(_OBJECTIVES))],
        "budget": number("budget", id, below=100_000) / 100,
        "budget_mode": "BUDGET_MODE_DAY",
        "operation_status": "DISABLE" if n % 3 == 2 else "ENABLE",
        "secondary_status": "CAMPAIGN_STATUS_DELETE" if deleted else "CAMPAIGN_STATUS_ENABLE",
        "create_time": f"{created} 08:00:00",
        "modify_time": f"{created + timedelta(days=3)} 17:30:00",
    }


def campaigns(ask: Ask) -> Json:
    (advertiser_id,) = wanted(ask, "advertiser_id")
    granted(permitted(ask, "2").grant, advertiser_id)
    filtering = cast(Json, json_text(ask, "filtering", dict) or {})
    rows = [row for row in _campaigns(advertiser_id) if _kept(row, filtering)]
    fields = texts(ask, "fields")
    if fields:
        rows = [{k: v for k, v in row.items() if k in fields} for row in rows]
    return paged(ask, rows)


def _kept(row: Json, filtering: Json) -> bool:
    """Deleted campaigns are hidden unless they are asked for."""
    ids = filtering.get("campaign_ids")
    if ids is not None and row["campaign_id"] not in [str(id) for id in ids]:
        return False
    deleted: bool = row["secondary_status"] == "CAMPAIGN_STATUS_DELETE"
    if filtering.get("primary_status") == "STATUS_DELETE":
        return deleted
    return filtering.get("secondary_status") == "CAMPAIGN_STATUS_ALL" or not deleted


def report(ask: Ask) -> Json:
    (kind,) = wanted(ask, "report_type")
    grant = permitted(ask, "4").grant
    _one_of(kind, _REPORTS, "report_type")
    dimensions = texts(ask, "dimensions") or []
    metrics = texts(ask, "metrics") or ["spend", "impressions"]
    if not dimensions:
        raise Refusal(40002, "dimensions: Missing data for required field.")
    if kind != "BC":
        _one_of(ask.text("data_level"), _LEVELS, "data_level")
    ids = [granted(grant, id) for id in _advertisers(ask)]
    rows = [
        {"dimensions": at, "metrics": {m: _figure(m, *at.values()) for m in metrics}}
        for at in _points(dimensions, ids, _days(ask, dimensions))
    ]
    return paged(ask, rows)


def _advertisers(ask: Ask) -> list[str]:
    ids = texts(ask, "advertiser_ids") or [id for id in [ask.text("advertiser_id")] if id]
    if not ids and not ask.text("bc_id"):
        raise Refusal(40002, "advertiser_id: Missing data for required field.")
    if len(ids) > 5:
        raise Refusal(40011, "advertiser_ids: Longer than the maximum of 5.")
    return ids


def _days(ask: Ask, dimensions: list[str]) -> list[date]:
    """The days asked for; TikTok's limit depends on how finely they are cut."""
    if ask.text("query_lifetime").lower() == "true":
        return [date(2026, 1, 1)]
    first, last = wanted(ask, "start_date", "end_date")
    try:
        start, end = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        raise Refusal(40002, "start_date, end_date: Not a valid date.") from None
    most = 1 if "stat_time_hour" in dimensions else 30 if "stat_time_day" in dimensions else 365
    span = (end - start).days
    if not 0 <= span <= most:
        raise Refusal(40002, f"start_date, end_date: The range must be within {most} days.")
    return [start + timedelta(days=n) for n in range(span + 1)]


def _points(dimensions: list[str], ids: list[str], days: list[date]) -> list[Json]:
    hours = range(24) if "stat_time_hour" in dimensions else range(1)
    daily = "stat_time_day" in dimensions or "stat_time_hour" in dimensions
    points: list[Json] = []
    for advertiser_id in ids:
        for object_id in _objects(dimensions, advertiser_id):
            for day in days if daily else days[:1]:
                points += [_point(dimensions, object_id, day, hour) for hour in hours]
    return points


def _objects(dimensions: list[str], advertiser_id: str) -> list[str]:
    finest = next((d for d in reversed(_ID_DIMENSIONS) if d in dimensions), "advertiser_id")
    if finest == "advertiser_id":
        return [advertiser_id]
    ids = [str(row["campaign_id"]) for row in _campaigns(advertiser_id)]
    return ids if finest == "campaign_id" else [snowflake(finest, id) for id in ids]


def _point(dimensions: list[str], object_id: str, day: date, hour: int) -> Json:
    values = {
        "stat_time_day": f"{day} 00:00:00",
        "stat_time_hour": f"{day} {hour:02}:00:00",
    }
    return {d: values.get(d, object_id if d in _ID_DIMENSIONS else "-") for d in dimensions}


def _figure(metric: str, *point: object) -> str | None:
    """Text mostly; "-" where there is no data, as TikTok writes it."""
    if metric in _METRICS:
        return str(number(metric, *point, below=_METRICS[metric]))
    if metric in _MONEY:
        return f"{number(metric, *point, below=_MONEY[metric]) / 100:.2f}"
    return "-"


def _one_of(value: str, choices: tuple[str, ...], name: str) -> None:
    if value not in choices:
        raise Refusal(40002, f"{name}: Must be one of {', '.join(choices)}.")


ROUTES: list[web.RouteDef] = [
    get("campaign/get/", campaigns),
    get("report/integrated/get/", report),
]
