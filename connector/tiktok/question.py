"""How a question to TikTok is put: links to consent, and requests in JSON, forms and queries.

Nothing here knows what is asked. A label names the call for people and logs (`oauth2/advertiser/get`)
and is made from the path alone, so it can never hold a secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote, unquote_plus, urlencode, urlsplit, urlunsplit

from connector.wire import Request

BUSINESS_API = "/open_api/v1.3/"
OPEN_API = "/v2/"

_CREDENTIALS = {"authorization", "access-token"}


def link(url: str, parameters: Mapping[str, str]) -> str:
    """Adds to the query that is there.

    TikTok's portal hands out a ready consent link, which operators paste whole: of its query, what we
    set ourselves is replaced (its placeholder `state`, say) and the rest stays byte for byte.
    """
    parts = urlsplit(url)
    theirs = [
        pair
        for pair in parts.query.split("&")
        if pair and unquote_plus(pair.partition("=")[0]) not in parameters
    ]
    return urlunsplit(parts._replace(query="&".join([*theirs, _encoded(parameters)])))


def get(
    api: str, path: str, query: Mapping[str, str] | None = None, *, headers: Mapping[str, str]
) -> Request:
    url = _address(api, path)
    return Request("GET", link(url, query) if query else url, _label(path), headers)


def post_json(
    api: str,
    path: str,
    body: Mapping[str, object],
    *,
    headers: Mapping[str, str] | None = None,
) -> Request:
    return Request(
        "POST",
        _address(api, path),
        _label(path),
        {"Content-Type": "application/json", **(headers or {})},
        json.dumps(body).encode(),
    )


def post_form(api: str, path: str, form: Mapping[str, str]) -> Request:
    return Request(
        "POST",
        _address(api, path),
        _label(path),
        {"Content-Type": "application/x-www-form-urlencoded"},
        _encoded(form).encode(),
    )


def signed(request: Request, credential: Mapping[str, str]) -> Request:
    """The credential takes the place of any the request came with, however it was spelt."""
    kept = {k: v for k, v in request.headers.items() if k.lower() not in _CREDENTIALS}
    return replace(request, headers={**kept, **credential})


def _address(api: str, path: str) -> str:
    # The trailing slash is not decoration: without it the business API answers 404 in plain text
    # (Marketing API portal, "Return codes"; documented for tt_user/oauth2/refresh_token).
    return f"{api.rstrip('/')}{path}/"


def _label(path: str) -> str:
    return path.removeprefix(BUSINESS_API).removeprefix(OPEN_API)


def _encoded(parameters: Mapping[str, str]) -> str:
    # %20 rather than +: JSON text and redirect addresses must arrive exactly, whoever decodes them.
    return urlencode(parameters, quote_via=quote, safe="")
