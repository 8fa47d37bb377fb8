"""The address of whoever sent a request, behind trusted proxies too."""

from __future__ import annotations

from aiohttp import web


def peer_of(request: web.Request) -> str:
    return request.remote or "unknown"
