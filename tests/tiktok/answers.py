"""TikTok's answers as literals, and the three apps that the tests of the protocol ask with."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hypothesis import HealthCheck, settings
from pydantic import SecretStr

from connector.model import Tokens
from connector.tiktok import Accounts, App, LoginKit, Marketing
from connector.wire import Request, Response

SAMPLES = Path(__file__).parent.parent / "samples"
unhurried = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For properties: a busy machine is not a finding."""

ASKED_AT = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
OLD = Tokens(
    access=SecretStr("act.old-access"),
    refresh=SecretStr("rft.old-refresh"),
    expires_at=ASKED_AT,
    refresh_expires_at=ASKED_AT + timedelta(days=90),
)

_BUSINESS = App(
    id="7100",
    secret=SecretStr("fake-app-secret"),
    api="https://business.test",
    consent="https://business.test/portal/auth",
    scopes=("user.info.basic", "video.list"),
)
MARKETING = Marketing(_BUSINESS)
ACCOUNTS = Accounts(_BUSINESS)
LOGIN_KIT = LoginKit(
    App(
        id="fake-client-key",
        secret=SecretStr("fake-client-secret"),
        api="https://open.test",
        consent="https://www.test/v2/auth/authorize/",
        scopes=("user.info.basic", "video.list"),
    )
)


def answer(
    body: bytes | str | dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    raw = json.dumps(body) if isinstance(body, dict) else body
    return Response(status, headers or {}, raw.encode() if isinstance(raw, str) else raw, ASKED_AT)


def sample(name: str) -> Response:
    return answer((SAMPLES / f"{name}.json").read_bytes())


def changed(name: str, **data: Any) -> Response:
    """A sample with fields of its data (or of itself, where it is flat) replaced; None removes."""
    whole = json.loads((SAMPLES / f"{name}.json").read_bytes())
    fields = whole.get("data", whole)
    fields.update(data)
    for key in [key for key, value in data.items() if value is None]:
        del fields[key]
    return answer(whole)


def refused(code: int, message: str = "") -> Response:
    return answer({"code": code, "message": message, "request_id": "r-1", "data": {}})


def query(request: Request | str) -> dict[str, str]:
    url = request if isinstance(request, str) else request.url
    return {k: v for k, [v] in parse_qs(urlsplit(url).query, True, strict_parsing=True).items()}


def sent_json(request: Request) -> Any:
    return json.loads(request.body or b"")


def sent_form(request: Request) -> dict[str, str]:
    return {k: v for k, [v] in parse_qs((request.body or b"").decode(), True).items()}
