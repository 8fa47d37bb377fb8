"""The cookie of a session. No script can read it, and only pages of this service send it.

Over https the name begins with `__Host-`. A browser accepts such a cookie only from this host, so no other
host of the same domain can set one.
"""

from __future__ import annotations

from aiohttp import web

from .app_keys import HTTP_SETTINGS

SESSION_COOKIE = "connector_session"


def read_session_cookie(request: web.Request) -> str | None:
    return request.cookies.get(_name(request)) if "Cookie" in request.headers else None


def set_session_cookie(
    response: web.StreamResponse, request: web.Request, text: str, *, max_age: int
) -> None:
    response.set_cookie(
        _name(request),
        text,
        max_age=max_age,
        path="/",
        secure=request.app[HTTP_SETTINGS].is_https,
        httponly=True,
        samesite="Lax",
    )


def delete_session_cookie(response: web.StreamResponse, request: web.Request) -> None:
    secure = request.app[HTTP_SETTINGS].is_https
    response.del_cookie(_name(request), path="/", secure=secure, httponly=True, samesite="Lax")


def _name(request: web.Request) -> str:
    return f"__Host-{SESSION_COOKIE}" if request.app[HTTP_SETTINGS].is_https else SESSION_COOKIE
