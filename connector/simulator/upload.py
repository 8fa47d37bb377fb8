"""The upload host: takes a video's bytes in order and keeps none of them.

https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide

206 more, 201 done, 400 bad, 403 link expired, 404 no such task; 416 where the chunk does not begin
at the byte that is due, and the answer's `Content-Range` says up to which byte all is well.
"""

from __future__ import annotations

import hmac
import re

from aiohttp import web

from .grammar import WORLD, verdict
from .posting import UPLOAD
from .posts import Upload

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_TYPES = ("video/mp4", "video/quicktime", "video/webm")


async def receive(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    post = world.posts.get(request.query.get("upload_id", ""))
    if post is None or post.upload is None:
        return _answer(request, 404)
    upload = post.upload
    given = request.query.get("upload_token", "")
    if not hmac.compare_digest(given.encode(), upload.token.encode()) or world.now() > upload.until:
        return _answer(request, 403)
    asked = _RANGE.fullmatch(request.headers.get("Content-Range", ""))
    if asked is None or request.content_type not in _TYPES or post.final:
        return _answer(request, 400)
    first, last, total = map(int, asked.groups())
    if total != upload.size or last - first + 1 != request.content_length:
        return _answer(request, 400)
    if first != upload.received:
        return _answer(request, 416, upload)
    if last - first + 1 != upload.expected():
        return _answer(request, 400)
    if await _drained(request) != last - first + 1 or first != upload.received:
        return _answer(request, 400)
    upload.received = last + 1
    world.record.counts["uploads"] += upload.complete
    return _answer(request, 201 if upload.complete else 206, upload)


async def _drained(request: web.Request) -> int:
    received = 0
    async for chunk in request.content.iter_any():
        received += len(chunk)
    return received


def _answer(request: web.Request, status: int, upload: Upload | None = None) -> web.Response:
    verdict(request, "ok" if status in (201, 206) else str(status))
    headers = {}
    if upload is not None:
        headers["Content-Range"] = f"bytes 0-{max(0, upload.received - 1)}/{upload.size}"
    return web.Response(status=status, headers=headers)


ROUTES: list[web.RouteDef] = [web.put(UPLOAD, receive)]
