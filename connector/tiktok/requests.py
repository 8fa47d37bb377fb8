"""Builds consent links, and requests with JSON, form or query parameters.

This module does not depend on the family. `Request.endpoint` names a call in the log
(`oauth2/advertiser/get`). The name is made from the path only, so it can never contain a secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote, unquote_plus, urlencode, urlsplit, urlunsplit

from .http import Request

BUSINESS_API = "/open_api/v1.3/"
OPEN_API = "/v2/"

_CREDENTIAL_HEADERS = {"authorization", "access-token"}


def add_query(url: str, parameters: Mapping[str, str]) -> str:
    """Adds the parameters to the query of the URL.

    TikTok's portal shows a complete consent link, and operators paste the whole link. `parameters`
    replace parameters of the same name (for example the portal's placeholder `state`). All other
    bytes stay the same.
    """
    parts = urlsplit(url)
    existing_pairs = [
        pair
        for pair in parts.query.split("&")
        if pair and unquote_plus(pair.partition("=")[0]) not in parameters
    ]
    return urlunsplit(parts._replace(query="&".join([*existing_pairs, _encode(parameters)])))


def build_get(
    api: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Request:
    request = _request("GET", api, path, headers or {})
    return replace(request, url=add_query(request.url, query)) if query else request


def build_json_post(api: str, path: str, *, body: Mapping[str, object]) -> Request:
    headers = {"Content-Type": "application/json"}
    return _request("POST", api, path, headers, json.dumps(body).encode())


def build_form_post(api: str, path: str, *, form: Mapping[str, str]) -> Request:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return _request("POST", api, path, headers, _encode(form).encode())


def with_credentials(request: Request, credentials: Mapping[str, str]) -> Request:
    """Replaces any credentials in the request's headers, in any letter case."""
    headers = {
        name: value
        for name, value in request.headers.items()
        if name.lower() not in _CREDENTIAL_HEADERS
    }
    return replace(request, headers={**headers, **credentials})


def _request(
    method: str, api: str, path: str, headers: Mapping[str, str], body: bytes | None = None
) -> Request:
    # Without the trailing slash the business API responds 404 in plain text (Marketing API portal,
    # "Return codes"; documented for tt_user/oauth2/refresh_token).
    url = f"{api.rstrip('/')}{path}/"
    endpoint = path.removeprefix(BUSINESS_API).removeprefix(OPEN_API)
    return Request(method, url, endpoint, headers, body)


def _encode(parameters: Mapping[str, str]) -> str:
    # A space becomes %20 rather than +, because not every decoder turns + into a space, and JSON
    # text and redirect addresses must not change.
    return urlencode(parameters, quote_via=quote, safe="")
