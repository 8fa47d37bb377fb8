"""The Marketing API: advertiser tokens, which never expire and cannot be refreshed.

https://business-api.tiktok.com/portal/docs
"""

from __future__ import annotations

from aiohttp import web

from .api_call import ApiCall, ApiError
from .business_envelope import (
    api_error,
    authenticate_app,
    get_route,
    invalid_code_error,
    paginate,
    post_route,
    require_token,
    required,
    text_list,
)
from .model import Grant, Json
from .sample_data import advertiser_info, profile_of, snowflake_id
from .token_registry import InvalidCode, InvalidToken

SCOPES = ("1", "2", "3", "4", "6", "100", "150", "7533163835474346001")
"""Numeric permissions. TikTok issues such large numbers too: a float cannot represent the last."""

SLOW_LISTING_FROM = 1_000
"""With more advertisers than this, an exchange that lists all of them is slow and may time out."""


def exchange(call: ApiCall) -> Json:
    call.log_operation("exchange", family="marketing")
    app_id, secret, code = required(call, "app_id", "secret", "auth_code")
    app = authenticate_app(call, app_id=app_id, secret=secret)
    try:
        issued = call.state.tokens.redeem(code, family="marketing", app_id=app.id)
    except InvalidCode as error:
        raise invalid_code_error(error.reason) from None
    grant = issued.grant
    call.log_grant(grant)
    scopes = [int(scope) for scope in grant.scopes]
    data: Json = {"access_token": issued.access_token, "scope": scopes}
    if str(call.parameters.get("return_advertiser_ids", True)).lower() != "false":
        data["advertiser_ids"] = _advertiser_ids(call, grant)
        if len(grant.advertisers) > SLOW_LISTING_FROM:
            call.response_delay_ms = call.state.settings.advertiser_ids_latency_ms
    return data


def _advertiser_ids(call: ApiCall, grant: Grant) -> list[str] | list[int]:
    if call.state.settings.numeric_ids:
        return [int(id) for id in grant.advertisers if id.isdigit()]
    return list(grant.advertisers)


def refresh(call: ApiCall) -> Json:
    """Marketing tokens have no refresh token. TikTok documents 40107 for this call."""
    call.log_operation("refresh", family="marketing")
    app_id, secret, _ = required(call, "app_id", "secret", "refresh_token")
    authenticate_app(call, app_id=app_id, secret=secret)
    call.state.call_log.counts["refreshes_refused"] += 1
    raise ApiError(40107, "The token is a long-term token and cannot be refreshed.")


def revoke(call: ApiCall) -> Json:
    call.log_operation("revoke", family="marketing")
    app_id, secret, token = required(call, "app_id", "secret", "access_token")
    app = authenticate_app(call, app_id=app_id, secret=secret)
    try:
        grant = call.state.tokens.find_grant(token)
    except InvalidToken:
        raise api_error(40105) from None
    if grant.family != "marketing" or not grant.is_active:
        raise api_error(40105)
    if grant.app_id != app.id:
        raise api_error(40000)
    call.state.tokens.revoke([grant])
    return {"app_id": app.id, "advertiser_ids": _advertiser_ids(call, grant)}


def granted_advertisers(call: ApiCall) -> Json:
    app_id, secret = required(call, "app_id", "secret")
    grant = require_token(call, "marketing").grant
    if authenticate_app(call, app_id=app_id, secret=secret).id != grant.app_id:
        raise api_error(40000)
    numeric = call.state.settings.numeric_ids
    return {
        "list": [
            {"advertiser_id": int(id) if numeric and id.isdigit() else id, "advertiser_name": name}
            for id, name in grant.advertisers.items()
        ]
    }


def advertiser_details(call: ApiCall) -> Json:
    grant = require_permission(call, "1", "100")
    ids = text_list(call, "advertiser_ids")
    if not ids:
        raise ApiError(40002, "advertiser_ids: Missing data for required field.")
    if len(ids) > 100:
        raise ApiError(40011, "advertiser_ids: Longer than the maximum of 100.")
    for advertiser_id in ids:
        require_advertiser(grant, advertiser_id)
    rows = [advertiser_info(id, grant.advertisers[id]) for id in ids]
    fields = text_list(call, "fields")
    return {"list": [_select_fields(row, fields) for row in rows]}


def _select_fields(row: Json, fields: list[str] | None) -> Json:
    """If `company_name_editable` is requested, TikTok returns only that field and the id."""
    if fields is None:
        return {name: value for name, value in row.items() if name != "company_name_editable"}
    unknown = [field for field in fields if field not in row]
    if unknown:
        raise ApiError(40002, f"fields: {unknown[0]} is not one of the choices.")
    if "company_name_editable" in fields:
        fields = ["company_name_editable"]
    return {field: row[field] for field in ["advertiser_id", *fields]}


def user_info(call: ApiCall) -> Json:
    grant = require_token(call, "marketing").grant
    profile = profile_of(grant.person)
    return {
        "core_user_id": grant.tiktok_user_id,
        "display_name": profile.display_name,
        "email": profile.email,
        "create_time": profile.created_at,
        "avatar_url": profile.avatar_url,
    }


def business_centers(call: ApiCall) -> Json:
    grant = require_permission(call, "1", "150")
    name = profile_of(grant.person).display_name
    business_center = {
        "bc_id": snowflake_id("bc", grant.person),
        "name": f"{name}'s Business Center",
        "company": f"{name} Ltd",
        "currency": "USD",
        "registered_area": "US",
        "status": "ENABLE",
        "timezone": "America/Los_Angeles",
        "type": "NORMAL",
        "organization_type": "OTHERS",
        "verification_status": "VERIFIED",
    }
    row = {
        "bc_info": business_center,
        "user_role": "ADMIN",
        "ext_user_role": {"finance_role": "MANAGER"},
        "binding_status": "BOUND",
    }
    return paginate(call, [row], max_page_size=50)


def require_permission(call: ApiCall, *any_of_scopes: str) -> Grant:
    """The grant of a token with one of these permissions. A parent includes its children."""
    grant = require_token(call, "marketing").grant
    if not set(any_of_scopes) & set(grant.scopes):
        raise ApiError(40001, "The app has no permission for this endpoint.")
    return grant


def require_advertiser(grant: Grant, advertiser_id: str) -> None:
    """TikTok has the same error for an unknown advertiser and for an advertiser without a grant."""
    if advertiser_id not in grant.advertisers:
        raise ApiError(40001, f"No permission to operate advertiser {advertiser_id}.")


ROUTES: list[web.RouteDef] = [
    post_route("oauth2/access_token/", exchange),
    post_route("oauth2/refresh_token/", refresh),
    post_route("oauth2/revoke_token/", revoke),
    get_route("oauth2/advertiser/get/", granted_advertisers),
    get_route("advertiser/info/", advertiser_details),
    get_route("user/info/", user_info),
    get_route("bc/get/", business_centers),
]
