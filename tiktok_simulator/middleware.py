"""Logs every call, delays it by the configured latency, and applies faults.

- `status` responds with that HTTP status, and `code` with that error code in the API's own
  format. Neither executes the call.
- `hang` waits until the client disconnects, the fault is cleared, or `value` seconds have passed.
  In the last two cases the call is executed then, and its response arrives late.
- `drop_after_effect` executes the call and then closes the connection without a response.
- `garbage` responds with status 200 and a body that no API returns: html, truncated, wrong_type
  or huge (`value`).

Controls and static files are exempt. The latency applies to API calls only, not to consent pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from aiohttp import web

from . import business_envelope, open_api_envelope, open_api_oauth
from .api_call import LOG_LINE, STATE, Handler, set_log_result
from .call_log import IN_FLIGHT
from .faults import Fault
from .model import Json
from .webhooks import WebhookSender

WEBHOOK_SENDER = web.AppKey("webhook_sender", WebhookSender)
_CONTROL_PATHS = ("/_sim", "/favicon.ico")
_CONSENT_PATHS = ("/portal/", "/v2/auth/")
_OPEN_API_CODE_BY_STATUS = {401: "access_token_invalid", 429: "rate_limit_exceeded"}
_RESULTS_WITHOUT_RESPONSE = ("dropped", "hung")
_HUGE_BODY_BYTES = 16 * 2**20
_DISCONNECT_POLL_SECONDS = 0.05


@web.middleware
async def log_and_apply_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path.startswith(_CONTROL_PATHS) or request.path == "/":
        return await handler(request)
    state = request.app[STATE]
    started = state.monotonic()
    line = request[LOG_LINE] = state.call_log.start_call(
        at=state.now(),
        method=request.method,
        path=request.path,
        address_exists=request.match_info.http_exception is None,
    )
    status = None
    try:
        response = await _delay_and_apply_fault(request, handler)
        status = response.status
        return response
    finally:
        duration_ms = (state.monotonic() - started) * 1_000
        _finish_log_line(request, line, status=status, duration_ms=duration_ms)
        if state.pending_webhooks:
            request.app[WEBHOOK_SENDER].start_sending()


def _finish_log_line(
    request: web.Request, line: Json, *, status: int | None, duration_ms: float
) -> None:
    result = line["verdict"]
    if result in _RESULTS_WITHOUT_RESPONSE:
        status = None
    if result == IN_FLIGHT:
        result = "ok" if status and status < 400 else str(status or "cut")
    request.app[STATE].call_log.finish_call(
        line, result=result, status=status, duration_ms=duration_ms
    )


async def _delay_and_apply_fault(request: web.Request, handler: Handler) -> web.StreamResponse:
    state = request.app[STATE]
    latency_ms = state.settings.latency_ms
    if latency_ms and not request.path.startswith(_CONSENT_PATHS):
        await asyncio.sleep(latency_ms / 1_000)
    fault = state.faults.take(request.path)
    if fault is None:
        return await _execute(request, handler)
    request[LOG_LINE]["fault"] = fault.kind
    state.call_log.counts["faults"] += 1
    return await _FAULT_HANDLERS[fault.kind](request, handler, fault)


async def _execute(request: web.Request, handler: Handler) -> web.StreamResponse:
    """TikTok's front-end web server responds to unknown addresses, in plain text."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return web.Response(status=404, text="404 page not found")
    except web.HTTPMethodNotAllowed as error:
        allow = {"Allow": ",".join(sorted(error.allowed_methods))}
        return web.Response(status=405, text="405 method not allowed", headers=allow)


async def _respond_with_status(
    request: web.Request, _handler: Handler, fault: Fault
) -> web.StreamResponse:
    status = int(fault.value or 500)
    set_log_result(request, str(status))
    if request.path.startswith("/v2/") and status in _OPEN_API_CODE_BY_STATUS:
        code = _OPEN_API_CODE_BY_STATUS[status]
        return open_api_envelope.error_response(request, code, status=status)
    phrases = {known.value: known.phrase for known in HTTPStatus}
    return web.Response(status=status, text=f"{status} {phrases.get(status, 'Unknown')}")


async def _respond_with_code(
    request: web.Request, _handler: Handler, fault: Fault
) -> web.StreamResponse:
    if request.path.startswith("/v2/oauth/"):
        code = str(fault.value or "server_error")
        return open_api_oauth.error_response(request, code, message=fault.message)
    if request.path.startswith("/v2/"):
        code = str(fault.value or "internal_error")
        return open_api_envelope.error_response(request, code, message=fault.message, status=200)
    digits = str(fault.value or "")
    number = int(digits) if digits.isdigit() else 50000
    return business_envelope.error_response(request, number, message=fault.message)


async def _hang(request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
    state = request.app[STATE]
    cleared, limit_seconds = state.faults.cleared, float(fault.value or "inf")
    started = state.monotonic()
    while not cleared.is_set() and state.monotonic() - started < limit_seconds:
        if request.transport is None or request.transport.is_closing():
            set_log_result(request, "hung")
            return web.Response(status=499)
        try:
            await asyncio.wait_for(cleared.wait(), timeout=_DISCONNECT_POLL_SECONDS)
        except TimeoutError:
            continue
    return await _execute(request, handler)


async def _drop_after_effect(
    request: web.Request, handler: Handler, _fault: Fault
) -> web.StreamResponse:
    response = await _execute(request, handler)
    line = request[LOG_LINE]
    if line["verdict"] == "ok" and line.get("what") in ("refresh", "exchange"):
        request.app[STATE].call_log.counts[f"{line['what']}_answers_dropped"] += 1
    line.update(effect=line["verdict"], verdict="dropped")
    if request.transport is not None:
        request.transport.abort()
    return response


async def _respond_with_garbage(
    request: web.Request, _handler: Handler, fault: Fault
) -> web.StreamResponse:
    set_log_result(request, "garbage")
    kind = str(fault.value or "html")
    if kind not in _JSON_GARBAGE:
        return web.Response(text=_HTML_GARBAGE, content_type="text/html")
    return web.Response(body=_JSON_GARBAGE[kind](), content_type="application/json")


_HTML_GARBAGE = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
_JSON_GARBAGE: Mapping[str, Callable[[], bytes]] = {
    "truncated": lambda: b'{"code":0,"message":"OK","request_id":"2026","data":{"access_tok',
    "wrong_type": lambda: b'["code",0,{"data":"expires_in"}]',
    "huge": lambda: (
        b'{"code":0,"message":"OK","data":{"padding":"' + b"x" * _HUGE_BODY_BYTES + b'"}}'
    ),
}
_FAULT_HANDLERS: Mapping[
    str, Callable[[web.Request, Handler, Fault], Awaitable[web.StreamResponse]]
] = {
    "status": _respond_with_status,
    "code": _respond_with_code,
    "hang": _hang,
    "drop_after_effect": _drop_after_effect,
    "garbage": _respond_with_garbage,
}
