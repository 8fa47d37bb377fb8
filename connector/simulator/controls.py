"""`/_sim`: what the real TikTok lacks. JSON in, JSON out, 400 with a sentence for what is wrong.

These are driven by programs that were written from a page of documentation, so they are tolerant:
a name may be spelt as any of TikTok's APIs spells it, numbers may stand for text, and what is not
understood is ignored, and said so where it matters.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from . import marketing, notices
from .faults import Fault
from .gate import COURIER
from .given import AdvertiserGiven, AppGiven, ClockGiven, ConsentGiven, NoticeGiven, WhoseGiven
from .grammar import WORLD
from .ledger import BadToken
from .nouns import App, Consent, Grant, Json, Settings
from .people import advertisers, subject
from .words import SCOPES
from .world import World

_M = TypeVar("_M", bound=BaseModel)
Control = Callable[[World, web.Request], Awaitable[Json]]


async def register(world: World, request: web.Request) -> Json:
    for given in await _read_many(request, AppGiven):
        world.apps[given.id] = App(**given.model_dump())
    return await apps(world, request)


async def apps(world: World, _request: web.Request) -> Json:
    shown = ("id", "name", "family", "redirect_uris", "webhook_url")
    return {"apps": [{k: getattr(app, k) for k in shown} for app in world.apps.values()]}


async def consent(world: World, request: web.Request) -> Json:
    given = await _read(request, ConsentGiven)
    app = _app(world, given.app)
    agreed = Consent(
        app_id=app.id,
        person=given.person,
        family=given.family,
        scopes=_scopes(given),
        advertisers=_accounts(given.person, given.advertisers, default=1),
        redirect_uri=given.redirect_uri,
        challenge=given.challenge,
    )
    code = world.ledger.consent(agreed)
    return {
        "code": code,
        "auth_code": code,
        "family": given.family,
        "scopes": list(agreed.scopes),
        "person": given.person,
        "open_id": subject(given.family, app_id=app.id, person=given.person),
    }


def _app(world: World, id: str | None) -> App:
    """The app named, or the only one there is."""
    if id is None and len(world.apps) == 1:
        return next(iter(world.apps.values()))
    if id is None or id not in world.apps:
        raise _refused("The app is not registered: POST it to /_sim/apps first.")
    return world.apps[id]


def _scopes(given: ConsentGiven) -> tuple[str, ...]:
    """Everything, unless some are named. Ads permissions are numbers; other words are not theirs."""
    scopes = given.scopes.split(",") if isinstance(given.scopes, str) else given.scopes
    named = tuple(s.strip() for s in scopes or () if s.strip())
    if given.family == "marketing":
        return tuple(s for s in named if s.isdigit()) or marketing.SCOPES
    return named or tuple(SCOPES)


def _accounts(
    person: str, given: int | list[AdvertiserGiven | str] | None, *, default: int = 0
) -> Mapping[str, str]:
    if given is None or isinstance(given, int):
        return advertisers(person, default if given is None else max(0, given))
    named = [a if isinstance(a, AdvertiserGiven) else AdvertiserGiven(id=a) for a in given]
    return {a.id: a.name or f"Advertiser {a.id[-4:]}" for a in named}


async def revoke(world: World, request: web.Request) -> Json:
    """The person withdraws in TikTok's own settings. The token is dead before the notice is sent."""
    ended = world.ledger.revoke(_grants(world, await _read(request, WhoseGiven)))
    notices.removed(world, ended)
    return {"revoked": len(ended), "webhooks": await request.app[COURIER].flush()}


async def change_advertisers(world: World, request: web.Request) -> Json:
    given = await _read(request, WhoseGiven)
    grants = [g for g in _grants(world, given) if g.family == "marketing" and g.alive]
    for grant in grants:
        grant.advertisers = _accounts(grant.person, given.advertisers)
    return {"grants": len(grants)}


def _grants(world: World, given: WhoseGiven) -> list[Grant]:
    if given.subject:
        found = world.ledger.grants(given.subject)
        if found:
            return found
    if given.token:
        try:
            return [world.ledger.either(given.token)]
        except BadToken:
            pass
    raise _refused("Nobody here is known by that open_id, person or access_token.")


