"""The TikTok Accounts API: tokens of account holders, on the business host.

https://business-api.tiktok.com/portal/docs
"""

from __future__ import annotations

from aiohttp import web

from .business import (
    CODE_FAULTS,
    MESSAGES,
    client,
    get,
    held,
    json_text,
    post,
    signed_in,
    texts,
    wanted,
)
from .grammar import Ask, Refusal, remaining
from .ledger import BadCode, BadToken
from .notices import outcome
from .nouns import Grant, Issued, Json
from .people import number, profile, videos


def exchange(ask: Ask) -> Json:
    ask.note(what="exchange", family="accounts")
    id, secret, kind, code, redirect_uri = wanted(
        ask, "client_id", "client_secret", "grant_type", "auth_code", "redirect_uri"
    )
    _grant_type(kind, "authorization_code")
    app = client(ask, id=id, secret=secret)
    try:
        issued = ask.world.ledger.redeem(
            code, family="accounts", app_id=app.id, redirect_uri=redirect_uri
        )
    except BadCode as bad:
        raise Refusal(*CODE_FAULTS[bad.fault]) from None
    return _tokens(ask, issued)


def refresh(ask: Ask) -> Json:
    ask.note(what="refresh", family="accounts")
    id, secret, kind, token = wanted(
        ask, "client_id", "client_secret", "grant_type", "refresh_token"
    )
    _grant_type(kind, "refresh_token")
    app = client(ask, id=id, secret=secret)
    try:
        issued = ask.world.ledger.refresh(token, family="accounts", app_id=app.id)
    except BadToken as bad:
        code = 40103 if bad.fault == "expired" else 40107
        raise Refusal(code, MESSAGES[code]) from None
    return _tokens(ask, issued)


def _grant_type(given: str, expected: str) -> None:
    if given != expected:
        raise Refusal(40108, f"grant_type: Must be {expected}.")


def _tokens(ask: Ask, issued: Issued) -> Json:
    now = ask.world.now()
    ask.note(subject=issued.grant.subject)
    return {
        "access_token": issued.access,
        "token_type": "Bearer",
        "scope": ",".join(issued.grant.scopes),
        "expires_in": remaining(issued.access_until, now=now),
        "refresh_token": issued.refresh,
        "refresh_token_expires_in": remaining(issued.refresh_until, now=now),
        "open_id": issued.grant.subject,
    }


def revoke(ask: Ask) -> Json:
    ask.note(what="revoke", family="accounts")
    id, secret, token = wanted(ask, "client_id", "client_secret", "access_token")
    app = client(ask, id=id, secret=secret)
    try:
        grant = ask.world.ledger.either(token)
    except BadToken:
        raise Refusal(40105, MESSAGES[40105]) from None
    if grant.family != "accounts" or grant.app_id != app.id or not grant.alive:
        raise Refusal(40105, MESSAGES[40105])
    ask.world.ledger.revoke([grant])
    return {}


def token_info(ask: Ask) -> Json:
    id, token = wanted(ask, "app_id", "access_token")
    app = ask.app(id)
    if app is None:
        raise Refusal(40113, MESSAGES[40113])
    grant = held(ask, token).grant
    if grant.family != "accounts" or grant.app_id != app.id:
        raise Refusal(40105, MESSAGES[40105])
    return {"app_id": app.id, "scope": ",".join(grant.scopes), "creator_id": grant.subject}


def _business(ask: Ask, *, scope: str) -> Grant:
    grant = signed_in(ask, "accounts", scope=scope).grant
    (business_id,) = wanted(ask, "business_id")
    if business_id != grant.subject:
        raise Refusal(40001, "No permission to operate this business_id.")
    return grant


