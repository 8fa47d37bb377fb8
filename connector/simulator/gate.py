"""What happens to every call before and after it is answered: the log, latency, faults.

- `status` answers with that HTTP status, `code` with that code in the host's own grammar, both
  without doing the work;
- `hang` waits until the client goes away, the fault is cleared, or `value` seconds are over; in the
  last two cases the answer then comes late;
- `drop_after_effect` does the work and cuts the line instead of answering;
- `garbage` answers 200 with what no API means: html, truncated, wrong_type or huge (`value`).

Controls and static files pass untouched, and only API calls are slow: pages are for people.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from aiohttp import web

from . import business, oauth, open_api
from .faults import Fault
from .grammar import LINE, WORLD, Handler, verdict
from .notices import Courier
from .record import IN_FLIGHT
from .world import World

COURIER = web.AppKey("courier", Courier)
_OWN = ("/_sim", "/favicon.ico")
_PAGES = ("/portal/", "/v2/auth/")
_BY_STATUS = {401: "access_token_invalid", 429: "rate_limit_exceeded"}
_UNANSWERED = ("dropped", "hung")
_HUGE = 16 * 2**20


@web.middleware
async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path.startswith(_OWN) or request.path == "/":
        return await handler(request)
    world, began = request.app[WORLD], request.app[WORLD].ticks()
    line = request[LINE] = world.record.arrived(
        at=world.now(),
        method=request.method,
        path=request.path,
        known=request.match_info.http_exception is None,
    )
    status = None
    try:
        answer = await _served(request, handler, world)
        status = answer.status
        return answer
    finally:
        word = line["verdict"]
        if word in _UNANSWERED:
            status = None
        if word == IN_FLIGHT:
            word = "ok" if status and status < 400 else str(status or "cut")
        took_ms = (world.ticks() - began) * 1_000
        world.record.ended(line, verdict=word, status=status, took_ms=took_ms)
        if world.mail:
            request.app[COURIER].dispatch()


async def _served(request: web.Request, handler: Handler, world: World) -> web.StreamResponse:
    latency = world.settings.latency_ms
    if latency and not request.path.startswith(_PAGES):
        await asyncio.sleep(latency / 1_000)
    fault = world.faults.take(request.path)
    if fault is None:
        return await _answer(request, handler)
    request[LINE]["fault"] = fault.kind
    world.record.counts["faults"] += 1
    return await _KINDS[fault.kind](request, handler, fault)


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Unknown addresses are answered by the web server in front, in plain text."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return web.Response(status=404, text="404 page not found")
    except web.HTTPMethodNotAllowed as no:
        return web.Response(status=405, text="405 method not allowed", headers=_allow(no))


def _allow(no: web.HTTPMethodNotAllowed) -> Mapping[str, str]:
    return {"Allow": ",".join(sorted(no.allowed_methods))}


async def _status(request: web.Request, _handler: Handler, fault: Fault) -> web.StreamResponse:
    status = int(fault.value or 500)
    verdict(request, str(status))
    if request.path.startswith("/v2/") and status in _BY_STATUS:
        return open_api.refused(request, _BY_STATUS[status], status=status)
    known = {s.value: s.phrase for s in HTTPStatus}
    return web.Response(status=status, text=f"{status} {known.get(status, 'Unknown')}")


async def _code(request: web.Request, _handler: Handler, fault: Fault) -> web.StreamResponse:
    if request.path.startswith("/v2/oauth/"):
        return oauth.refused(request, str(fault.value or "server_error"), fault.message)
    if request.path.startswith("/v2/"):
        code = str(fault.value or "internal_error")
        return open_api.refused(request, code, message=fault.message, status=200)
    number = str(fault.value or "")
    return business.refused(request, int(number) if number.isdigit() else 50000, fault.message)


async def _hang(request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
    world = request.app[WORLD]
    lifted, limit = world.faults.lifted, float(fault.value or "inf")
    began = world.ticks()
    while not lifted.is_set() and world.ticks() - began < limit:
        if request.transport is None or request.transport.is_closing():
            verdict(request, "hung")
            return web.Response(status=499)
        try:
            await asyncio.wait_for(lifted.wait(), timeout=0.05)
        except TimeoutError:
            continue
    return await _answer(request, handler)


async def _drop(request: web.Request, handler: Handler, _fault: Fault) -> web.StreamResponse:
    answer = await _answer(request, handler)
    line = request[LINE]
    if line["verdict"] == "ok" and line.get("what") in ("refresh", "exchange"):
        request.app[WORLD].record.counts[f"{line['what']}_answers_dropped"] += 1
    line.update(effect=line["verdict"], verdict="dropped")
    if request.transport is not None:
        request.transport.abort()
    return answer


async def _garbage(request: web.Request, _handler: Handler, fault: Fault) -> web.StreamResponse:
    verdict(request, "garbage")
    kind = str(fault.value or "html")
    if kind not in _GARBAGE:
        return web.Response(text=_HTML, content_type="text/html")
    return web.Response(body=_GARBAGE[kind](), content_type="application/json")


_HTML = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
_GARBAGE: Mapping[str, Callable[[], bytes]] = {
    "truncated": lambda: b'{"code":0,"message":"OK","request_id":"2026","data":{"access_tok',
    "wrong_type": lambda: b'["code",0,{"data":"expires_in"}]',
    "huge": lambda: b'{"code":0,"message":"OK","data":{"padding":"' + b"x" * _HUGE + b'"}}',
}
_KINDS: Mapping[str, Callable[[web.Request, Handler, Fault], Awaitable[web.StreamResponse]]] = {
    "status": _status,
    "code": _code,
    "hang": _hang,
    "drop_after_effect": _drop,
    "garbage": _garbage,
}
