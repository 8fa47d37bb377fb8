"""Serves the pages and their parts, which are read once at start.

A requested name is looked up in a table and never joined to a path.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from aiohttp import web

from connector.errors import NotFound

FOLDER = Path(__file__).parent / "static"
CONTENT_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
TEXT_TYPES = frozenset({"text/css", "text/html", "text/javascript"})


@dataclass(frozen=True)
class StaticFile:
    content: bytes = field(repr=False)
    content_type: str
    etag: str


STATIC_FILES = web.AppKey("static_files", dict[str, StaticFile])


def load_static_files(folder: Path = FOLDER) -> dict[str, StaticFile]:
    """Returns the files by their path in the folder, which is also their path below /static/."""
    paths = (path for path in folder.rglob("*") if path.suffix in CONTENT_TYPES)
    return {
        path.relative_to(folder).as_posix(): _read(path, CONTENT_TYPES[path.suffix])
        for path in paths
    }


async def root_redirect(request: web.Request) -> web.Response:
    """Redirect to the connect page."""
    return web.Response(status=302, headers={"Location": "/connect"})


async def connect_page(request: web.Request) -> web.Response:
    """The page on which a person connects their account."""
    return _file_response(request, "connect.html")


async def status_page(request: web.Request) -> web.Response:
    """The page that shows the state of connections."""
    return _file_response(request, "status.html")


async def callback_page(request: web.Request) -> web.Response:
    """The page to which TikTok redirects people, for customers without a callback page."""
    return _file_response(request, "callback.html")


async def static_file(request: web.Request) -> web.Response:
    """A script, stylesheet or image of the pages."""
    return _file_response(request, request.match_info["file"])


def _file_response(request: web.Request, name: str) -> web.Response:
    file = request.app[STATIC_FILES].get(name)
    if file is None:
        raise NotFound("There is no such page.")
    headers = {"ETag": f'"{file.etag}"', "Cache-Control": "no-cache"}
    if any(etag.value in (file.etag, "*") for etag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    charset = "utf-8" if file.content_type in TEXT_TYPES else None
    return web.Response(
        body=file.content, content_type=file.content_type, charset=charset, headers=headers
    )


def _read(path: Path, content_type: str) -> StaticFile:
    content = path.read_bytes()
    return StaticFile(content, content_type, etag=sha256(content).hexdigest()[:20])
