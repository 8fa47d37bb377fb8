"""The controls under `/_sim`, which TikTok does not have: JSON requests and responses.

An invalid request gets status 400 and a sentence. The authors of clients know only a page of
documentation, so the controls are tolerant: a field accepts each name that a TikTok API uses for
it, a number is accepted for text, and unknown fields are ignored. Ignored settings are listed in
the response.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from . import marketing, webhooks
from .api_call import STATE
from .control_models import (
    AdvertiserBody,
    AdvertisersBody,
    AppBody,
    ClockBody,
    ConsentBody,
    GrantSelectorBody,
    RevokeBody,
    WebhookBody,
)
from .faults import Fault
from .middleware import WEBHOOK_SENDER
from .model import App, Consent, Grant, Json, SimulatorSettings
from .page_texts import SCOPES
from .sample_data import advertisers_of, tiktok_user_id
from .state import SimulatorState
from .token_registry import InvalidToken

_Body = TypeVar("_Body", bound=BaseModel)
Control = Callable[[SimulatorState, web.Request], Awaitable[Json]]


async def register_apps(state: SimulatorState, request: web.Request) -> Json:
    for body in await _parse_bodies(request, AppBody):
        state.apps[body.id] = App(**body.model_dump())
    return await list_apps(state, request)


async def list_apps(state: SimulatorState, _request: web.Request) -> Json:
    public_fields = ("id", "name", "family", "redirect_uris", "webhook_url")
    return {
        "apps": [
            {name: getattr(app, name) for name in public_fields} for app in state.apps.values()
        ]
    }


async def create_consent(state: SimulatorState, request: web.Request) -> Json:
    body = await _parse_body(request, ConsentBody)
    app = _find_app(state, body.app_id)
    advertisers = 1 if body.advertisers is None else body.advertisers
    consent = Consent(
        app_id=app.id,
        person=body.person,
        family=body.family,
        scopes=_parse_scopes(body),
        advertisers=_parse_advertisers(body.person, advertisers),
        redirect_uri=body.redirect_uri,
        code_challenge=body.code_challenge,
    )
    code = state.tokens.issue_code(consent)
    return {
        "code": code,
        "auth_code": code,
        "family": body.family,
        "scopes": list(consent.scopes),
        "person": body.person,
        "open_id": tiktok_user_id(body.family, app_id=app.id, person=body.person),
    }


def _find_app(state: SimulatorState, app_id: str | None) -> App:
    """The app with this id. A request without an id means the only registered app."""
    if app_id is None and len(state.apps) == 1:
        return next(iter(state.apps.values()))
    if app_id is None or app_id not in state.apps:
        raise _bad_request("The app is not registered: POST it to /_sim/apps first.")
    return state.apps[app_id]


def _parse_scopes(body: ConsentBody) -> tuple[str, ...]:
    """Returns all scopes if the request names no scope. For marketing, only numbers are scopes."""
    scopes = body.scopes.split(",") if isinstance(body.scopes, str) else body.scopes
    requested = tuple(scope.strip() for scope in scopes or () if scope.strip())
    if body.family == "marketing":
        return tuple(scope for scope in requested if scope.isdigit()) or marketing.SCOPES
    return requested or tuple(SCOPES)


def _parse_advertisers(
    person: str, advertisers: int | list[AdvertiserBody | str]
) -> Mapping[str, str]:
    if isinstance(advertisers, int):
        return advertisers_of(person, max(0, advertisers))
    bodies = [
        item if isinstance(item, AdvertiserBody) else AdvertiserBody(id=item)
        for item in advertisers
    ]
    return {body.id: body.name or f"Advertiser {body.id[-4:]}" for body in bodies}


async def revoke(state: SimulatorState, request: web.Request) -> Json:
    """The person disconnects the app at TikTok. The token ends before the webhook is sent."""
    body = await _parse_body(request, RevokeBody)
    revoked = state.tokens.revoke(_find_grants(state, body))
    webhooks.notify_revoked(state, revoked, reason=body.reason)
    return {"revoked": len(revoked), "webhooks": await _send_webhooks(request)}


async def change_advertisers(state: SimulatorState, request: web.Request) -> Json:
    body = await _parse_body(request, AdvertisersBody)
    grants = [
        grant
        for grant in _find_grants(state, body)
        if grant.family == "marketing" and grant.is_active
    ]
    for grant in grants:
        grant.advertisers = _parse_advertisers(grant.person, body.advertisers)
    return {"grants": len(grants)}


def _find_grants(state: SimulatorState, selector: GrantSelectorBody) -> list[Grant]:
    if selector.user_id_or_person:
        grants = state.tokens.grants_of(selector.user_id_or_person)
        if grants:
            return grants
    if selector.token:
        try:
            return [state.tokens.find_grant(selector.token)]
        except InvalidToken:
            pass
    raise _bad_request("No grant has this open_id, person, access_token or refresh_token.")


async def advance_clock(state: SimulatorState, request: web.Request) -> Json:
    state.clock_offset += (await _parse_body(request, ClockBody)).advance
    for post in state.posts.finish_due():
        webhooks.notify_post_result(state, post)
    return {**await show_clock(state, request), "webhooks": await _send_webhooks(request)}


async def show_clock(state: SimulatorState, _request: web.Request) -> Json:
    return {"now": state.now(), "offset": state.clock_offset}


async def change_settings(state: SimulatorState, request: web.Request) -> Json:
    changes = await _parse_json(request)
    if not isinstance(changes, dict):
        raise _bad_request("Settings are a JSON object.")
    known = {
        name: value for name, value in changes.items() if name in SimulatorSettings.model_fields
    }
    valid = SimulatorSettings.model_validate({**state.settings.model_dump(), **known})
    for name in known:
        setattr(state.settings, name, getattr(valid, name))
    ignored = sorted(set(changes) - set(known))
    return {**state.settings.model_dump(), **({"ignored": ignored} if ignored else {})}


async def show_settings(state: SimulatorState, _request: web.Request) -> Json:
    return state.settings.model_dump()


async def add_faults(state: SimulatorState, request: web.Request) -> Json:
    for fault in await _parse_bodies(request, Fault):
        state.faults.add(fault)
    return await list_faults(state, request)


async def list_faults(state: SimulatorState, _request: web.Request) -> Json:
    return {"faults": [fault.model_dump() for fault in state.faults.pending()]}


async def clear_faults(state: SimulatorState, request: web.Request) -> Json:
    state.faults.clear(request.query.get("path"))
    return await list_faults(state, request)


async def list_calls(state: SimulatorState, request: web.Request) -> Json:
    path, limit = request.query.get("path", ""), request.query.get("limit", "")
    if limit.isdigit() and int(limit):
        return {"calls": state.call_log.calls(path=path, limit=int(limit))}
    return {"calls": state.call_log.calls(path=path)}


async def clear_calls(state: SimulatorState, _request: web.Request) -> Json:
    state.call_log.clear_calls()
    return {"calls": []}


async def show_stats(state: SimulatorState, _request: web.Request) -> Json:
    return {**state.call_log.stats(), **state.tokens.counts()}


async def clear_stats(state: SimulatorState, request: web.Request) -> Json:
    state.call_log.clear_counts()
    return await show_stats(state, request)


async def send_webhook(state: SimulatorState, request: web.Request) -> Json:
    body = await _parse_body(request, WebhookBody)
    grants = state.tokens.grants_of(body.open_id or "")
    app = _find_app(state, body.app_id or (grants[0].app_id if grants else None))
    webhooks.enqueue(
        state,
        app.id,
        event=body.event,
        user_id=body.open_id,
        content=body.all_content,
        created_at=_unix_seconds(body.created_at),
        signed_at=_unix_seconds(body.signed_at),
    )
    return {"webhooks": await _send_webhooks(request)}


def _unix_seconds(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())


async def _send_webhooks(request: web.Request) -> list[Json]:
    return await request.app[WEBHOOK_SENDER].send_pending()


async def reset(state: SimulatorState, _request: web.Request) -> Json:
    state.reset()
    return {"apps": list(state.apps)}


async def _parse_json(request: web.Request) -> object:
    raw = await request.read()
    try:
        return json.loads(raw or b"{}")
    except ValueError:
        raise _bad_request("The body is not JSON.") from None


async def _parse_body(request: web.Request, model: type[_Body]) -> _Body:
    return model.model_validate(await _parse_json(request))


async def _parse_bodies(request: web.Request, model: type[_Body]) -> list[_Body]:
    """One object, or a list of objects."""
    parsed = await _parse_json(request)
    items = parsed if isinstance(parsed, list) else [parsed]
    return [model.model_validate(item) for item in items]


def _bad_request(message: str) -> web.HTTPBadRequest:
    body = json.dumps({"error": message})
    return web.HTTPBadRequest(text=body, content_type="application/json")


def _as_handler(control: Control) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return web.json_response(await control(request.app[STATE], request))
        except ValidationError as error:
            problems = [
                f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors()
            ]
            raise _bad_request("; ".join(problems)) from None

    return handle


ROUTES: list[web.RouteDef] = [
    web.post("/_sim/apps", _as_handler(register_apps)),
    web.get("/_sim/apps", _as_handler(list_apps)),
    web.post("/_sim/consent", _as_handler(create_consent)),
    web.post("/_sim/revoke", _as_handler(revoke)),
    web.post("/_sim/advertisers", _as_handler(change_advertisers)),
    web.post("/_sim/clock", _as_handler(advance_clock)),
    web.get("/_sim/clock", _as_handler(show_clock)),
    web.post("/_sim/settings", _as_handler(change_settings)),
    web.get("/_sim/settings", _as_handler(show_settings)),
    web.post("/_sim/faults", _as_handler(add_faults)),
    web.get("/_sim/faults", _as_handler(list_faults)),
    web.delete("/_sim/faults", _as_handler(clear_faults)),
    web.get("/_sim/log", _as_handler(list_calls)),
    web.delete("/_sim/log", _as_handler(clear_calls)),
    web.get("/_sim/stats", _as_handler(show_stats)),
    web.delete("/_sim/stats", _as_handler(clear_stats)),
    web.post("/_sim/webhooks", _as_handler(send_webhook)),
    web.post("/_sim/reset", _as_handler(reset)),
]
