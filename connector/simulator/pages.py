"""Draws the pages. Templates are HTML files beside the stylesheet; whatever goes into them is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from string import Template

from aiohttp import web

from . import words
from .people import KNOWN

STATIC = Path(__file__).with_name("static")
COUNTS = (0, 1, 5, 5_000)

HEADERS = {
    # form-action names every web address, because browsers hold a form to it along the whole chain
    # of redirects that follows, and where that chain leads is the app's affair.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "form-action 'self' http: https:; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Scene:
    """Everything the consent page shows; `sent` is what the app's link carried, to be sent back."""

    action: str
    app: str
    person: str
    returns_to: str
    sent: Mapping[str, str]
    scopes: tuple[str, ...] = ()
    accounts: Mapping[str, str] | None = None


def consent(scene: Scene) -> web.Response:
    ads = scene.accounts is not None
    name = KNOWN.get(scene.person, scene.person)
    said = {"app": scene.app, "person": name}
    page = _template("consent.html").substitute(
        banner=escape(words.BANNER),
        banner_more=escape(words.BANNER_MORE),
        initial=escape(scene.app[:1].upper() or "?"),
        title=escape((words.ADS_TITLE if ads else words.PROFILE_TITLE).format(**said)),
        lede=escape((words.ADS_LEDE if ads else words.PROFILE_LEDE).format(**said)),
        action=escape(scene.action),
        sent="".join(_hidden(k, v) for k, v in scene.sent.items()),
        person=escape(scene.person),
        will=escape(words.WILL.format(**said)),
        abilities="".join(_permissions() if ads else _scopes(scene.scopes)),
        accounts=_accounts(scene.accounts, name) if scene.accounts is not None else "",
        returns=escape(words.RETURNS),
        returns_to=escape(scene.returns_to),
        allow=escape(words.ALLOW),
        cancel=escape(words.CANCEL),
        stage=escape(words.STAGE),
        stage_lede=escape(words.STAGE_LEDE),
        who=escape(words.WHO),
        people=_people(scene.person),
        how_many=_how_many(len(scene.accounts)) if scene.accounts is not None else "",
        show=escape(words.SHOW),
    )
    return _page(page)


def _permissions() -> Iterable[str]:
    return (_ability(title, more) for title, more in words.PERMISSIONS)


def _scopes(scopes: Iterable[str]) -> Iterable[str]:
    """The basic scope cannot be declined; each of the others can."""
    for scope in scopes:
        title, more = words.SCOPES.get(scope, (scope, ""))
        if scope == "user.info.basic":
            control = (
                f'<span class="tag">{escape(words.REQUIRED)}</span>{_hidden("granted", scope)}'
            )
        else:
            control = (
                f'<input class="switch" type="checkbox" name="granted" value="{escape(scope)}"'
                f' aria-label="{escape(title)}" checked>'
            )
        yield _ability(title, more, control)


def _ability(title: str, more: str, control: str = "") -> str:
    return (
        f'<li><span class="words"><b>{escape(title)}</b><span>{escape(more)}</span></span>'
        f"{control}</li>"
    )


def _accounts(accounts: Mapping[str, str], person: str) -> str:
    if not accounts:
        empty = escape(words.ACCOUNTS_NONE.format(person=person))
        return f'<section><h2>{escape(words.ACCOUNTS)}</h2><p class="empty">{empty}</p></section>'
    rows = "".join(
        f'<li><label><input type="checkbox" name="advertiser" value="{escape(id)}" checked>'
        f'<span class="words"><b>{escape(name)}</b><span>{escape(id)}</span></span></label></li>'
        for id, name in accounts.items()
    )
    return _template("accounts.html").substitute(
        title=escape(words.ACCOUNTS),
        help=escape(words.ACCOUNTS_HELP),
        filter=escape(words.FILTER),
        all=escape(words.ALL),
        none=escape(words.NONE),
        rows=rows,
        total=str(len(accounts)),
        count=f"{len(accounts):,}",
    )


def _people(chosen: str) -> str:
    people = KNOWN if chosen in KNOWN else {chosen: chosen, **KNOWN}
    return "".join(
        f'<option value="{escape(key)}"{" selected" if key == chosen else ""}>{escape(name)}</option>'
        for key, name in people.items()
    )


def _how_many(chosen: int) -> str:
    counts = sorted({*COUNTS, chosen})
    radios = "".join(
        f'<label><input type="radio" name="sim_accounts" value="{n}"'
        f"{' checked' if n == chosen else ''}><span>{n:,}</span></label>"
        for n in counts
    )
    return (
        f"<fieldset><legend>{escape(words.HOW_MANY)}</legend>"
        f'<div class="choices">{radios}</div></fieldset>'
    )


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'


def problem(name: str) -> web.Response:
    """TikTok's own page for a link it cannot serve: it names the parameter at fault."""
    facts = {"error": "unauthorized_client", "error_type": name}
    more = escape(words.PROBLEMS[name])
    return _message(words.BROKEN_TITLE, words.BROKEN_LEDE, more, facts, status=400)


def home() -> web.Response:
    return _message(words.HOME_TITLE, words.HOME_LEDE, "", {}, status=200)


def _message(
    title: str, lede: str, more: str, facts: Mapping[str, str], *, status: int
) -> web.Response:
    rows = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items())
    page = _template("message.html").substitute(
        banner=escape(words.BANNER),
        banner_more=escape(words.BANNER_MORE),
        title=escape(title),
        lede=escape(lede),
        more=f'<p class="more">{more}</p>' if more else "",
        facts=f"<dl>{rows}</dl>" if rows else "",
    )
    return _page(page, status=status)


def _page(html: str, *, status: int = 200) -> web.Response:
    return web.Response(text=html, status=status, content_type="text/html", headers=HEADERS)


@cache
def _template(name: str) -> Template:
    return Template((STATIC / name).read_text("utf-8"))
