"""Webhooks as TikTok signs them, for tests that send a webhook themselves instead of through the simulator."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime

from tiktok_simulator import App

from .running_service import LOGIN_KIT_APP


def webhook_body(
    event: str = "authorization.removed",
    *,
    created_at: datetime,
    app: App = LOGIN_KIT_APP,
    tiktok_user_id: str | None = None,
    **content: object,
) -> bytes:
    fields: dict[str, object] = {
        "client_key": app.id,
        "event": event,
        "create_time": int(created_at.timestamp()),
        "content": json.dumps(content),
    }
    if tiktok_user_id is not None:
        fields["user_openid"] = tiktok_user_id
    return json.dumps(fields).encode()


def signature_of(body: bytes, *, signed_at: datetime, secret: str = LOGIN_KIT_APP.secret) -> str:
    timestamp = int(signed_at.timestamp())
    digest = hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},s={digest}"
