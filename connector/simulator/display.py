"""The Display API: who the person is and what they have posted.

https://developers.tiktok.com/doc/display-api-get-started
"""

from __future__ import annotations

from aiohttp import web

from .accounts import page_of
from .grammar import Ask
from .nouns import Json
from .open_api import get, no, post, signed_in
from .people import number, profile, videos

_SCOPE_OF = {
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
_VIDEO_FIELDS = tuple(videos("anyone", 1)[0])


def user_info(ask: Ask) -> Json:
    grant = signed_in(ask)
    fields = _fields(ask, tuple(_SCOPE_OF))
    if any(_SCOPE_OF[field] not in grant.scopes for field in fields):
        raise no("scope_not_authorized")
    who = profile(grant.person)
    person: Json = {
        "open_id": grant.subject,
        "union_id": who.union_id,
        "avatar_url": who.avatar_url,
        "avatar_url_100": who.avatar_url,
        "avatar_large_url": who.avatar_url,
        "display_name": who.display_name,
        "bio_description": "Small things, made with care.",
        "profile_deep_link": f"https://vm.tiktok.com/{who.username}",
        "is_verified": False,
        "username": who.username,
        "follower_count": number("followers", grant.person, below=5_000_000),
        "following_count": number("following", grant.person, below=2_000),
        "likes_count": number("likes", grant.person, below=50_000_000),
        "video_count": 45,
    }
    return {"user": {field: person[field] for field in fields}}


def _fields(ask: Ask, known: tuple[str, ...]) -> list[str]:
    """`fields` stands in the query, also of a POST, as a plain comma-separated list."""
    fields = [f.strip() for f in ask.request.query.get("fields", "").split(",") if f.strip()]
    unknown = [f for f in fields if f not in known]
    if unknown or not fields:
        raise no("invalid_params", f"Fields is invalid: {', '.join(unknown) or 'it is missing'}.")
    return fields


def video_list(ask: Ask) -> Json:
    grant = signed_in(ask, "video.list")
    fields = _fields(ask, _VIDEO_FIELDS)
    count, cursor = ask.given.get("max_count", 10), ask.given.get("cursor", 0) or 0
    if not isinstance(count, int) or not 1 <= count <= 20 or not isinstance(cursor, int):
        raise no("invalid_params", "max_count must be between 1 and 20; cursor is an integer.")
    page, last, more = page_of(videos(grant.person), cursor=cursor, count=count)
    return {
        "videos": [{f: v[f] for f in fields} for v in page],
        "cursor": last,
        "has_more": more,
    }


def video_query(ask: Ask) -> Json:
    grant = signed_in(ask, "video.list")
    fields = _fields(ask, _VIDEO_FIELDS)
    filters = ask.given.get("filters")
    ids = filters.get("video_ids") if isinstance(filters, dict) else None
    if not isinstance(ids, list) or not 1 <= len(ids) <= 20:
        raise no("invalid_params", "filters.video_ids must hold between 1 and 20 ids.")
    found = [v for v in videos(grant.person) if v["id"] in ids]
    return {"videos": [{f: v[f] for f in fields} for v in found]}


ROUTES: list[web.RouteDef] = [
    get("/v2/user/info/", user_info),
    post("/v2/video/list/", video_list),
    post("/v2/video/query/", video_query),
]
