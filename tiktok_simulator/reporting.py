"""Campaigns and reports. The figures are computed from ids, so a repeated call returns the same."""

from __future__ import annotations

from datetime import date, timedelta
from typing import cast

from aiohttp import web

from .api_call import ApiCall, ApiError
from .business_envelope import get_route, json_parameter, paginate, required, text_list
from .marketing import require_advertiser, require_permission
from .model import Json
from .sample_data import snowflake_id, stable_number

_OBJECTIVES = ("TRAFFIC", "WEB_CONVERSIONS", "LEAD_GENERATION", "REACH", "VIDEO_VIEWS")
_REPORT_TYPES = ("BASIC", "AUDIENCE", "PLAYABLE_MATERIAL", "CATALOG", "BC", "TT_SHOP")
_DATA_LEVELS = ("AUCTION_AD", "AUCTION_ADGROUP", "AUCTION_CAMPAIGN", "AUCTION_ADVERTISER")
_ID_DIMENSIONS = ("advertiser_id", "campaign_id", "adgroup_id", "ad_id")
_COUNT_LIMITS = {"impressions": 90_000, "reach": 60_000, "clicks": 2_500, "conversion": 90}
_DECIMAL_LIMITS = {
    "spend": 50_000,
    "cpc": 120,
    "cpm": 900,
    "cost_per_conversion": 2_500,
    "ctr": 500,
}
"""Upper limits of the metrics with two decimals, in hundredths."""


def campaigns(call: ApiCall) -> Json:
    (advertiser_id,) = required(call, "advertiser_id")
    require_advertiser(require_permission(call, "2"), advertiser_id)
    filtering = cast(Json, json_parameter(call, "filtering", type=dict) or {})
    rows = [row for row in _campaigns_of(advertiser_id) if _matches(row, filtering)]
    fields = text_list(call, "fields")
    if fields:
        rows = [{name: value for name, value in row.items() if name in fields} for row in rows]
    return paginate(call, rows)


def _campaigns_of(advertiser_id: str) -> list[Json]:
    count = 3 + stable_number("campaigns", advertiser_id, below=20)
    return [_campaign(advertiser_id, index) for index in range(count)]


def _campaign(advertiser_id: str, index: int) -> Json:
    campaign_id = snowflake_id("campaign", advertiser_id, index)
    is_deleted = index % 7 == 6
    created = date(2025, 1, 6) + timedelta(days=stable_number("day", campaign_id, below=600))
    objective = stable_number("objective", campaign_id, below=len(_OBJECTIVES))
    return {
        "advertiser_id": advertiser_id,
        "campaign_id": campaign_id,
        "campaign_name": f"Campaign {index + 1}",
        "campaign_type": "REGULAR_CAMPAIGN",
        "objective_type": _OBJECTIVES[objective],
        "budget": stable_number("budget", campaign_id, below=100_000) / 100,
        "budget_mode": "BUDGET_MODE_DAY",
        "operation_status": "DISABLE" if index % 3 == 2 else "ENABLE",
        "secondary_status": "CAMPAIGN_STATUS_DELETE" if is_deleted else "CAMPAIGN_STATUS_ENABLE",
        "create_time": f"{created} 08:00:00",
        "modify_time": f"{created + timedelta(days=3)} 17:30:00",
    }


def _matches(campaign: Json, filtering: Json) -> bool:
    """Deleted campaigns are listed only if the filter requests them."""
    ids = filtering.get("campaign_ids")
    if ids is not None and campaign["campaign_id"] not in [str(id) for id in ids]:
        return False
    is_deleted: bool = campaign["secondary_status"] == "CAMPAIGN_STATUS_DELETE"
    if filtering.get("primary_status") == "STATUS_DELETE":
        return is_deleted
    return filtering.get("secondary_status") == "CAMPAIGN_STATUS_ALL" or not is_deleted


