"""The Display API: a person's profile and videos.

https://developers.tiktok.com/doc/display-api-get-started
"""

from __future__ import annotations

from aiohttp import web

from .api_call import ApiCall
from .model import Json
from .open_api_envelope import api_error, get_route, post_route, require_token
from .sample_data import profile_of, stable_number, video_page, videos_of

_SCOPE_BY_FIELD = {
    **dict.fromkeys(
        ("open_id", "union_id", "avatar_url", "avatar_url_100", "avatar_large_url", "display_name"),
        "user.info.basic",
    ),
    **dict.fromkeys(
        ("bio_description", "profile_deep_link", "is_verified", "username"), "user.info.profile"
    ),
    **dict.fromkeys(
        ("follower_count", "following_count", "likes_count", "video_count"), "user.info.stats"
    ),
}
_VIDEO_FIELDS = tuple(videos_of("any person", count=1)[0])


def user_info(call: ApiCall) -> Json:
    grant = require_token(call)
    fields = _requested_fields(call, tuple(_SCOPE_BY_FIELD))
    if any(_SCOPE_BY_FIELD[field] not in grant.scopes for field in fields):
        raise api_error("scope_not_authorized")
    profile = profile_of(grant.person)
    user: Json = {
        "open_id": grant.tiktok_user_id,
        "union_id": profile.union_id,
        "avatar_url": profile.avatar_url,
        "avatar_url_100": profile.avatar_url,
        "avatar_large_url": profile.avatar_url,
        "display_name": profile.display_name,
        "bio_description": "Small things, made with care.",
        "profile_deep_link": f"https://vm.tiktok.com/{profile.username}",
        "is_verified": False,
        "username": profile.username,
        "follower_count": stable_number("followers", grant.person, below=5_000_000),
        "following_count": stable_number("following", grant.person, below=2_000),
        "likes_count": stable_number("likes", grant.person, below=50_000_000),
        "video_count": 45,
    }
    return {"user": {field: user[field] for field in fields}}


def _requested_fields(call: ApiCall, known: tuple[str, ...]) -> list[str]:
    """`fields` is a comma-separated list in the query, in a POST too."""
    names = call.request.query.get("fields", "").split(",")
    fields = [name.strip() for name in names if name.strip()]
    unknown = [field for field in fields if field not in known]
    if unknown or not fields:
        problem = ", ".join(unknown) or "it is missing"
        raise api_error("invalid_params", f"Fields is invalid: {problem}.")
    return fields


def video_list(call: ApiCall) -> Json:
    grant = require_token(call, "video.list")
    fields = _requested_fields(call, _VIDEO_FIELDS)
    count, cursor = call.parameters.get("max_count", 10), call.parameters.get("cursor", 0) or 0
    if not isinstance(count, int) or not 1 <= count <= 20 or not isinstance(cursor, int):
        message = "max_count must be between 1 and 20; cursor is an integer."
        raise api_error("invalid_params", message)
    page = video_page(grant.person, cursor=cursor, count=count)
    return {
        "videos": [{field: video[field] for field in fields} for video in page.videos],
        "cursor": page.cursor,
        "has_more": page.has_more,
    }


def video_query(call: ApiCall) -> Json:
    grant = require_token(call, "video.list")
    fields = _requested_fields(call, _VIDEO_FIELDS)
    filters = call.parameters.get("filters")
    ids = filters.get("video_ids") if isinstance(filters, dict) else None
    if not isinstance(ids, list) or not 1 <= len(ids) <= 20:
        raise api_error("invalid_params", "filters.video_ids must have between 1 and 20 ids.")
    videos = [video for video in videos_of(grant.person) if video["id"] in ids]
    return {"videos": [{field: video[field] for field in fields} for video in videos]}


ROUTES: list[web.RouteDef] = [
    get_route("/v2/user/info/", user_info),
    post_route("/v2/video/list/", video_list),
    post_route("/v2/video/query/", video_query),
]