def business(ask: Ask) -> Json:
    grant = _business(ask, scope="user.info.basic")
    who = profile(grant.person)
    all_of_it: Json = {
        "display_name": who.display_name,
        "profile_image": who.avatar_url,
        "username": who.username,
        "is_business_account": True,
        "followers_count": number("followers", grant.person, below=5_000_000),
        "following_count": number("following", grant.person, below=2_000),
        "total_likes": number("likes", grant.person, below=50_000_000),
        "videos_count": 45,
    }
    fields = texts(ask, "fields") or ["display_name", "profile_image"]
    return {field: all_of_it.get(field) for field in fields}


def video_list(ask: Ask) -> Json:
    grant = _business(ask, scope="video.list")
    json_text(ask, "filters", dict)
    count = int(ask.text("max_count") or 10) if ask.text("max_count").isdigit() else 10
    cursor = int(ask.text("cursor")) if ask.text("cursor").isdigit() else 0
    if not 1 <= count <= 20:
        raise Refusal(40002, "max_count: Must be between 1 and 20.")
    fields = texts(ask, "fields") or ["item_id", "create_time"]
    page, cursor, more = page_of(videos(grant.person), cursor=cursor, count=count)
    names = {"item_id": "id", "caption": "video_description", "thumbnail_url": "cover_image_url"}
    rows = [{f: video.get(names.get(f, f)) for f in fields} for video in page]
    return {"videos": rows, "cursor": cursor, "has_more": more}


def page_of(rows: list[Json], *, cursor: int, count: int) -> tuple[list[Json], int, bool]:
    """Videos before the cursor, which is the time of the last one shown, in milliseconds."""
    older = [row for row in rows if not cursor or row["create_time"] * 1_000 < cursor]
    page = older[:count]
    last = page[-1]["create_time"] * 1_000 if page else cursor
    return page, last, len(older) > len(page)


def publish(ask: Ask) -> Json:
    grant = _business(ask, scope="video.publish")
    wanted(ask, "video_url")
    ask.world.record.counts["posts"] += 1
    return {"share_id": ask.world.posts.begin(grant, "DIRECT_POST").id}


def publish_status(ask: Ask) -> Json:
    grant = _business(ask, scope="video.publish")
    (publish_id,) = wanted(ask, "publish_id")
    found = ask.world.posts.get(publish_id)
    if found is None or found.grant.subject != grant.subject:
        raise Refusal(40007, "publish_id: Does not exist.")
    if ask.world.posts.look(found):
        outcome(ask.world, found)
    data: Json = {"status": found.state, "post_ids": [str(id) for id in found.post_ids]}
    return {**data, "reason": found.fail_reason} if found.fail_reason else data


def webhook_update(ask: Ask) -> Json:
    id, secret, event_type, url = wanted(ask, "app_id", "secret", "event_type", "callback_url")
    app = client(ask, id=id, secret=secret)
    ask.world.callbacks[app.id, event_type] = url
    return {"app_id": app.id, "event_type": event_type, "callback_url": url}


def webhook_list(ask: Ask) -> Json:
    id, secret, event_type = wanted(ask, "app_id", "secret", "event_type")
    app = client(ask, id=id, secret=secret)
    url = ask.world.callbacks.get((app.id, event_type))
    return {"app_id": app.id, "event_type": event_type, "callback_url": url}


def webhook_delete(ask: Ask) -> Json:
    id, secret, event_type = wanted(ask, "app_id", "secret", "event_type")
    app = client(ask, id=id, secret=secret)
    ask.world.callbacks.pop((app.id, event_type), None)
    return {"app_id": app.id, "event_type": event_type}


ROUTES: list[web.RouteDef] = [
    post("tt_user/oauth2/token/", exchange),
    post("tt_user/oauth2/refresh_token/", refresh),
    post("tt_user/oauth2/revoke/", revoke),
    post("tt_user/token_info/get/", token_info),
    get("business/get/", business),
    get("business/video/list/", video_list),
    post("business/video/publish/", publish),
    get("business/publish/status/", publish_status),
    post("business/webhook/update/", webhook_update),
    get("business/webhook/list/", webhook_list),
    post("business/webhook/delete/", webhook_delete),
]
