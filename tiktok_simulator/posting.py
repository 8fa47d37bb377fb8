"""The Content Posting API: starts a post, offers the upload address, and reports the progress.

https://developers.tiktok.com/doc/content-posting-api-reference-direct-post

Chunks: 5 to 64 MB each, the last one up to 128 MB, at most 1,000. The count is the video size
divided by the chunk size, rounded down; the last chunk also contains the remainder. One chunk is as
large as the video. TikTok's pages mix decimal and binary megabytes, so the limits here are the
stricter ones of both readings.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from .api_call import ApiCall, ApiError
from .model import Grant, Json
from .open_api_envelope import api_error, post_route, require_token
from .posts import Post, PostKind, UploadPlan
from .sample_data import profile_of, stable_number
from .webhooks import notify_post_result

MIN_CHUNK_BYTES, MAX_CHUNK_BYTES, MAX_LAST_CHUNK_BYTES = 5 * 2**20, 64_000_000, 128_000_000
MAX_VIDEO_BYTES = 4 * 2**30
MAX_TITLE_UTF16_UNITS = 2_200
UPLOAD_PATH = "/video/"


def creator_info(call: ApiCall) -> Json:
    grant = require_token(call, "video.publish")
    # Only here TikTok reports this error with HTTP 200.
    _check_user_cap(call, grant, status=200)
    profile = profile_of(grant.person)
    return {
        "creator_avatar_url": profile.avatar_url,
        "creator_username": profile.username,
        "creator_nickname": profile.display_name,
        "privacy_level_options": _privacy_options(grant),
        "comment_disabled": False,
        "duet_disabled": False,
        "stitch_disabled": True,
        "max_video_post_duration_sec": 600,
    }


def _privacy_options(grant: Grant) -> list[str]:
    """A private account offers its followers instead of everyone."""
    is_private = stable_number("private", grant.person, below=10) == 0
    widest = "FOLLOWER_OF_CREATOR" if is_private else "PUBLIC_TO_EVERYONE"
    return [widest, "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]


def init_video(call: ApiCall) -> Json:
    grant = require_token(call, "video.publish")
    post_info = _require_object(call, "post_info")
    privacy_level = _require_privacy_level(call, grant, post_info)
    if len(str(post_info.get("title", "")).encode("utf-16-le")) // 2 > MAX_TITLE_UTF16_UNITS:
        message = f"post_info.title is longer than {MAX_TITLE_UTF16_UNITS} UTF-16 units."
        raise api_error("invalid_params", message)
    is_public = privacy_level == "PUBLIC_TO_EVERYONE"
    return _create_video_post(call, grant, kind="DIRECT_PUBLISH", is_public=is_public)


def init_inbox_video(call: ApiCall) -> Json:
    grant = require_token(call, "video.upload")
    return _create_video_post(call, grant, kind="INBOX_SHARE", is_public=False)


def _create_video_post(call: ApiCall, grant: Grant, *, kind: PostKind, is_public: bool) -> Json:
    source = _require_object(call, "source_info")
    upload_plan = None
    if source.get("source") == "FILE_UPLOAD":
        upload_plan = _parse_upload_plan(source)
    elif source.get("source") == "PULL_FROM_URL":
        _require_verified_url(source.get("video_url"))
    else:
        message = "source_info.source must be FILE_UPLOAD or PULL_FROM_URL."
        raise api_error("invalid_params", message)
    post = call.state.posts.create(grant, kind, is_public=is_public, upload_plan=upload_plan)
    call.state.call_log.counts["posts"] += 1
    if post.upload is None:
        return {"publish_id": post.id}
    query = f"upload_id={post.id}&upload_token={post.upload.token}"
    upload_url = f"{call.request.url.origin()}{UPLOAD_PATH}?{query}"
    return {"publish_id": post.id, "upload_url": upload_url}


def _parse_upload_plan(source: Json) -> UploadPlan:
    names = ("video_size", "chunk_size", "total_chunk_count")
    size, chunk_size, count = (source.get(name) for name in names)
    if not (isinstance(size, int) and isinstance(chunk_size, int) and isinstance(count, int)):
        raise api_error("invalid_params", "source_info: sizes and counts are whole numbers.")
    if not (0 < size <= MAX_VIDEO_BYTES and 0 < chunk_size <= size and 1 <= count <= 1_000):
        raise api_error("invalid_params", "source_info: the sizes or the count are out of range.")
    is_whole_video = count == 1 and chunk_size == size
    if chunk_size > MAX_CHUNK_BYTES or (chunk_size < MIN_CHUNK_BYTES and not is_whole_video):
        raise api_error("invalid_params", "The chunk size is invalid.")
    if count == 1 and not is_whole_video:
        raise api_error("invalid_params", "The chunk size is invalid.")
    last_chunk_size = size - chunk_size * (count - 1)
    if count != size // chunk_size or last_chunk_size > MAX_LAST_CHUNK_BYTES:
        raise api_error("invalid_params", "The total chunk count is invalid.")
    return UploadPlan(size, chunk_size, count)


def _require_verified_url(url: object) -> None:
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme != "https" or not parts.hostname:
        raise api_error("invalid_params", "The media must be at an https address.")
    if parts.hostname.startswith("unverified."):
        message = "The domain was not verified."
        raise api_error("url_ownership_unverified", message, default_status=403)


def init_photos(call: ApiCall) -> Json:
    grant = require_token(call, "video.publish", "video.upload")
    mode = call.text("post_mode")
    if call.text("media_type") != "PHOTO" or mode not in ("DIRECT_POST", "MEDIA_UPLOAD"):
        raise api_error("invalid_params", "media_type or post_mode is invalid.")
    is_direct = mode == "DIRECT_POST"
    if ("video.publish" if is_direct else "video.upload") not in grant.scopes:
        raise api_error("scope_not_authorized")
    _check_photos(_require_object(call, "source_info"))
    is_public = False
    if is_direct:
        privacy_level = _require_privacy_level(call, grant, _require_object(call, "post_info"))
        is_public = privacy_level == "PUBLIC_TO_EVERYONE"
    kind: PostKind = "DIRECT_PUBLISH" if is_direct else "INBOX_SHARE"
    post = call.state.posts.create(grant, kind, is_public=is_public)
    call.state.call_log.counts["posts"] += 1
    return {"publish_id": post.id}


def _check_photos(source: Json) -> None:
    urls = source.get("photo_images")
    if source.get("source") != "PULL_FROM_URL" or not isinstance(urls, list):
        raise api_error("invalid_params", "source_info: photos are pulled from URLs.")
    if not 1 <= len(urls) <= 35:
        message = "source_info.photo_images must have between 1 and 35 addresses."
        raise api_error("invalid_params", message)
    cover_index = source.get("photo_cover_index")
    if type(cover_index) is not int or not 0 <= cover_index < len(urls):
        raise api_error("invalid_params", "source_info.photo_cover_index is missing or too large.")
    for url in urls:
        _require_verified_url(url)


def _check_user_cap(call: ApiCall, grant: Grant, *, status: int = 403) -> None:
    """Until TikTok has audited an app, it may post for five people in 24 hours. Drafts are not counted."""
    if call.state.settings.unaudited and call.state.posts.exceeds_user_cap(grant):
        message = "The daily quota for active publishing users is reached."
        raise ApiError("reached_active_user_cap", message, status=status)


def _require_privacy_level(call: ApiCall, grant: Grant, post_info: Json) -> str:
    level = post_info.get("privacy_level")
    if not isinstance(level, str) or not level:
        raise api_error("invalid_params", "post_info.privacy_level is missing.")
    if level not in _privacy_options(grant):
        message = "Not an option of this creator."
        raise api_error("privacy_level_option_mismatch", message, default_status=403)
    _check_user_cap(call, grant)
    if call.state.settings.unaudited and level != "SELF_ONLY":
        message = "An app that is not audited can post only to private accounts."
        code = "unaudited_client_can_only_post_to_private_accounts"
        raise api_error(code, message, default_status=403)
    return level


def _require_object(call: ApiCall, name: str) -> Json:
    value = call.parameters.get(name)
    if not isinstance(value, dict):
        raise api_error("invalid_params", f"{name} is missing.")
    return value


def status(call: ApiCall) -> Json:
    """The call succeeds for a failed post too: `status` contains the failure."""
    post = _require_own_post(call)
    if call.state.posts.poll(post):
        notify_post_result(call.state, post)
    # The spelling of "publicaly" is TikTok's.
    data: Json = {"status": post.status, "publicaly_available_post_id": post.post_ids}
    if post.fail_reason:
        data["fail_reason"] = post.fail_reason
    if post.upload:
        data["uploaded_bytes"] = post.upload.received
    else:
        data["downloaded_bytes"] = 3_145_728 if post.is_finished else 0
    return data


def cancel(call: ApiCall) -> Json:
    post = _require_own_post(call)
    if not call.state.posts.cancel(post):
        raise api_error("publish_not_cancellable", "The post can no longer be cancelled.")
    notify_post_result(call.state, post)
    return {}


def _require_own_post(call: ApiCall) -> Post:
    grant = require_token(call, "video.publish", "video.upload")
    post = call.state.posts.get(call.text("publish_id"))
    if post is None:
        raise api_error("invalid_publish_id", "The publish_id does not exist.")
    if post.grant.tiktok_user_id != grant.tiktok_user_id:
        code = "token_not_authorized_for_specified_publish_id"
        message = "The post belongs to another person."
        raise api_error(code, message, default_status=403)
    return post


ROUTES: list[web.RouteDef] = [
    post_route("/v2/post/publish/creator_info/query/", creator_info),
    post_route("/v2/post/publish/video/init/", init_video),
    post_route("/v2/post/publish/inbox/video/init/", init_inbox_video),
    post_route("/v2/post/publish/content/init/", init_photos),
    post_route("/v2/post/publish/status/fetch/", status),
    post_route("/v2/post/publish/cancel/", cancel),
]
