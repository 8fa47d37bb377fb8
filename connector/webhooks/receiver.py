"""Verifies a webhook and stores it within two seconds.

`connector.store` decides on the effect in the same transaction: for example, a removed authorization ends the
connections of the TikTok user in all families of the app. The log names the event, never a body.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from connector.clock import Clock
from connector.errors import ConnectorError, StoreUnreachable, Unauthenticated
from connector.store import Store, WebhookOutcome
from connector.tiktok import WEBHOOK_EVENTS, ApiFamily, Webhook, WrongSignatureAge, verify_webhook

log = logging.getLogger(__name__)

WEBHOOK_PATH = "/webhooks/tiktok"
STORE_SECONDS = 2.0
RETRY_AFTER_SECONDS = 10.0
OTHER_EVENT = "other"
"""Counts webhooks that are not verified, and events that TikTok does not document."""


class WebhookReceiver:
    def __init__(
        self,
        families: Mapping[str, ApiFamily],
        *,
        store: Store,
        clock: Clock,
        count: Callable[[str, str], None],
    ) -> None:
        """`count` gets the event and the outcome, both fixed words."""
        self._families = families
        self._secrets = {family.app.id: family.app.secret for family in families.values()}
        self._store = store
        self._clock = clock
        self._count = count

    async def receive(self, body: bytes, *, signature: str | None) -> WebhookOutcome:
        """Raises `Unauthenticated`, or `StoreUnreachable` if the webhook could not be stored for any reason."""
        try:
            webhook = verify_webhook(
                body, signature=signature, secrets=self._secrets, now=self._clock.now()
            )
        except Unauthenticated as error:
            self.count_refused()
            if isinstance(error, WrongSignatureAge):
                log.warning("webhook refused reason=signature_age, check the clock of this machine")
            raise
        event = webhook.event if webhook.event in WEBHOOK_EVENTS else OTHER_EVENT
        try:
            async with asyncio.timeout(STORE_SECONDS):
                outcome = await self._save(webhook)
        except (ConnectorError, TimeoutError) as error:
            self._count(event, "failed")
            reason = error.code if isinstance(error, ConnectorError) else "timeout"
            log.warning("webhook not stored event=%s error=%s", webhook.event, reason)
            raise StoreUnreachable(
                "The webhook could not be stored. Send it again.", retry_after=RETRY_AFTER_SECONDS
            ) from None
        self._count(event, outcome)
        if webhook.is_unreadable:
            log.warning("webhook unreadable app=%s outcome=%s", webhook.app, outcome)
        else:
            log.info("webhook received event=%s outcome=%s", webhook.event, outcome)
        return outcome

    def count_refused(self) -> None:
        self._count(OTHER_EVENT, "refused")

    async def _save(self, webhook: Webhook) -> WebhookOutcome:
        apps = self._families.items()
        result = await self._store.receive_webhook(
            digest=webhook.digest,
            app=webhook.app,
            families=[name for name, family in apps if family.app.id == webhook.app],
            tiktok_user_id=webhook.tiktok_user_id,
            event=webhook.event,
            reason=webhook.reason,
            message=webhook.message,
            created_at=webhook.created_at,
            content=webhook.content,
            unreadable=webhook.is_unreadable,
            now=self._clock.database_time(),
        )
        return result.outcome
