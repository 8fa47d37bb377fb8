"""The pages and what they are made of, read once. A name is looked up, never joined to a path."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from aiohttp import web

from connector.errors import NotFound

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
TEXT = frozenset({"text/css", "text/html", "text/javascript"})


@dataclass(frozen=True)
class File:
    content: bytes = field(repr=False)
    type: str
    tag: str


FILES = web.AppKey("files", dict[str, File])


def files(folder: Path = FOLDER) -> dict[str, File]:
    found = (path for path in folder.glob("*") if path.suffix in TYPES)
    return {path.name: _file(path.read_bytes(), TYPES[path.suffix]) for path in found}


async def home(request: web.Request) -> web.Response:
    """Show whoever comes to the door in."""
    return web.Response(status=302, headers={"Location": "/connect"})


async def connect(request: web.Request) -> web.Response:
    """The page on which a person connects their account."""
    return _served(request, "connect.html")


async def status(request: web.Request) -> web.Response:
    """The page on which they see how their connections are."""
    return _served(request, "status.html")


async def callback(request: web.Request) -> web.Response:
    """The page TikTok sends people back to, for customers without one of their own."""
    return _served(request, "callback.html")


async def asset(request: web.Request) -> web.Response:
    """What the pages are made of."""
    return _served(request, request.match_info["file"])


def _served(request: web.Request, name: str) -> web.Response:
    file = request.app[FILES].get(name)
    if file is None:
        raise NotFound("There is no such page.")
    headers = {"ETag": f'"{file.tag}"', "Cache-Control": "no-cache"}
    if any(tag.value in (file.tag, "*") for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    charset = "utf-8" if file.type in TEXT else None
    return web.Response(body=file.content, content_type=file.type, charset=charset, headers=headers)


def _file(content: bytes, type: str) -> File:
    return File(content, type, sha256(content).hexdigest()[:20])
