"""The parts that the endpoints of all TikTok APIs share.

An endpoint is a plain function that takes an `ApiCall` and returns data; it refuses a call by
raising `ApiError`. `business_envelope`, `open_api_envelope` and `open_api_oauth` turn both into
HTTP.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from .model import App, Family, Grant, IssuedTokens, Json
from .state import SimulatorState

STATE = web.AppKey("state", SimulatorState)
LOG_LINE: web.RequestKey[Json] = web.RequestKey("log_line", dict)
"""The call's line in the log. Each function that handles the call adds the facts that it knows."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiError(Exception):
    """TikTok refuses the call. The business API ignores `status`: its responses are always 200."""

    def __init__(self, code: int | str, message: str, *, status: int = 200) -> None:
        self.code = code
        self.message = message
        self.status = status


@dataclass
class ApiCall:
    """One call. `parameters` are the query of a GET or the body of a POST."""

    state: SimulatorState
    request: web.Request
    parameters: Mapping[str, object]
    response_delay_ms: float = 0
    counted_for_rate_limit: bool = False

    def text(self, name: str) -> str:
        """The parameter as text, empty if it is missing. A number keeps its digits."""
        value = self.parameters.get(name)
        return "" if value is None or isinstance(value, bool) else str(value)

    def find_app(self, app_id: str) -> App | None:
        app = self.state.apps.get(app_id)
        if app is not None:
            self.request[LOG_LINE]["app"] = app.id
        return app

    def log_operation(self, operation: str, *, family: Family) -> None:
        self.request[LOG_LINE].update(what=operation, family=family)

    def log_grant(self, grant: Grant) -> None:
        self.request[LOG_LINE].update(app=grant.app_id, subject=grant.tiktok_user_id)


Endpoint = Callable[[ApiCall], Json]


def set_log_result(request: web.Request, result: str) -> None:
    if LOG_LINE in request:
        request[LOG_LINE]["verdict"] = result


def new_log_id(state: SimulatorState) -> str:
    timestamp = datetime.fromtimestamp(state.now(), UTC).strftime("%Y%m%d%H%M%S")
    return f"{timestamp}{secrets.token_hex(9).upper()}"


def json_response(body: Json, *, log_id: str, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=json.dumps(body, separators=(",", ":")).encode(),
        content_type="application/json",
        charset="utf-8",
        headers={"X-Tt-Logid": log_id},
    )


def token_fields(state: SimulatorState, issued: IssuedTokens) -> Json:
    """The fields that the token responses of Accounts and Login Kit have in common.

    Two settings make them malformed, as responses of TikTok have been.
    """
    open_id = issued.grant.tiktok_user_id
    forms: Json = {
        "text": open_id,
        "float": 7.0e18,
        "object": {"id": open_id},
        "long": open_id * 5,
    }
    fields: Json = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "scope": ",".join(issued.grant.scopes),
        "expires_in": seconds_until(issued.access_expires_at, now=state.now()),
        "refresh_token": issued.refresh_token,
        "open_id": forms[state.settings.open_id_form],
    }
    if state.settings.omit_expires_in:
        del fields["expires_in"]
    return fields


def seconds_until(expires_at: float | None, *, now: float) -> int:
    return max(0, round((expires_at or now) - now))
