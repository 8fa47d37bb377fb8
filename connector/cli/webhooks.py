"""`connector webhooks`: the address to which TikTok sends the webhooks of the accounts family.

`connector serve` never changes this address by itself. For login_kit, only TikTok's portal can change it;
`connector check` prints the address to enter there.
"""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from connector.app import Service
from connector.errors import InvalidRequest, TikTokError
from connector.origins import is_public_host, origin_of
from connector.settings import Settings
from connector.tiktok import (
    WEBHOOK_EVENT_TYPES,
    AccountsApi,
    AppConfig,
    Call,
    delete_callback_call,
    get_callback_call,
    set_callback_call,
)
from connector.webhooks import WEBHOOK_PATH

from .bootstrap import build_service
from .setting_checks import is_tiktok
from .terminal import print_error, print_result, print_table

T = TypeVar("T")


def set_callback(options: Namespace) -> int:
    service = build_service()
    url = options.url or f"{service.settings.public_url}{WEBHOOK_PATH}"
    _require_reachable(url, service.settings)
    return _change(
        service,
        lambda app: set_callback_call(app, event_type=options.event, url=url),
        result=f"TikTok sends webhooks of the type {options.event} to {url}.",
    )


def delete_callback(options: Namespace) -> int:
    return _change(
        build_service(),
        lambda app: delete_callback_call(app, event_type=options.event),
        result=f"TikTok no longer sends webhooks of the type {options.event}.",
    )


def list_callbacks(options: Namespace) -> int:
    """Exits with 1 if no type could be read. TikTok refuses some types for some apps."""
    event_types = (options.event,) if options.event else WEBHOOK_EVENT_TYPES
    rows = asyncio.run(_list_callbacks(build_service(), event_types))
    if rows:
        print_table(("type", "callback"), rows)
    return 0 if rows else 1


async def _list_callbacks(service: Service, event_types: tuple[str, ...]) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    app = _accounts_app(service)
    async with service.tiktok_client as client:
        for event_type in event_types:
            try:
                url = await client.execute(get_callback_call(app, event_type=event_type))
            except TikTokError as error:
                print_error(f"{event_type}: {_describe(error)}")
            else:
                rows.append((event_type, url or "-"))
    return rows


def _change(service: Service, call_for: Callable[[AppConfig], Call[None]], *, result: str) -> int:
    app = _accounts_app(service)
    try:
        asyncio.run(_execute(service, call_for(app)))
    except TikTokError as error:
        print_error(_describe(error))
        return 1
    print_result(result)
    return 0


async def _execute(service: Service, call: Call[T]) -> T:
    async with service.tiktok_client as client:
        return await client.execute(call)


def _accounts_app(service: Service) -> AppConfig:
    family = service.families.get(AccountsApi.name)
    if family is None:
        raise InvalidRequest(
            "The accounts family is not set up: set TIKTOK_APP_ID and TIKTOK_APP_SECRET."
        )
    return family.app


def _require_reachable(url: str, settings: Settings) -> None:
    """TikTok sends webhooks over https only. A simulator reaches this machine and its network over http."""
    if origin_of(url) is None:
        raise InvalidRequest("--url must be a web address.")
    parts = urlsplit(url)
    is_for_simulator = not is_tiktok(settings.business_api_url)
    if parts.scheme != "https" and (not is_for_simulator or is_public_host(parts.hostname or "")):
        raise InvalidRequest(
            f"TikTok sends webhooks to https addresses only, and {url} does not begin with https. Set "
            "CONNECTOR_PUBLIC_URL to the https address of this service, or use --url."
        )


def _describe(error: TikTokError) -> str:
    upstream = error.upstream
    if upstream is None or not upstream.message:
        return error.message
    return f"{error.message} TikTok says: {upstream.message} ({upstream.code})"
