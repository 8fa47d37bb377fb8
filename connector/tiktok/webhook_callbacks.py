"""Calls that configure the address to which TikTok sends the webhooks of an Accounts app.

The calls have the app's credentials as parameters and no access token. Each event type has its own
address. Source: the Marketing API portal's "Webhooks" pages of TikTok Accounts. An app at
developers.tiktok.com has one address for all events, which only the portal can change.
"""

from __future__ import annotations

from . import requests
from .family import AppConfig
from .http import Call, Response
from .requests import BUSINESS_API
from .responses import ParseContext, parse_business_response

WEBHOOK_EVENT_TYPES = ("VIDEO", "COMMENT", "DIRECT_MESSAGE", "BRAND_MENTION")
"""`DEFAULT`, which some clients send, is not documented."""

_PATH = f"{BUSINESS_API}business/webhook/"


def set_callback_call(app: AppConfig, *, event_type: str, url: str) -> Call[None]:
    body = {**_parameters(app, event_type), "callback_url": url}
    request = requests.build_json_post(app.api, f"{_PATH}update", body=body)
    return Call(request, lambda response: _require_success(response, app))


def get_callback_call(app: AppConfig, *, event_type: str) -> Call[str | None]:
    """The result is None if no address is set: TikTok then omits the field."""
    request = requests.build_get(app.api, f"{_PATH}list", query=_parameters(app, event_type))
    return Call(request, lambda response: _parse_callback(response, app))


def delete_callback_call(app: AppConfig, *, event_type: str) -> Call[None]:
    request = requests.build_json_post(app.api, f"{_PATH}delete", body=_parameters(app, event_type))
    return Call(request, lambda response: _require_success(response, app))


def _parameters(app: AppConfig, event_type: str) -> dict[str, str]:
    return {"app_id": app.id, "secret": app.secret.get_secret_value(), "event_type": event_type}


def _require_success(response: Response, app: AppConfig) -> None:
    parse_business_response(response, ParseContext(secrets=(app.secret,)))


def _parse_callback(response: Response, app: AppConfig) -> str | None:
    data = parse_business_response(response, ParseContext(secrets=(app.secret,)))
    url = data.fields.get("callback_url")
    return url if isinstance(url, str) and url else None
