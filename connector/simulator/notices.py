"""Signed webhooks: what TikTok tells an app without being asked.

https://developers.tiktok.com/doc/webhooks-verification

Rules: the signature covers the raw body and the time of sending, and every attempt is signed anew.
Sending follows the world's clock without its offset, for that is the clock a receiver compares
with. Whatever is not answered with 200 is sent again, ever more slowly; a receiver must expect the
same notice twice. The Marketing API has no notices: a withdrawn ads grant is found out by asking.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Iterable

from aiohttp import ClientError, ClientSession, ClientTimeout

from .grammar import log_id
from .nouns import Grant, Json, Mail
from .posts import Post
from .world import World

REASON_DISCONNECTED = 1
_TIMEOUT = ClientTimeout(total=5)
_WAITS = (1, 2, 4, 8, 16, 32, 64, 128)


def signature(body: bytes, *, secret: str, at: int) -> str:
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},s={signed.hexdigest()}"


def removed(world: World, grants: Iterable[Grant]) -> None:
    """One notice per app and person, however many tokens died."""
    told = {(g.app_id, g.subject) for g in grants if g.family != "marketing"}
    for app_id, subject in sorted(told):
        post(world, app_id, "authorization.removed", subject, {"reason": REASON_DISCONNECTED})


def outcome(world: World, done: Post) -> None:
    content: Json = {"publish_id": done.id, "publish_type": done.kind}
    if done.fail_reason:
        events = ["post.publish.failed"]
        content["reason"] = done.fail_reason
    elif done.kind == "INBOX_SHARE":
        events = ["post.publish.inbox_delivered"]
    else:
        events = ["post.publish.complete"]
    for event in events:
        post(world, done.grant.app_id, event, done.grant.subject, content)
    for id in done.post_ids:
        told = {**content, "post_id": str(id)}
        post(world, done.grant.app_id, "post.publish.publicly_available", done.grant.subject, told)


def post(world: World, app_id: str, event: str, subject: str | None, content: Json) -> None:
    app = world.apps.get(app_id)
    url = world.callback(app) if app else None
    if app and url:
        world.mail.append(Mail(app, url, event, subject, content))


class Courier:
    """Carries the world's mail. It owns every task it starts, and ends them when it closes."""

    def __init__(self, world: World, session: ClientSession) -> None:
        self._world = world
        self._session = session
        self._tasks: set[asyncio.Task[object]] = set()

    def dispatch(self) -> None:
        self._own(asyncio.create_task(self.flush()))

    async def flush(self) -> list[Json]:
        """A first attempt for everything that waits, and how each went."""
        mail = list(self._world.mail)
        self._world.mail.clear()
        return list(await asyncio.gather(*map(self._first, mail)))

    async def _first(self, mail: Mail) -> Json:
        body, created = self._body(mail), self._now()
        status = await self._attempt(mail, body)
        if status != 200:
            self._own(asyncio.create_task(self._again(mail, body)))
        return {"event": mail.event, "subject": mail.subject, "status": status, "at": created}

    async def _again(self, mail: Mail, body: bytes) -> None:
        for wait in _WAITS:
            await asyncio.sleep(wait)
            if await self._attempt(mail, body) == 200:
                return

    async def _attempt(self, mail: Mail, body: bytes) -> int | None:
        headers = {
            "Content-Type": "application/json",
            "TikTok-Signature": signature(body, secret=mail.app.secret, at=self._now()),
            "Webhook-Schema-Version": "1.0",
            "X-Tt-Logid": log_id(self._world),
        }
        try:
            async with self._session.post(
                mail.url, data=body, headers=headers, timeout=_TIMEOUT, allow_redirects=False
            ) as answer:
                status = answer.status
        except (ClientError, TimeoutError, OSError, ValueError):
            status = None
        self._world.record.counts["webhooks" if status == 200 else "webhooks_failed"] += 1
        return status

    def _body(self, mail: Mail) -> bytes:
        """`content` is JSON text inside JSON, as TikTok sends it."""
        told: Json = {"client_key": mail.app.id, "event": mail.event, "create_time": self._now()}
        if mail.subject is not None:
            told["user_openid"] = mail.subject
        return json.dumps({**told, "content": json.dumps(mail.content)}).encode()

    def _now(self) -> int:
        return int(self._world.wire_time())

    def _own(self, task: asyncio.Task[object]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
