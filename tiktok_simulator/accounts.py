"""The TikTok Accounts API on the business host: tokens and data of account holders.

https://business-api.tiktok.com/portal/docs
"""

from __future__ import annotations

from aiohttp import web

from .api_call import ApiCall, ApiError, seconds_until, token_fields
from .business_envelope import (
    api_error,
    authenticate_app,
    find_token,
    get_route,
    invalid_code_error,
    json_parameter,
    post_route,
    require_token,
    required,
    text_list,
)
from .model import Grant, IssuedTokens, Json
from .posts import PostKind
from .sample_data import profile_of, stable_number, video_page
from .state import EVENT_TYPES
from .token_registry import InvalidCode, InvalidToken
from .webhooks import notify_post_result

_VIDEO_FIELD_BY_NAME = {
    "item_id": "id",
    "caption": "video_description",
    "thumbnail_url": "cover_image_url",
}
"""Fields of the Accounts API that have another name in the Display API."""
_MAX_PHOTO_TEXT_LENGTHS = {"caption": 4_000, "title": 90}


def exchange(call: ApiCall) -> Json:
    call.log_operation("exchange", family="accounts")
    app_id, secret, grant_type, code, redirect_uri = required(
        call, "client_id", "client_secret", "grant_type", "auth_code", "redirect_uri"
    )
    _require_grant_type(grant_type, "authorization_code")
    app = authenticate_app(call, app_id=app_id, secret=secret)
    try:
        issued = call.state.tokens.redeem(
            code, family="accounts", app_id=app.id, redirect_uri=redirect_uri
        )
    except InvalidCode as error:
        raise invalid_code_error(error.reason) from None
    return _token_response(call, issued)


def refresh(call: ApiCall) -> Json:
    call.log_operation("refresh", family="accounts")
    app_id, secret, grant_type, refresh_token = required(
        call, "client_id", "client_secret", "grant_type", "refresh_token"
    )
    _require_grant_type(grant_type, "refresh_token")
    app = authenticate_app(call, app_id=app_id, secret=secret)
    try:
        issued = call.state.tokens.refresh(refresh_token, family="accounts", app_id=app.id)
    except InvalidToken as error:
        raise api_error(40103 if error.reason == "expired" else 40107) from None
    return _token_response(call, issued)


def _require_grant_type(grant_type: str, expected: str) -> None:
    if grant_type != expected:
        raise ApiError(40108, f"grant_type: Must be {expected}.")


def _token_response(call: ApiCall, issued: IssuedTokens) -> Json:
    now = call.state.now()
    call.log_grant(issued.grant)
    return {
        **token_fields(call.state, issued),
        "refresh_token_expires_in": seconds_until(issued.refresh_expires_at, now=now),
    }


def revoke(call: ApiCall) -> Json:
    call.log_operation("revoke", family="accounts")
    app_id, secret, token = required(call, "client_id", "client_secret", "access_token")
    app = authenticate_app(call, app_id=app_id, secret=secret)
    try:
        grant = call.state.tokens.find_grant(token)
    except InvalidToken:
        raise api_error(40105) from None
    if grant.family != "accounts" or not grant.is_active:
        raise api_error(40105)
    if grant.app_id != app.id:
        raise api_error(40000)
    call.state.tokens.revoke([grant])
    return {}


def token_info(call: ApiCall) -> Json:
    app_id, token = required(call, "app_id", "access_token")
    app = call.find_app(app_id)
    if app is None:
        raise api_error(40113)
    grant = find_token(call, token).grant
    if grant.family != "accounts":
        raise api_error(40105)
    if grant.app_id != app.id:
        raise api_error(40000)
    return {
        "app_id": app.id,
        "scope": ",".join(grant.scopes),
        "creator_id": grant.tiktok_user_id,
    }


def _require_own_account(call: ApiCall, *, scope: str) -> Grant:
    grant = require_token(call, "accounts", scope=scope).grant
    (business_id,) = required(call, "business_id")
    if business_id != grant.tiktok_user_id:
        raise ApiError(40001, "No permission to operate this business_id.")
    return grant


def business_profile(call: ApiCall) -> Json:
    grant = _require_own_account(call, scope="user.info.basic")
    profile = profile_of(grant.person)
    values: Json = {
        "display_name": profile.display_name,
        "profile_image": profile.avatar_url,
        "username": profile.username,
        "is_business_account": True,
        "followers_count": stable_number("followers", grant.person, below=5_000_000),
        "following_count": stable_number("following", grant.person, below=2_000),
        "total_likes": stable_number("likes", grant.person, below=50_000_000),
        "videos_count": 45,
    }
    fields = text_list(call, "fields") or ["display_name", "profile_image"]
    return {field: values.get(field) for field in fields}


