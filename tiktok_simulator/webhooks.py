"""Signed webhooks, which TikTok sends to an app when something changed.

https://developers.tiktok.com/doc/webhooks-verification

Rules: the signature covers the raw body and the time of sending. TikTok does not document whether a
repetition is signed anew, so the setting `resign` decides this. The time of sending is the simulator's
time without its offset, because a receiver compares it with its own clock. A webhook is sent again,
with growing delays, until the receiver responds with 200; so a receiver can get the same webhook twice. The Marketing API has no
webhooks: an app learns only from its next call that an advertiser grant was revoked. The same is true
of the Accounts API, whose list of events does not contain `authorization.removed`, and no event
reports a draft in the inbox.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Iterable

from aiohttp import ClientError, ClientSession, ClientTimeout

from .api_call import new_log_id
from .model import Grant, Json, PendingWebhook
from .posts import Post
from .state import SimulatorState

REASON_DISCONNECTED = 1
REASON_REVOKED_BY_DEVELOPER = 5
_TIMEOUT = ClientTimeout(total=5)
RETRY_DELAYS_SECONDS = (1, 2, 4, 8, 16, 32, 64, 128)


def signature(body: bytes, *, secret: str, timestamp: int) -> str:
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"t={timestamp},s={signed.hexdigest()}"


def notify_revoked(state: SimulatorState, grants: Iterable[Grant], *, reason: int) -> None:
    """Sends one webhook per app and person, even if several grants ended."""
    users = {
        (grant.app_id, grant.tiktok_user_id) for grant in grants if grant.family == "login_kit"
    }
    for app_id, user_id in sorted(users):
        content = {"reason": reason}
        enqueue(state, app_id, event="authorization.removed", user_id=user_id, content=content)


def notify_post_result(state: SimulatorState, post: Post) -> None:
    app_id, user_id = post.grant.app_id, post.grant.tiktok_user_id
    content: Json = {"publish_id": post.id, "publish_type": post.kind}
    if post.fail_reason:
        event = "post.publish.failed"
        content["reason"] = post.fail_reason
    elif post.kind == "INBOX_SHARE":
        if post.grant.family == "accounts":
            return
        event = "post.publish.inbox_delivered"
    else:
        event = "post.publish.complete"
    enqueue(state, app_id, event=event, user_id=user_id, content=content)
    for post_id in post.post_ids:
        public_content = {**content, "post_id": str(post_id)}
        event = "post.publish.publicly_available"
        enqueue(state, app_id, event=event, user_id=user_id, content=public_content)


def enqueue(
    state: SimulatorState,
    app_id: str,
    *,
    event: str,
    user_id: str | None,
    content: Json,
    created_at: int | None = None,
    signed_at: int | None = None,
) -> None:
    """With `signed_at`, each attempt is signed with that time instead of the time of sending."""
    app = state.apps.get(app_id)
    url = state.webhook_url(app, event) if app else None
    if app and url:
        webhook = PendingWebhook(
            app,
            url,
            event=event,
            tiktok_user_id=user_id,
            content=content,
            created_at=int(state.real_time()) if created_at is None else created_at,
            signed_at=signed_at,
        )
        state.pending_webhooks.append(webhook)


def _encode(webhook: PendingWebhook) -> bytes:
    """`content` is JSON text inside JSON, as TikTok sends it."""
    body: Json = {
        "client_key": webhook.app.id,
        "event": webhook.event,
        "create_time": webhook.created_at,
    }
    if webhook.tiktok_user_id is not None:
        body["user_openid"] = webhook.tiktok_user_id
    return json.dumps({**body, "content": json.dumps(webhook.content)}).encode()


class WebhookSender:
    """Sends the pending webhooks. Owns every task that it starts, and cancels all on `close`."""

    def __init__(self, state: SimulatorState, session: ClientSession) -> None:
        self._state = state
        self._session = session
        self._tasks: set[asyncio.Task[object]] = set()

    def start_sending(self) -> None:
        self._track(asyncio.create_task(self.send_pending()))

    async def send_pending(self) -> list[Json]:
        """Makes a first attempt for every pending webhook and returns the results."""
        pending = list(self._state.pending_webhooks)
        self._state.pending_webhooks.clear()
        return list(await asyncio.gather(*map(self._send_first, pending)))

    async def _send_first(self, webhook: PendingWebhook) -> Json:
        body, sent_at = _encode(webhook), self._now()
        signed_at = sent_at if webhook.signed_at is None else webhook.signed_at
        status = await self._send(webhook, body, signed_at=signed_at)
        if status != 200:
            self._track(asyncio.create_task(self._retry(webhook, body, first_signed_at=signed_at)))
        return {
            "event": webhook.event,
            "subject": webhook.tiktok_user_id,
            "status": status,
            "at": sent_at,
        }

    async def _retry(self, webhook: PendingWebhook, body: bytes, *, first_signed_at: int) -> None:
        for delay in RETRY_DELAYS_SECONDS:
            await asyncio.sleep(delay)
            is_signed_anew = self._state.settings.resign and webhook.signed_at is None
            signed_at = self._now() if is_signed_anew else first_signed_at
            if await self._send(webhook, body, signed_at=signed_at) == 200:
                return

    async def _send(self, webhook: PendingWebhook, body: bytes, *, signed_at: int) -> int | None:
        """Returns the receiver's HTTP status, or None if there was no response."""
        secret = webhook.app.secret
        headers = {
            "Content-Type": "application/json",
            "TikTok-Signature": signature(body, secret=secret, timestamp=signed_at),
            "Webhook-Schema-Version": "1.0",
            "X-Tt-Logid": new_log_id(self._state),
        }
        try:
            async with self._session.post(
                webhook.url, data=body, headers=headers, timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                status = response.status
        except (ClientError, TimeoutError, OSError, ValueError):
            status = None
        self._state.call_log.counts["webhooks" if status == 200 else "webhooks_failed"] += 1
        return status

    def _now(self) -> int:
        return int(self._state.real_time())

    def _track(self, task: asyncio.Task[object]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
