"""Renders the pages from the HTML templates in `static`. Every inserted value is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from string import Template

from aiohttp import web

from . import page_texts as texts
from .page_texts import PermissionText
from .sample_data import NAMED_PEOPLE

STATIC_FOLDER = Path(__file__).with_name("static")
ADVERTISER_COUNTS = (0, 1, 5, 5_000)

_HEADERS = {
    # Browsers apply form-action to every redirect that follows the form, and the app decides where
    # these lead. So form-action allows every web address.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "form-action 'self' http: https:; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class ConsentPage:
    """`link_parameters` are the parameters of the app's link; the forms send them back.

    `advertisers` is None on the page of Accounts and Login Kit.
    """

    action: str
    app_name: str
    person: str
    return_origin: str
    link_parameters: Mapping[str, str]
    scopes: tuple[str, ...] = ()
    advertisers: Mapping[str, str] | None = None


def consent_page(page: ConsentPage) -> web.Response:
    hidden_inputs = (_hidden_input(name, value) for name, value in page.link_parameters.items())
    html = _template("consent.html").substitute(
        _consent_texts(page),
        initial=escape(page.app_name[:1].upper() or "?"),
        action=escape(page.action),
        link_parameters="".join(hidden_inputs),
        person=escape(page.person),
        permissions=_permission_list(page),
        advertisers=_advertiser_section(page),
        return_origin=escape(page.return_origin),
        people=_people_options(page.person),
        advertiser_count=_advertiser_count_choice(page),
    )
    return _html_response(html)


def _consent_texts(page: ConsentPage) -> Mapping[str, str]:
    is_ads = page.advertisers is not None
    names = {"app": page.app_name, "person": _display_name(page.person)}
    title = texts.ADS_TITLE if is_ads else texts.PROFILE_TITLE
    intro = texts.ADS_INTRO if is_ads else texts.PROFILE_INTRO
    plain_texts = {
        "banner": texts.BANNER,
        "banner_detail": texts.BANNER_DETAIL,
        "title": title.format(**names),
        "intro": intro.format(**names),
        "permissions_title": texts.PERMISSIONS_TITLE.format(**names),
        "allow": texts.ALLOW,
        "cancel": texts.CANCEL,
        "return_address": texts.RETURN_ADDRESS,
        "controls_title": texts.CONTROLS_TITLE,
        "controls_intro": texts.CONTROLS_INTRO,
        "signed_in_as": texts.SIGNED_IN_AS,
        "apply": texts.APPLY,
    }
    return {name: escape(text) for name, text in plain_texts.items()}


def _display_name(person: str) -> str:
    return NAMED_PEOPLE.get(person, person)


def _permission_list(page: ConsentPage) -> str:
    if page.advertisers is not None:
        return "".join(_permission_item(permission) for permission in texts.ADS_PERMISSIONS)
    return "".join(_scope_items(page.scopes))


def _scope_items(scopes: Iterable[str]) -> Iterable[str]:
    """A person can decline every scope except the basic one."""
    for scope in scopes:
        permission = texts.SCOPES.get(scope, PermissionText(title=scope, detail=""))
        if scope == "user.info.basic":
            tag = f'<span class="tag">{escape(texts.REQUIRED)}</span>'
            control = f"{tag}{_hidden_input('granted', scope)}"
        else:
            control = (
                f'<input class="switch" type="checkbox" name="granted" value="{escape(scope)}"'
                f' aria-label="{escape(permission.title)}" checked>'
            )
        yield _permission_item(permission, control)


def _permission_item(permission: PermissionText, control: str = "") -> str:
    return f"<li>{_two_lines(*permission)}{control}</li>"


def _two_lines(title: str, detail: str) -> str:
    return f'<span class="lines"><b>{escape(title)}</b><span>{escape(detail)}</span></span>'


def _advertiser_section(page: ConsentPage) -> str:
    if page.advertisers is None:
        return ""
    title = escape(texts.ADVERTISERS_TITLE)
    if not page.advertisers:
        empty = escape(texts.NO_ADVERTISERS.format(person=_display_name(page.person)))
        return f'<section><h2>{title}</h2><p class="empty">{empty}</p></section>'
    rows = "".join(
        f'<li><label><input type="checkbox" name="advertiser" value="{escape(id)}" checked>'
        f"{_two_lines(name, id)}</label></li>"
        for id, name in page.advertisers.items()
    )
    return _template("advertisers.html").substitute(
        title=title,
        help=escape(texts.ADVERTISERS_HELP),
        filter=escape(texts.FILTER),
        select_all=escape(texts.SELECT_ALL),
        select_none=escape(texts.SELECT_NONE),
        rows=rows,
        total=str(len(page.advertisers)),
        selected_count=f"{len(page.advertisers):,}",
    )


def _people_options(current: str) -> str:
    people = NAMED_PEOPLE if current in NAMED_PEOPLE else {current: current, **NAMED_PEOPLE}
    return "".join(
        f'<option value="{escape(person)}"{" selected" if person == current else ""}>'
        f"{escape(name)}</option>"
        for person, name in people.items()
    )


def _advertiser_count_choice(page: ConsentPage) -> str:
    if page.advertisers is None:
        return ""
    current = len(page.advertisers)
    radios = "".join(
        f'<label><input type="radio" name="sim_accounts" value="{count}"'
        f"{' checked' if count == current else ''}><span>{count:,}</span></label>"
        for count in sorted({*ADVERTISER_COUNTS, current})
    )
    return (
        f"<fieldset><legend>{escape(texts.ADVERTISER_COUNT)}</legend>"
        f'<div class="count-options">{radios}</div></fieldset>'
    )


def _hidden_input(name: str, value: str) -> str:
    return f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'


def invalid_link_page(parameter: str) -> web.Response:
    """TikTok's page for an invalid consent link. It names the invalid parameter."""
    return _message_page(
        texts.INVALID_LINK_TITLE,
        texts.INVALID_LINK_INTRO,
        facts={"error": "unauthorized_client", "error_type": parameter},
        explanation=texts.INVALID_PARAMETERS[parameter],
        status=400,
    )


def start_page() -> web.Response:
    return _message_page(texts.START_TITLE, texts.START_INTRO, facts={}, explanation="", status=200)


def _message_page(
    title: str, intro: str, *, facts: Mapping[str, str], explanation: str, status: int
) -> web.Response:
    rows = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in facts.items()
    )
    html = _template("message.html").substitute(
        banner=escape(texts.BANNER),
        banner_detail=escape(texts.BANNER_DETAIL),
        title=escape(title),
        intro=escape(intro),
        facts=f"<dl>{rows}</dl>" if rows else "",
        explanation=f'<p class="explanation">{escape(explanation)}</p>' if explanation else "",
    )
    return _html_response(html, status=status)


def _html_response(html: str, *, status: int = 200) -> web.Response:
    return web.Response(text=html, status=status, content_type="text/html", headers=_HEADERS)


@cache
def _template(name: str) -> Template:
    return Template((STATIC_FOLDER / name).read_text("utf-8"))
