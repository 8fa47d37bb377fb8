"""TikTok's responses as literals, one configured instance of each family, and readers of requests."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, settings
from pydantic import SecretStr

from connector.errors import TikTokError
from connector.model import Tokens
from connector.tiktok import AccountsApi, AppConfig, LoginKitApi, MarketingApi, Request, Response
from connector.tiktok.responses import ParseContext, parse_business_response, parse_open_response

SAMPLES = Path(__file__).parent.parent / "samples"
property_settings = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
"""Has no time limits, because a busy machine is slow."""

CALL = ParseContext()
REQUESTED_AT = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
OLD_LIFETIME = timedelta(hours=2)
MALFORMED_IDS: tuple[Any, ...] = (
    1.5,
    7e18,
    {},
    {"id": "1"},
    [],
    True,
    -1,
    "",
    "x" * 129,
    "a\nb",
    10**200,
)
OLD_TOKENS = Tokens(
    access=SecretStr("act.old-access"),
    refresh=SecretStr("rft.old-refresh"),
    expires_at=REQUESTED_AT,
    refresh_expires_at=REQUESTED_AT + timedelta(days=90),
    issued_at=REQUESTED_AT - OLD_LIFETIME,
)

_BUSINESS_APP = AppConfig(
    id="7100",
    secret=SecretStr("fake-app-secret"),
    api="https://business.test",
    consent="https://business.test/portal/auth",
    scopes=("user.info.basic", "video.list"),
)
MARKETING = MarketingApi(_BUSINESS_APP)
ACCOUNTS = AccountsApi(_BUSINESS_APP)
LOGIN_KIT = LoginKitApi(
    AppConfig(
        id="fake-client-key",
        secret=SecretStr("fake-client-secret"),
        api="https://open.test",
        consent="https://www.test/v2/auth/authorize/",
        scopes=("user.info.basic", "video.list"),
    )
)


def response(
    body: bytes | str | dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    text = json.dumps(body) if isinstance(body, dict) else body
    raw = text.encode() if isinstance(text, str) else text
    lower_case = {name.lower(): value for name, value in (headers or {}).items()}
    return Response(status, lower_case, raw, REQUESTED_AT)


def sample_response(name: str) -> Response:
    return response((SAMPLES / f"{name}.json").read_bytes())


def sample_with(name: str, **changes: Any) -> Response:
    """Returns a sample with changed fields in `data`, or at the top of a flat sample; None removes a field."""
    document = json.loads((SAMPLES / f"{name}.json").read_bytes())
    fields = document.get("data", document)
    fields.update(changes)
    for field in [field for field, value in changes.items() if value is None]:
        del fields[field]
    return response(document)


def business_error(code: int, message: str = "") -> Response:
    return response({"code": code, "message": message, "request_id": "r-1", "data": {}})


def error_of(received: Response, context: ParseContext = CALL) -> TikTokError:
    parse = parse_open_response if b'"error"' in received.body else parse_business_response
    with pytest.raises(TikTokError) as caught:
        parse(received, context)
    return caught.value


def query_of(request: Request | str) -> dict[str, str]:
    url = request if isinstance(request, str) else request.url
    parameters = parse_qs(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    return {name: value for name, [value] in parameters.items()}


def json_body(request: Request) -> Any:
    return json.loads(request.body or b"")


def form_body(request: Request) -> dict[str, str]:
    parameters = parse_qs((request.body or b"").decode(), keep_blank_values=True)
    return {name: value for name, [value] in parameters.items()}
