"""The Marketing API: tokens of advertisers, which never expire and cannot be refreshed.

https://business-api.tiktok.com/portal/docs
"""

from __future__ import annotations

from aiohttp import web

from .business import CODE_FAULTS, MESSAGES, client, get, paged, post, signed_in, texts, wanted
from .grammar import Ask, Refusal
from .ledger import BadCode, BadToken
from .nouns import Grant, Issued, Json
from .people import advertiser_info, profile, snowflake

SCOPES = ("1", "2", "3", "4", "6", "100", "150", "7533163835474346001")
"""Numeric permissions; the last is real in kind: beyond 2^53, so no float may touch it."""

MANY = 1_000
"""From here on an exchange that lists every advertiser is slow, and may time out."""


def exchange(ask: Ask) -> Json:
    ask.note(what="exchange", family="marketing")
    id, secret, code = wanted(ask, "app_id", "secret", "auth_code")
    app = client(ask, id=id, secret=secret)
    try:
        issued = ask.world.ledger.redeem(code, family="marketing", app_id=app.id)
    except BadCode as bad:
        raise Refusal(*CODE_FAULTS[bad.fault]) from None
    grant = issued.grant
    ask.note(subject=grant.subject)
    data: Json = {"access_token": issued.access, "scope": [int(s) for s in grant.scopes]}
    if str(ask.given.get("return_advertiser_ids", True)).lower() != "false":
        data["advertiser_ids"] = _ids(ask, grant)
        if len(grant.advertisers) > MANY:
            ask.delay_ms = ask.world.settings.advertiser_ids_latency_ms
    return data


def _ids(ask: Ask, grant: Grant) -> list[str] | list[int]:
    if ask.world.settings.numeric_ids:
        return [int(id) for id in grant.advertisers if id.isdigit()]
    return list(grant.advertisers)


def refresh(ask: Ask) -> Json:
    """There is nothing to refresh: TikTok documents 40107 for whoever tries."""
    ask.note(what="refresh", family="marketing")
    id, secret, _ = wanted(ask, "app_id", "secret", "refresh_token")
    client(ask, id=id, secret=secret)
    ask.world.record.counts["refreshes_refused"] += 1
    raise Refusal(40107, "The token is a long-term token and cannot be refreshed.")


def revoke(ask: Ask) -> Json:
    ask.note(what="revoke", family="marketing")
    id, secret, token = wanted(ask, "app_id", "secret", "access_token")
    app = client(ask, id=id, secret=secret)
    try:
        grant = ask.world.ledger.either(token)
    except BadToken:
        raise Refusal(40105, MESSAGES[40105]) from None
    if grant.family != "marketing" or not grant.alive:
        raise Refusal(40105, MESSAGES[40105])
    if grant.app_id != app.id:
        raise Refusal(40113, "The access token belongs to another app.")
    ask.world.ledger.revoke([grant])
    return {"app_id": app.id, "advertiser_ids": _ids(ask, grant)}


def advertisers(ask: Ask) -> Json:
    id, secret = wanted(ask, "app_id", "secret")
    grant = signed_in(ask, "marketing").grant
    if client(ask, id=id, secret=secret).id != grant.app_id:
        raise Refusal(40113, "The access token belongs to another app.")
    numeric = ask.world.settings.numeric_ids
    return {
        "list": [
            {"advertiser_id": int(id) if numeric and id.isdigit() else id, "advertiser_name": name}
            for id, name in grant.advertisers.items()
        ]
    }


def info(ask: Ask) -> Json:
    grant = permitted(ask, "1", "100").grant
    ids = texts(ask, "advertiser_ids")
    if not ids:
        raise Refusal(40002, "advertiser_ids: Missing data for required field.")
    if len(ids) > 100:
        raise Refusal(40011, "advertiser_ids: Longer than the maximum of 100.")
    for id in ids:
        granted(grant, id)
    rows = [advertiser_info(id, grant.advertisers[id]) for id in ids]
    fields = texts(ask, "fields")
    return {"list": [_only(row, fields) for row in rows]}


def _only(row: Json, fields: list[str] | None) -> Json:
    """Asking for `company_name_editable` gives that and the id, whatever else is asked."""
    if fields is None:
        return {k: v for k, v in row.items() if k != "company_name_editable"}
    unknown = [f for f in fields if f not in row]
    if unknown:
        raise Refusal(40002, f"fields: {unknown[0]} is not one of the choices.")
    if "company_name_editable" in fields:
        fields = ["company_name_editable"]
    return {k: row[k] for k in ["advertiser_id", *(f for f in fields if f != "advertiser_id")]}


def user_info(ask: Ask) -> Json:
    grant = signed_in(ask, "marketing").grant
    who = profile(grant.person)
    return {
        "core_user_id": grant.subject,
        "display_name": who.display_name,
        "email": who.email,
        "create_time": who.joined,
        "avatar_url": who.avatar_url,
    }


def business_centers(ask: Ask) -> Json:
    grant = permitted(ask, "1", "150").grant
    name = profile(grant.person).display_name
    centre = {
        "bc_id": snowflake("bc", grant.person),
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
        "bc_info": centre,
        "user_role": "ADMIN",
        "ext_user_role": {"finance_role": "MANAGER"},
        "binding_status": "BOUND",
    }
    return paged(ask, [row], most=50)


def permitted(ask: Ask, *any_of: str) -> Issued:
    """A marketing token whose app holds one of these permissions; a top-level id implies its leaves."""
    issued = signed_in(ask, "marketing")
    if not set(any_of) & set(issued.grant.scopes):
        raise Refusal(40001, "The app has no permission for this endpoint.")
    return issued


def granted(grant: Grant, advertiser_id: str) -> str:
    """Unknown and not granted are the same to TikTok."""
    if advertiser_id not in grant.advertisers:
        raise Refusal(40001, f"No permission to operate advertiser {advertiser_id}.")
    return advertiser_id


ROUTES: list[web.RouteDef] = [
    post("oauth2/access_token/", exchange),
    post("oauth2/refresh_token/", refresh),
    post("oauth2/revoke_token/", revoke),
    get("oauth2/advertiser/get/", advertisers),
    get("advertiser/info/", info),
    get("user/info/", user_info),
    get("bc/get/", business_centers),
]
