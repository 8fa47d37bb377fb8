"""The address to which TikTok sends webhooks, and the list of the last ones."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from connector.errors import InvalidRequest
from connector.model import UtcDatetime
from connector.store import WebhookOutcome
from connector.tiktok import SIGNATURE_HEADER
from connector.webhooks import WEBHOOK_PATH

from .app_keys import HTTP_SETTINGS, SERVICES
from .request_parsing import read_body
from .schemas import ResponseModel

LISTED_WEBHOOKS = 50


class WebhookReceived(ResponseModel):
    """TikTok reads only the status."""


class WebhookSummary(ResponseModel):
    event: Annotated[str, Field(description="Empty if the webhook could not be read.")]
    app: Annotated[str, Field(description="The client key or app id of the app at TikTok.")]
    tiktok_user_id: str | None
    outcome: WebhookOutcome
    created_at: Annotated[
        UtcDatetime | None, Field(description="When TikTok created the webhook, if it says so.")
    ]
    received_at: UtcDatetime


class WebhookAppSummary(ResponseModel):
    app: str
    last_webhook_at: UtcDatetime


class WebhookList(ResponseModel):
    url: Annotated[
        str,
        Field(
            description="The address of this service for the webhooks, to enter at TikTok as the callback URL."
        ),
    ]
    webhooks: list[WebhookSummary]
    apps: list[WebhookAppSummary]


async def receive_webhook(request: web.Request) -> WebhookReceived:
    """Receive a webhook from TikTok, with the header TikTok-Signature.

    The response is 200 only after the webhook is stored. TikTok repeats a webhook for 72 hours.
    """
    receiver = request.app[SERVICES].webhooks
    try:
        body = await read_body(request)
    except (web.HTTPRequestEntityTooLarge, InvalidRequest):
        receiver.count_refused()
        raise
    await receiver.receive(body, signature=",".join(request.headers.getall(SIGNATURE_HEADER, ())))
    return WebhookReceived()


async def list_webhooks(request: web.Request) -> WebhookList:
    """List the last 50 webhooks from TikTok, newest first, and when each app got its last one.

    Webhooks are kept for 7 days, the time of the last one for ever.
    """
    store = request.app[SERVICES].store
    webhooks = await store.list_webhooks(max_rows=LISTED_WEBHOOKS)
    apps = await store.list_webhook_apps()
    return WebhookList(
        url=f"{request.app[HTTP_SETTINGS].public_url}{WEBHOOK_PATH}",
        webhooks=[
            WebhookSummary(**row.model_dump(exclude={"digest", "content"})) for row in webhooks
        ],
        apps=[WebhookAppSummary(**row.model_dump()) for row in apps],
    )
