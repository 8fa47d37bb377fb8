"""The upload host: receives a video's bytes in order and discards them.

https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide

Statuses: 206 if more bytes are expected, 201 if the video is complete, 400 for an invalid
request, 403 for an expired link or a wrong token, 404 for an unknown upload. 416 means that the
chunk does not start at the next expected byte; `Content-Range` of the response is the range
received so far.
"""

from __future__ import annotations

import hmac
import re

from aiohttp import web

from .api_call import STATE, set_log_result
from .posting import UPLOAD_PATH
from .posts import Upload

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_VIDEO_TYPES = ("video/mp4", "video/quicktime", "video/webm")


async def receive_chunk(request: web.Request) -> web.StreamResponse:
    state = request.app[STATE]
    post = state.posts.get(request.query.get("upload_id", ""))
    if post is None or post.upload is None:
        return _respond(request, 404)
    upload = post.upload
    if not _has_valid_token(request, upload) or state.now() > upload.expires_at:
        return _respond(request, 403)
    range_match = _CONTENT_RANGE.fullmatch(request.headers.get("Content-Range", ""))
    if range_match is None or request.content_type not in _VIDEO_TYPES or post.is_finished:
        return _respond(request, 400)
    first, last, total = map(int, range_match.groups())
    length = last - first + 1
    if total != upload.plan.size or length != request.content_length:
        return _respond(request, 400)
    if first != upload.received:
        return _respond(request, 416, upload)
    if length != upload.next_chunk_size:
        return _respond(request, 400)
    # Another request may have sent the same chunk while this one was being read.
    if await _discard_body(request) != length or first != upload.received:
        return _respond(request, 400)
    upload.received = last + 1
    state.call_log.counts["uploads"] += upload.is_complete
    return _respond(request, 201 if upload.is_complete else 206, upload)


def _has_valid_token(request: web.Request, upload: Upload) -> bool:
    token = request.query.get("upload_token", "")
    return hmac.compare_digest(token.encode(), upload.token.encode())


async def _discard_body(request: web.Request) -> int:
    """The number of bytes in the body."""
    received = 0
    async for data in request.content.iter_any():
        received += len(data)
    return received


def _respond(request: web.Request, status: int, upload: Upload | None = None) -> web.Response:
    set_log_result(request, "ok" if status in (201, 206) else str(status))
    headers = {}
    if upload is not None:
        last_byte = max(0, upload.received - 1)
        headers["Content-Range"] = f"bytes 0-{last_byte}/{upload.plan.size}"
    return web.Response(status=status, headers=headers)


ROUTES: list[web.RouteDef] = [web.put(UPLOAD_PATH, receive_chunk)]
