"""The two consent pages: business-api's for ads, tiktok.com's for accounts and Login Kit.

The page is asked for with GET and answered with POST to the same address. Ads cancelled come back
with the state and nothing else, as TikTok documents no word for it; tiktok.com says access_denied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from aiohttp import web

from . import marketing, pages, words
from .grammar import LINE, WORLD, verdict
from .nouns import App, Consent, Family
from .people import DEFAULT, advertisers
from .world import World, redirect_fits

ADS, PROFILE = "/portal/auth", "/v2/auth/authorize/"
_KEPT = (
    "app_id",
    "client_key",
    "redirect_uri",
    "state",
    "scope",
    "response_type",
    "code_challenge",
    "code_challenge_method",
)
_MOST = 20_000


class _Problem(Exception):
    def __init__(self, parameter: str) -> None:
        self.parameter = parameter


@dataclass(frozen=True)
class _Asked:
    app: App
    redirect_uri: str
    state: str
    scopes: tuple[str, ...]
    challenge: str | None
    person: str
    accounts: Mapping[str, str]
    sent: Mapping[str, str]

    @property
    def family(self) -> Family | None:
        """Both flows of tiktok.com share a page; the app's registration may say which it is."""
        return self.app.family if self.app.family in ("accounts", "login_kit") else None


def _asked(world: World, given: Mapping[str, str], *, ads: bool) -> _Asked:
    app = world.apps.get(given.get("app_id" if ads else "client_key", ""))
    if app is None:
        raise _Problem("client_key")
    redirect_uri = given.get("redirect_uri", "")
    if not redirect_fits(app, redirect_uri):
        raise _Problem("redirect_uri")
    if not ads:
        _check_oauth(given)
    person = given.get("sim_person") or DEFAULT
    count = given.get("sim_accounts", "")
    accounts = min(int(count), _MOST) if count.isdigit() else world.settings.page_advertisers
    return _Asked(
        app=app,
        redirect_uri=redirect_uri,
        state=given.get("state", ""),
        scopes=tuple(s.strip() for s in given.get("scope", "").split(",") if s.strip()),
        challenge=given.get("code_challenge") or None,
        person=person,
        accounts=advertisers(person, accounts),
        sent={k: given[k] for k in _KEPT if k in given},
    )


def _check_oauth(given: Mapping[str, str]) -> None:
    if given.get("response_type") != "code":
        raise _Problem("response_type")
    if not given.get("scope", "").strip():
        raise _Problem("scope")
    if given.get("code_challenge") and given.get("code_challenge_method", "S256") != "S256":
        raise _Problem("code_challenge")


async def show(request: web.Request) -> web.StreamResponse:
    ads = request.path.startswith(ADS)
    try:
        asked = _asked(request.app[WORLD], request.query, ads=ads)
    except _Problem as problem:
        return _wrong(request, problem)
    request[LINE]["app"] = asked.app.id
    parts = urlsplit(asked.redirect_uri)
    scene = pages.Scene(
        action=request.path,
        app=asked.app.name,
        person=asked.person,
        returns_to=f"{parts.scheme}://{parts.netloc}",
        sent=asked.sent,
        scopes=asked.scopes,
        accounts=asked.accounts if ads else None,
    )
    return pages.consent(scene)


def _wrong(request: web.Request, problem: _Problem) -> web.Response:
    verdict(request, f"unauthorized_client/{problem.parameter}")
    return pages.problem(problem.parameter)


async def decide(request: web.Request) -> web.StreamResponse:
    ads = request.path.startswith(ADS)
    # Not request.post(): it stops at a thousand fields, and a person may tick five thousand accounts.
    fields = parse_qsl(await request.text(), keep_blank_values=True)
    given = dict(fields)
    try:
        asked = _asked(request.app[WORLD], given, ads=ads)
    except _Problem as problem:
        return _wrong(request, problem)
    allowed = given.get("decision") == "allow"
    verdict(request, "allowed" if allowed else "cancelled")
    if not allowed:
        denied = {"error": "access_denied", "error_description": words.DENIED}
        return _back(asked, {} if ads else denied)
    if ads:
        ticked = [value for name, value in fields if name == "advertiser"]
        return _back(asked, _grant_ads(request.app[WORLD], asked, ticked))
    granted = [value for name, value in fields if name == "granted"]
    return _back(asked, _grant_profile(request.app[WORLD], asked, granted))


def _grant_ads(world: World, asked: _Asked, ticked: list[str]) -> dict[str, str]:
    code = world.ledger.consent(
        Consent(
            app_id=asked.app.id,
            person=asked.person,
            family="marketing",
            scopes=marketing.SCOPES,
            advertisers={id: asked.accounts[id] for id in ticked if id in asked.accounts},
            redirect_uri=asked.redirect_uri,
        )
    )
    return {"auth_code": code, "code": code}


def _grant_profile(world: World, asked: _Asked, granted: list[str]) -> dict[str, str]:
    scopes = tuple(s for s in asked.scopes if s in granted)
    code = world.ledger.consent(
        Consent(
            app_id=asked.app.id,
            person=asked.person,
            family=asked.family,
            scopes=scopes,
            redirect_uri=asked.redirect_uri,
            challenge=asked.challenge,
        )
    )
    return {"code": code, "scopes": ",".join(scopes)}


def _back(asked: _Asked, said: Mapping[str, str]) -> web.Response:
    """The address is built by hand: a URL library would decode the code's `*` and `!` on the way."""
    parts = urlsplit(asked.redirect_uri)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *said.items()]
    if asked.state:
        query.append(("state", asked.state))
    to = urlunsplit(parts._replace(query=urlencode(query, quote_via=quote, safe="")))
    return web.Response(status=302, headers={"Location": to, "Cache-Control": "no-store"})


ROUTES: list[web.RouteDef] = [
    route
    for path in (ADS, ADS + "/", PROFILE, PROFILE.rstrip("/"))
    for route in (web.get(path, show, allow_head=False), web.post(path, decide))
]
