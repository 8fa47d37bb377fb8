"""The Content Posting API: announcing a post, sending its bytes, asking how far it has come.

https://developers.tiktok.com/doc/content-posting-api-reference-direct-post

Chunks: 5 to 64 MB each, the last up to 128, at most a thousand; the count is the size divided by
the chunk, rounded down, and the remainder rides in the last one. TikTok's pages mix decimal and
binary megabytes, so the lower bound here is the decimal one and the upper the binary.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from .grammar import Ask
from .notices import outcome
from .nouns import Grant, Json
from .open_api import STATUSES, no, post, signed_in
from .people import number, profile
from .posts import Kind, Post

SMALLEST, LARGEST, LAST = 5_000_000, 64 * 2**20, 128 * 2**20
MOST_BYTES = 4 * 2**30
UPLOAD = "/video/"


def forbidden(code: str, message: str) -> Exception:
    refusal = no(code, message)
    refusal.status = STATUSES.get(code, 403)
    return refusal


def _options(grant: Grant) -> list[str]:
    """A private account offers its followers where a public one offers everyone."""
    private = number("private", grant.person, below=10) == 0
    first = "FOLLOWER_OF_CREATOR" if private else "PUBLIC_TO_EVERYONE"
    return [first, "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]


def creator_info(ask: Ask) -> Json:
    grant = signed_in(ask, "video.publish")
    who = profile(grant.person)
    return {
        "creator_avatar_url": who.avatar_url,
        "creator_username": who.username,
        "creator_nickname": who.display_name,
        "privacy_level_options": _options(grant),
        "comment_disabled": False,
        "duet_disabled": False,
        "stitch_disabled": True,
        "max_video_post_duration_sec": 600,
    }


def video(ask: Ask) -> Json:
    grant = signed_in(ask, "video.publish")
    info = _part(ask, "post_info")
    level = _privacy(grant, info)
    if len(str(info.get("title", "")).encode("utf-16-le")) // 2 > 2_200:
        raise no("invalid_param", "post_info.title is longer than 2200 UTF-16 units.")
    return _begin_video(ask, grant, inbox=False, public=level == "PUBLIC_TO_EVERYONE")


def inbox_video(ask: Ask) -> Json:
    return _begin_video(ask, signed_in(ask, "video.upload"), inbox=True, public=False)


def _begin_video(ask: Ask, grant: Grant, *, inbox: bool, public: bool) -> Json:
    source = _part(ask, "source_info")
    upload = None
    if source.get("source") == "FILE_UPLOAD":
        upload = _chunks(source)
    elif source.get("source") == "PULL_FROM_URL":
        _pullable(source.get("video_url"))
    else:
        raise no("invalid_param", "source_info.source must be FILE_UPLOAD or PULL_FROM_URL.")
    kind: Kind = "INBOX_SHARE" if inbox else "DIRECT_POST"
    begun = ask.world.posts.begin(grant, kind, public=public, upload=upload)
    ask.world.record.counts["posts"] += 1
    if begun.upload is None:
        return {"publish_id": begun.id}
    query = f"upload_id={begun.id}&upload_token={begun.upload.token}"
    return {"publish_id": begun.id, "upload_url": f"{_origin(ask)}{UPLOAD}?{query}"}


def _origin(ask: Ask) -> str:
    return str(ask.request.url.origin())


def _chunks(source: Json) -> tuple[int, int, int]:
    names = ("video_size", "chunk_size", "total_chunk_count")
    size, chunk, count = (source.get(name) for name in names)
    if not (isinstance(size, int) and isinstance(chunk, int) and isinstance(count, int)):
        raise no("invalid_param", "source_info: sizes and counts are whole numbers.")
    if not (0 < size <= MOST_BYTES and 0 < chunk <= size and 1 <= count <= 1_000):
        raise no("invalid_param", "source_info: the sizes or the count are out of range.")
    whole = count == 1 and chunk == size
    if chunk > LARGEST or (chunk < SMALLEST and not (whole and size < SMALLEST)):
        raise no("invalid_param", "The chunk size is invalid.")
    if count != size // chunk or size - chunk * (count - 1) > LAST:
        raise no("invalid_param", "The total chunk count is invalid.")
    if size > LARGEST and count == 1:
        raise no("invalid_param", "A video of more than 64 MB must be sent in chunks.")
    return size, chunk, count


def _pullable(url: object) -> None:
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme != "https" or not parts.hostname:
        raise no("invalid_param", "The media must be at an https address.")
    if parts.hostname.startswith("unverified."):
        raise forbidden("url_ownership_unverified", "The domain was not verified.")


def photos(ask: Ask) -> Json:
    grant = signed_in(ask, "video.publish", "video.upload")
    direct = ask.text("post_mode") == "DIRECT_POST"
    if ask.text("media_type") != "PHOTO" or not (direct or ask.text("post_mode") == "MEDIA_UPLOAD"):
        raise no("invalid_param", "media_type or post_mode is invalid.")
    if ("video.publish" if direct else "video.upload") not in grant.scopes:
        raise no("scope_not_authorized")
    source = _part(ask, "source_info")
    images = source.get("photo_images")
    if source.get("source") != "PULL_FROM_URL" or not isinstance(images, list):
        raise no("invalid_param", "source_info: photos are pulled from URLs.")
    if not 1 <= len(images) <= 35:
        raise no("invalid_param", "source_info.photo_images holds between 1 and 35 addresses.")
    for image in images:
        _pullable(image)
    level = _privacy(grant, _part(ask, "post_info")) if direct else ""
    kind: Kind = "DIRECT_POST" if direct else "INBOX_SHARE"
    begun = ask.world.posts.begin(grant, kind, public=level == "PUBLIC_TO_EVERYONE")
    ask.world.record.counts["posts"] += 1
    return {"publish_id": begun.id}


def _privacy(grant: Grant, info: Json) -> str:
    level = info.get("privacy_level")
    if not isinstance(level, str) or not level:
        raise no("invalid_param", "post_info.privacy_level is missing.")
    if level not in _options(grant):
        raise forbidden("privacy_level_option_mismatch", "Not an option of this creator.")
    return level


def _part(ask: Ask, name: str) -> Json:
    part = ask.given.get(name)
    if not isinstance(part, dict):
        raise no("invalid_param", f"{name} is missing.")
    return part


def status(ask: Ask) -> Json:
    """A failed post is a successful answer: the failure stands in `status`."""
    found = _own(ask)
    if ask.world.posts.look(found):
        outcome(ask.world, found)
    data: Json = {"status": found.state, "publicaly_available_post_id": found.post_ids}
    if found.fail_reason:
        data["fail_reason"] = found.fail_reason
    if found.upload:
        data["uploaded_bytes"] = found.upload.received
    else:
        data["downloaded_bytes"] = 3_145_728 if found.final else 0
    return data


def cancel(ask: Ask) -> Json:
    found = _own(ask)
    if not ask.world.posts.cancel(found):
        raise no("publish_not_cancellable", "The post can no longer be cancelled.")
    outcome(ask.world, found)
    return {}


def _own(ask: Ask) -> Post:
    grant = signed_in(ask, "video.publish", "video.upload")
    found = ask.world.posts.get(ask.text("publish_id"))
    if found is None:
        raise no("invalid_publish_id", "The publish_id does not exist.")
    if found.grant.subject != grant.subject:
        raise forbidden("token_not_authorized_for_specified_publish_id", "Somebody else's post.")
    return found


ROUTES: list[web.RouteDef] = [
    post("/v2/post/publish/creator_info/query/", creator_info),
    post("/v2/post/publish/video/init/", video),
    post("/v2/post/publish/inbox/video/init/", inbox_video),
    post("/v2/post/publish/content/init/", photos),
    post("/v2/post/publish/status/fetch/", status),
    post("/v2/post/publish/cancel/", cancel),
]