async def advance(world: World, request: web.Request) -> Json:
    world.offset += (await _read(request, ClockGiven)).advance
    for post in world.posts.sweep():
        notices.outcome(world, post)
    return {**await clock(world, request), "webhooks": await request.app[COURIER].flush()}


async def clock(world: World, _request: web.Request) -> Json:
    return {"now": world.now(), "offset": world.offset}


async def change_settings(world: World, request: web.Request) -> Json:
    given = await _json(request)
    if not isinstance(given, dict):
        raise _refused("Settings are a JSON object.")
    known = {k: v for k, v in given.items() if k in Settings.model_fields}
    valid = Settings.model_validate({**world.settings.model_dump(), **known})
    for name in known:
        setattr(world.settings, name, getattr(valid, name))
    ignored = sorted(set(given) - set(known))
    return {**world.settings.model_dump(), **({"ignored": ignored} if ignored else {})}


async def settings(world: World, _request: web.Request) -> Json:
    return world.settings.model_dump()


async def add_faults(world: World, request: web.Request) -> Json:
    for fault in await _read_many(request, Fault):
        world.faults.add(fault)
    return await faults(world, request)


async def faults(world: World, _request: web.Request) -> Json:
    return {"faults": [fault.model_dump() for fault in world.faults.waiting()]}


async def clear_faults(world: World, request: web.Request) -> Json:
    world.faults.clear(request.query.get("path"))
    return await faults(world, request)


async def log(world: World, request: web.Request) -> Json:
    path, limit = request.query.get("path", ""), request.query.get("limit", "")
    more = {"limit": int(limit)} if limit.isdigit() and int(limit) else {}
    return {"calls": world.record.calls(path=path, **more)}


async def clear_log(world: World, _request: web.Request) -> Json:
    world.record.clear_log()
    return {"calls": []}


async def stats(world: World, _request: web.Request) -> Json:
    return {**world.record.stats(), **world.ledger.living()}


async def clear_stats(world: World, request: web.Request) -> Json:
    world.record.clear_counts()
    return await stats(world, request)


async def notice(world: World, request: web.Request) -> Json:
    given = await _read(request, NoticeGiven)
    notices.post(world, _app(world, given.app).id, given.event, given.open_id, given.content)
    return {"webhooks": await request.app[COURIER].flush()}


async def reset(world: World, _request: web.Request) -> Json:
    world.reset()
    return {"apps": list(world.apps)}


async def _json(request: web.Request) -> object:
    raw = await request.read()
    try:
        return json.loads(raw or b"{}")
    except ValueError:
        raise _refused("The body is not JSON.") from None


async def _read(request: web.Request, model: type[_M]) -> _M:
    return model.model_validate(await _json(request))


async def _read_many(request: web.Request, model: type[_M]) -> list[_M]:
    given = await _json(request)
    return [model.model_validate(one) for one in (given if isinstance(given, list) else [given])]


def _refused(sentence: str) -> web.HTTPBadRequest:
    body = json.dumps({"error": sentence})
    return web.HTTPBadRequest(text=body, content_type="application/json")


def _control(control: Control) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return web.json_response(await control(request.app[WORLD], request))
        except ValidationError as bad:
            problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in bad.errors()]
            raise _refused("; ".join(problems)) from None

    return handle


ROUTES: list[web.RouteDef] = [
    web.post("/_sim/apps", _control(register)),
    web.get("/_sim/apps", _control(apps)),
    web.post("/_sim/consent", _control(consent)),
    web.post("/_sim/revoke", _control(revoke)),
    web.post("/_sim/advertisers", _control(change_advertisers)),
    web.post("/_sim/clock", _control(advance)),
    web.get("/_sim/clock", _control(clock)),
    web.post("/_sim/settings", _control(change_settings)),
    web.get("/_sim/settings", _control(settings)),
    web.post("/_sim/faults", _control(add_faults)),
    web.get("/_sim/faults", _control(faults)),
    web.delete("/_sim/faults", _control(clear_faults)),
    web.get("/_sim/log", _control(log)),
    web.delete("/_sim/log", _control(clear_log)),
    web.get("/_sim/stats", _control(stats)),
    web.delete("/_sim/stats", _control(clear_stats)),
    web.post("/_sim/notices", _control(notice)),
    web.post("/_sim/reset", _control(reset)),
]
