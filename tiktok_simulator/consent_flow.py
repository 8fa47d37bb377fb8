"""Both consent pages: business-api's for ad accounts, and tiktok.com's for Accounts and Login Kit.

GET shows the page, and POST to the same address submits the decision. If a person cancels, the
ads page returns only the OAuth state, because TikTok documents no error for it; tiktok.com's page
returns `access_denied`. A link of the Accounts API without `disable_auto_auth=1` shows no page to a
person who granted the same permissions before: the person comes back with the OAuth state and without
a code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from aiohttp import web

from . import marketing, page_rendering, page_texts
from .api_call import LOG_LINE, STATE, set_log_result
from .model import App, Consent, Family
from .sample_data import DEFAULT_PERSON, advertisers_of
from .state import SimulatorState, is_allowed_redirect

ADS_PATH, PROFILE_PATH = "/portal/auth", "/v2/auth/authorize/"
_LINK_PARAMETERS = (
    "app_id",
    "client_key",
    "redirect_uri",
    "state",
    "scope",
    "response_type",
    "disable_auto_auth",
    "code_challenge",
    "code_challenge_method",
)
_MAX_ADVERTISERS = 20_000


class _InvalidLink(Exception):
    def __init__(self, parameter: str) -> None:
        self.parameter = parameter


@dataclass(frozen=True)
class ConsentRequest:
    app: App
    redirect_uri: str
    oauth_state: str
    scopes: tuple[str, ...]
    code_challenge: str | None
    person: str
    advertisers: Mapping[str, str]
    link_parameters: Mapping[str, str]

    @property
    def profile_family(self) -> Family | None:
        """Accounts and Login Kit share one page; the app's registration may say which one it is."""
        return self.app.family if self.app.family in ("accounts", "login_kit") else None


def _parse_request(
    state: SimulatorState, parameters: Mapping[str, str], *, is_ads: bool
) -> ConsentRequest:
    app = state.apps.get(parameters.get("app_id" if is_ads else "client_key", ""))
    if app is None:
        raise _InvalidLink("client_key")
    redirect_uri = parameters.get("redirect_uri", "")
    if not is_allowed_redirect(app, redirect_uri):
        raise _InvalidLink("redirect_uri")
    if not is_ads:
        _check_oauth_parameters(parameters)
        if app.family != "login_kit" and not app.has_logo:
            raise _InvalidLink("logo")
    person = parameters.get("sim_person") or DEFAULT_PERSON
    number = parameters.get("sim_accounts", "")
    count = int(number) if number.isdigit() else state.settings.page_advertisers
    return ConsentRequest(
        app=app,
        redirect_uri=redirect_uri,
        oauth_state=parameters.get("state", ""),
        scopes=tuple(_split_scopes(parameters.get("scope", ""))),
        code_challenge=parameters.get("code_challenge") or None,
        person=person,
        advertisers=advertisers_of(person, min(count, _MAX_ADVERTISERS)),
        link_parameters={name: parameters[name] for name in _LINK_PARAMETERS if name in parameters},
    )


def _split_scopes(text: str) -> Iterable[str]:
    return (scope.strip() for scope in text.split(",") if scope.strip())


def _check_oauth_parameters(parameters: Mapping[str, str]) -> None:
    if parameters.get("response_type") != "code":
        raise _InvalidLink("response_type")
    if not parameters.get("scope", "").strip():
        raise _InvalidLink("scope")
    method = parameters.get("code_challenge_method", "S256")
    if parameters.get("code_challenge") and method != "S256":
        raise _InvalidLink("code_challenge")


async def show_page(request: web.Request) -> web.StreamResponse:
    is_ads = request.path.startswith(ADS_PATH)
    try:
        consent = _parse_request(request.app[STATE], request.query, is_ads=is_ads)
    except _InvalidLink as error:
        return _invalid_link_response(request, error)
    request[LOG_LINE]["app"] = consent.app.id
    if not is_ads and _returns_without_page(request.app[STATE], consent):
        set_log_result(request, "returned_without_code")
        return _redirect_back(consent, {})
    parts = urlsplit(consent.redirect_uri)
    page = page_rendering.ConsentPage(
        action=request.path,
        app_name=consent.app.name,
        person=consent.person,
        return_origin=f"{parts.scheme}://{parts.netloc}",
        link_parameters=consent.link_parameters,
        scopes=consent.scopes,
        advertisers=consent.advertisers if is_ads else None,
    )
    return page_rendering.consent_page(page)