def video_list(call: ApiCall) -> Json:
    grant = _require_own_account(call, scope="video.list")
    json_parameter(
        call, "filters", type=dict
    )  # Filters have no effect, but they must be valid JSON.
    max_count, cursor = call.text("max_count"), call.text("cursor")
    count = int(max_count) if max_count.isdigit() else 10
    if not 1 <= count <= 20:
        raise ApiError(40002, "max_count: Must be between 1 and 20.")
    fields = text_list(call, "fields") or ["item_id", "create_time"]
    page = video_page(grant.person, cursor=int(cursor) if cursor.isdigit() else 0, count=count)
    videos = [
        {field: video.get(_VIDEO_FIELD_BY_NAME.get(field, field)) for field in fields}
        for video in page.videos
    ]
    return {"videos": videos, "cursor": page.cursor, "has_more": page.has_more}


def publish_video(call: ApiCall) -> Json:
    grant = _require_own_account(call, scope="video.publish")
    required(call, "video_url")
    post_info = _require_post_info(call)
    is_draft = post_info.get("upload_to_draft") is True
    if not is_draft:
        _require_disclosures(post_info)
    return _create_post(call, grant, is_draft=is_draft)


def publish_photos(call: ApiCall) -> Json:
    grant = _require_own_account(call, scope="video.publish")
    photos, post_info = call.parameters.get("photo_images"), _require_post_info(call)
    if not isinstance(photos, list) or not 1 <= len(photos) <= 35:
        raise ApiError(40002, "photo_images: Must contain between 1 and 35 addresses.")
    if not post_info.get("privacy_level"):
        raise ApiError(40002, "post_info.privacy_level: Missing data for required field.")
    for name, longest in _MAX_PHOTO_TEXT_LENGTHS.items():
        if len(str(post_info.get(name, ""))) > longest:
            raise ApiError(40002, f"post_info.{name}: Longer than the maximum of {longest}.")
    _require_disclosures(post_info)
    return _create_post(call, grant, is_draft=post_info.get("is_draft") is True)


def _require_post_info(call: ApiCall) -> Json:
    post_info = call.parameters.get("post_info")
    if not isinstance(post_info, dict):
        raise ApiError(40002, "post_info: Missing data for required field.")
    return post_info


def _require_disclosures(post_info: Json) -> None:
    for name in ("is_brand_organic", "is_branded_content"):
        if not isinstance(post_info.get(name), bool):
            raise ApiError(40002, f"post_info.{name}: Missing data for required field.")


def _create_post(call: ApiCall, grant: Grant, *, is_draft: bool) -> Json:
    if call.state.exceeds_posting_limit(grant.tiktok_user_id):
        raise api_error(40100)
    call.state.call_log.counts["posts"] += 1
    kind: PostKind = "INBOX_SHARE" if is_draft else "DIRECT_PUBLISH"
    return {"share_id": call.state.posts.create(grant, kind).id}


def publish_status(call: ApiCall) -> Json:
    grant = _require_own_account(call, scope="video.publish")
    (publish_id,) = required(call, "publish_id")
    post = call.state.posts.get(publish_id)
    if post is None or post.grant.tiktok_user_id != grant.tiktok_user_id:
        raise ApiError(40007, "publish_id: Does not exist.")
    if call.state.posts.poll(post):
        notify_post_result(call.state, post)
    data: Json = {"status": post.status, "post_ids": [str(id) for id in post.post_ids]}
    return {**data, "reason": post.fail_reason} if post.fail_reason else data


def webhook_update(call: ApiCall) -> Json:
    app_id, secret, event_type, url = required(
        call, "app_id", "secret", "event_type", "callback_url"
    )
    app = authenticate_app(call, app_id=app_id, secret=secret)
    if event_type not in EVENT_TYPES:
        raise ApiError(40002, f"event_type: Must be one of {', '.join(EVENT_TYPES)}.")
    call.state.webhook_urls[app.id, event_type] = url
    return {"app_id": app.id, "event_type": event_type, "callback_url": url}


def webhook_list(call: ApiCall) -> Json:
    app_id, secret, event_type = required(call, "app_id", "secret", "event_type")
    app = authenticate_app(call, app_id=app_id, secret=secret)
    url = call.state.webhook_urls.get((app.id, event_type))
    listed = {"app_id": app.id, "event_type": event_type}
    return {**listed, "callback_url": url} if url else listed


def webhook_delete(call: ApiCall) -> Json:
    app_id, secret, event_type = required(call, "app_id", "secret", "event_type")
    app = authenticate_app(call, app_id=app_id, secret=secret)
    call.state.webhook_urls.pop((app.id, event_type), None)
    return {"app_id": app.id, "event_type": event_type}


ROUTES: list[web.RouteDef] = [
    post_route("tt_user/oauth2/token/", exchange),
    post_route("tt_user/oauth2/refresh_token/", refresh),
    post_route("tt_user/oauth2/revoke/", revoke),
    post_route("tt_user/token_info/get/", token_info),
    get_route("business/get/", business_profile),
    get_route("business/video/list/", video_list),
    post_route("business/video/publish/", publish_video),
    post_route("business/photo/publish/", publish_photos),
    get_route("business/publish/status/", publish_status),
    post_route("business/webhook/update/", webhook_update),
    get_route("business/webhook/list/", webhook_list),
    post_route("business/webhook/delete/", webhook_delete),
]