def report(call: ApiCall) -> Json:
    (report_type,) = required(call, "report_type")
    grant = require_permission(call, "4")
    _require_choice("report_type", report_type, _REPORT_TYPES)
    dimensions = text_list(call, "dimensions") or []
    metrics = text_list(call, "metrics") or ["spend", "impressions"]
    if not dimensions:
        raise ApiError(40002, "dimensions: Missing data for required field.")
    if report_type != "BC":
        _require_choice("data_level", call.text("data_level"), _DATA_LEVELS)
    advertiser_ids = _requested_advertisers(call)
    for advertiser_id in advertiser_ids:
        require_advertiser(grant, advertiser_id)
    days = _requested_days(call, dimensions)
    rows = [
        {
            "dimensions": values,
            "metrics": {metric: _metric_value(metric, *values.values()) for metric in metrics},
        }
        for values in _dimension_values(dimensions, advertiser_ids, days)
    ]
    return paginate(call, rows)


def _requested_advertisers(call: ApiCall) -> list[str]:
    ids = text_list(call, "advertiser_ids") or [id for id in [call.text("advertiser_id")] if id]
    if not ids and not call.text("bc_id"):
        raise ApiError(40002, "advertiser_id: Missing data for required field.")
    if len(ids) > 5:
        raise ApiError(40011, "advertiser_ids: Longer than the maximum of 5.")
    return ids


def _requested_days(call: ApiCall, dimensions: list[str]) -> list[date]:
    """TikTok allows a longer range for coarser time dimensions."""
    if call.text("query_lifetime").lower() == "true":
        return [date(2026, 1, 1)]
    start_date, end_date = required(call, "start_date", "end_date")
    try:
        start, end = date.fromisoformat(start_date), date.fromisoformat(end_date)
    except ValueError:
        raise ApiError(40002, "start_date, end_date: Not a valid date.") from None
    max_days = 365
    if "stat_time_hour" in dimensions:
        max_days = 1
    elif "stat_time_day" in dimensions:
        max_days = 30
    days = (end - start).days
    if not 0 <= days <= max_days:
        raise ApiError(40002, f"start_date, end_date: The range must be within {max_days} days.")
    return [start + timedelta(days=offset) for offset in range(days + 1)]


def _dimension_values(
    dimensions: list[str], advertiser_ids: list[str], days: list[date]
) -> list[Json]:
    """The dimension values of every report row."""
    is_hourly = "stat_time_hour" in dimensions
    is_daily = is_hourly or "stat_time_day" in dimensions
    return [
        _row_dimensions(dimensions, object_id, day=day, hour=hour)
        for advertiser_id in advertiser_ids
        for object_id in _object_ids(dimensions, advertiser_id)
        for day in (days if is_daily else days[:1])
        for hour in (range(24) if is_hourly else range(1))
    ]


def _object_ids(dimensions: list[str], advertiser_id: str) -> list[str]:
    """The ids of the finest object in the dimensions."""
    finest = next((name for name in reversed(_ID_DIMENSIONS) if name in dimensions), None)
    if finest in (None, "advertiser_id"):
        return [advertiser_id]
    campaign_ids = [str(campaign["campaign_id"]) for campaign in _campaigns_of(advertiser_id)]
    if finest == "campaign_id":
        return campaign_ids
    return [snowflake_id(finest, campaign_id) for campaign_id in campaign_ids]


def _row_dimensions(dimensions: list[str], object_id: str, *, day: date, hour: int) -> Json:
    times = {
        "stat_time_day": f"{day} 00:00:00",
        "stat_time_hour": f"{day} {hour:02}:00:00",
    }
    return {
        name: times.get(name, object_id if name in _ID_DIMENSIONS else "-") for name in dimensions
    }


def _metric_value(metric: str, *dimension_values: object) -> str:
    """TikTok sends figures as text, and "-" if there is no data."""
    if metric in _COUNT_LIMITS:
        return str(stable_number(metric, *dimension_values, below=_COUNT_LIMITS[metric]))
    if metric in _DECIMAL_LIMITS:
        hundredths = stable_number(metric, *dimension_values, below=_DECIMAL_LIMITS[metric])
        return f"{hundredths / 100:.2f}"
    return "-"


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ApiError(40002, f"{name}: Must be one of {', '.join(choices)}.")


ROUTES: list[web.RouteDef] = [
    get_route("campaign/get/", campaigns),
    get_route("report/integrated/get/", report),
]