def _returns_without_page(state: SimulatorState, consent: ConsentRequest) -> bool:
    """Only grants of the Accounts API count: the shared page does not know its family."""
    if consent.link_parameters.get("disable_auto_auth") == "1":
        return False
    app_id, person = consent.app.id, consent.person
    return state.tokens.has_granted(consent.scopes, app_id=app_id, person=person)


def _invalid_link_response(request: web.Request, error: _InvalidLink) -> web.Response:
    set_log_result(request, f"unauthorized_client/{error.parameter}")
    return page_rendering.invalid_link_page(error.parameter)


async def submit_decision(request: web.Request) -> web.StreamResponse:
    state, is_ads = request.app[STATE], request.path.startswith(ADS_PATH)
    # request.post() stops at 1,000 fields, and a person can select 5,000 accounts.
    fields = parse_qsl(await request.text(), keep_blank_values=True)
    parameters = dict(fields)
    try:
        consent = _parse_request(state, parameters, is_ads=is_ads)
    except _InvalidLink as error:
        return _invalid_link_response(request, error)
    if not is_ads and _returns_without_page(state, consent):
        set_log_result(request, "returned_without_code")
        return _redirect_back(consent, {})
    is_allowed = parameters.get("decision") == "allow"
    set_log_result(request, "allowed" if is_allowed else "cancelled")
    if not is_allowed:
        denied = {"error": "access_denied", "error_description": page_texts.DENIED}
        return _redirect_back(consent, {} if is_ads else denied)
    if is_ads:
        selected = [value for name, value in fields if name == "advertiser"]
        return _redirect_back(consent, _issue_ads_code(state, consent, selected))
    granted = [value for name, value in fields if name == "granted"]
    return _redirect_back(consent, _issue_profile_code(state, consent, granted))


def _issue_ads_code(
    state: SimulatorState, consent: ConsentRequest, selected: list[str]
) -> dict[str, str]:
    owned = consent.advertisers
    code = state.tokens.issue_code(
        Consent(
            app_id=consent.app.id,
            person=consent.person,
            family="marketing",
            scopes=marketing.SCOPES,
            advertisers={id: owned[id] for id in selected if id in owned},
            redirect_uri=consent.redirect_uri,
        )
    )
    return {"auth_code": code, "code": code}


def _issue_profile_code(
    state: SimulatorState, consent: ConsentRequest, granted: list[str]
) -> dict[str, str]:
    scopes = tuple(scope for scope in consent.scopes if scope in granted)
    code = state.tokens.issue_code(
        Consent(
            app_id=consent.app.id,
            person=consent.person,
            family=consent.profile_family,
            scopes=scopes,
            redirect_uri=consent.redirect_uri,
            code_challenge=consent.code_challenge,
        )
    )
    return {"code": code, "scopes": ",".join(scopes)}


def _redirect_back(consent: ConsentRequest, result: Mapping[str, str]) -> web.Response:
    """Builds the URL without yarl, which would decode `%2A` and `%21` of the code."""
    parts = urlsplit(consent.redirect_uri)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *result.items()]
    if consent.oauth_state:
        query.append(("state", consent.oauth_state))
    location = urlunsplit(parts._replace(query=urlencode(query, quote_via=quote, safe="")))
    return web.Response(status=302, headers={"Location": location, "Cache-Control": "no-store"})


ROUTES: list[web.RouteDef] = [
    route
    for path in (ADS_PATH, ADS_PATH + "/", PROFILE_PATH, PROFILE_PATH.rstrip("/"))
    for route in (
        web.get(path, show_page, allow_head=False),
        web.post(path, submit_decision),
    )
]
