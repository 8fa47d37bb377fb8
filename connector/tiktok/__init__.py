"""The API families of TikTok as pure data: calls to send, and parsers of their responses.

Each of TikTok's three APIs is one family and one module. A fourth family is one new module and one
entry in `FAMILIES`. `error_codes` alone decides what a TikTok error code means for the service.
Nothing here opens a socket or reads a clock: `connector.tiktok_client` sends the calls.
"""

from __future__ import annotations

from .accounts import AccountsApi
from .family import ApiFamily, AppConfig
from .http import Call, Request, Response
from .login_kit import LoginKitApi
from .marketing import MarketingApi
from .webhook_callbacks import (
    WEBHOOK_EVENT_TYPES,
    delete_callback_call,
    get_callback_call,
    set_callback_call,
)
from .webhooks import (
    SIGNATURE_HEADER,
    WEBHOOK_EVENTS,
    Webhook,
    WrongSignatureAge,
    verify_webhook,
)

__all__ = [
    "DEFAULT_FAMILY",
    "FAMILIES",
    "SIGNATURE_HEADER",
    "WEBHOOK_EVENTS",
    "WEBHOOK_EVENT_TYPES",
    "AccountsApi",
    "ApiFamily",
    "AppConfig",
    "Call",
    "LoginKitApi",
    "MarketingApi",
    "Request",
    "Response",
    "Webhook",
    "WrongSignatureAge",
    "delete_callback_call",
    "get_callback_call",
    "set_callback_call",
    "verify_webhook",
]

FAMILIES = (MarketingApi, AccountsApi, LoginKitApi)
DEFAULT_FAMILY = MarketingApi.name
"""The family of a request that names no family."""
