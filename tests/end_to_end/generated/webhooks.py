"""Composes a webhook that an app's secret signed: mostly valid, with an odd part in its JSON or an odd body.

Only with a valid signature does the service read the JSON at all.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from random import Random

from connector.tiktok import WEBHOOK_EVENTS
from tests.running_service import BUSINESS_APP, LOGIN_KIT_APP
from tests.signed_webhooks import signature_of

from . import odd_values as odd
from .message import Header

HOUR = 3600
AGES = (0, 0, 0, 0, 60, HOUR, 72 * HOUR, 74 * HOUR, -HOUR)


def signed_webhook(now: int, random: Random) -> tuple[bytes, Header]:
    """Returns the body and the header with its signature."""
    app = random.choice((BUSINESS_APP, LOGIN_KIT_APP))
    body = _body(app.id, now, random)
    if random.random() < 0.1:
        body = random.choice((*odd.ODD_BODIES, *odd.ODD_JSON))
    signed_at = datetime.fromtimestamp(now - random.choice(AGES), UTC)
    signature = signature_of(body, signed_at=signed_at, secret=app.secret)
    return body, (b"TikTok-Signature", signature.encode())


def _body(app_id: str, now: int, random: Random) -> bytes:
    content = b'{"reason":1,"publish_id":"p"}'
    if random.random() < 0.5:
        content = b'{"reason":%b,"publish_id":%b,"odd":%b}' % (
            random.choice((b"1", *odd.ODD_JSON)),
            random.choice((b'"p"', *odd.ODD_JSON)),
            random.choice(odd.ODD_JSON),
        )
    fields = {
        b"client_key": json.dumps(app_id).encode(),
        b"event": json.dumps(random.choice(sorted(WEBHOOK_EVENTS))).encode(),
        b"create_time": b"%d" % now,
        b"user_openid": json.dumps(odd.WORD).encode(),
        b"content": random.choice((content, json.dumps(content.decode("latin-1")).encode())),
    }
    if random.random() < 0.3:
        fields[random.choice(sorted(fields))] = random.choice(odd.ODD_JSON)
    return b"{" + b",".join(b'"%b":%b' % field for field in fields.items()) + b"}"
