"""Stores TikTok's webhooks together with their effects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from .event_records import WebhookApp, WebhookResult, WebhookRow
from .operations import Operations, parse_first_row, parse_rows
from .records import JsonObject


class WebhookOperations(Operations):
    async def receive_webhook(
        self,
        *,
        digest: str,
        app: str,
        families: Sequence[str],
        tiktok_user_id: str | None,
        event: str,
        reason: int | None,
        message: str,
        created_at: datetime | None,
        content: JsonObject,
        unreadable: bool = False,
        now: datetime | None,
    ) -> WebhookResult:
        """Stores a webhook once, with its event and its effect on the connections of `families`.

        `reason` is TikTok's number in `authorization.removed`. The reasons 0 to 4 end the connections of the TikTok user,
        unless they were connected later. Otherwise the tokens are checked. `message` says why a connection ended.
        """
        rows = await self._call(
            "receive_webhook",
            digest=digest,
            app=app,
            families=list(families),
            tiktok_user_id=tiktok_user_id,
            event=event,
            reason=reason,
            message=message,
            created_at=created_at,
            content=content,
            unreadable=unreadable,
            now=now,
        )
        return parse_first_row(WebhookResult, rows)

    async def list_webhooks(self, *, max_rows: int) -> list[WebhookRow]:
        """Lists the newest first."""
        return parse_rows(WebhookRow, await self._call("list_webhooks", max_rows=max_rows))

    async def list_webhook_apps(self) -> list[WebhookApp]:
        """Lists the apps that TikTok has ever sent a webhook for."""
        return parse_rows(WebhookApp, await self._call("list_webhook_apps"))
