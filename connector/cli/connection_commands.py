"""Commands about existing connections: `connections`, `attempts`, `token` and `disconnect`."""

from __future__ import annotations

import asyncio
import json
from argparse import Namespace
from datetime import datetime

from connector.app import Service
from connector.connections import Scope
from connector.errors import InvalidRequest
from connector.model import Attempt, Connection, parse_user_id
from connector.store import SEVERITIES, ConnectionFilter
from connector.tiktok import FAMILIES
from connector.web import connection_summary

from .bootstrap import ACTOR, build_service, open_store_only
from .terminal import format_duration, print_error, print_result, print_table

PAGE_SIZE = 200


def connections(options: Namespace) -> int:
    filter = _parse_filter(options)
    service = build_service()
    found = asyncio.run(_list_connections(service, filter))
    if options.json:
        details = [connection_summary(connection) for connection in found]
        as_json = [detail.model_dump(mode="json") for detail in details]
        print_result(json.dumps(as_json, indent=2))
    elif not found:
        is_filtered = filter != ConnectionFilter()
        print_error("No connection matches." if is_filtered else "There are no connections yet.")
    else:
        now = service.clock.now()
        print_table(
            ("id", "user", "family", "advertiser", "status", "expires in"),
            [_connection_row(connection, now) for connection in found],
        )
    return 0


def _parse_filter(options: Namespace) -> ConnectionFilter:
    families = tuple(family.name for family in FAMILIES)
    for option, value, choices in (
        ("--status", options.status, tuple(SEVERITIES)),
        ("--family", options.family, families),
    ):
        if value is not None and value not in choices:
            raise InvalidRequest(f"{option} must be one of {', '.join(choices)}.")
    if options.q is not None and not options.q.strip():
        raise InvalidRequest("--q is empty.")
    return ConnectionFilter(
        user_id=parse_user_id(options.user, field="--user") if options.user else None,
        family=options.family,
        status=options.status,
        query=options.q and options.q.strip(),
    )


async def _list_connections(service: Service, filter: ConnectionFilter) -> list[Connection]:
    """Lists all pages, in the order of the API and the status page."""
    found: list[Connection] = []
    async with open_store_only(service):
        after: str | None = None
        while True:
            page = await service.connections.list_page(filter, after=after, limit=PAGE_SIZE)
            found += page.connections
            after = page.next
            if after is None:
                return found


def _connection_row(connection: Connection, now: datetime) -> tuple[str, ...]:
    return (
        connection.id,
        connection.user_id,
        connection.family,
        _advertiser_label(connection),
        _status_label(connection),
        _expires_in(connection, now),
    )


def _advertiser_label(connection: Connection) -> str:
    if connection.selected_advertiser is None:
        return "-"
    name = connection.selected_advertiser.name or connection.selected_advertiser.id
    return f"{name} (no longer granted)" if connection.advertiser_lost else name


def _status_label(connection: Connection) -> str:
    if connection.last_failure is None:
        return connection.status
    return f"{connection.status} ({connection.last_failure.code})"


def _expires_in(connection: Connection, now: datetime) -> str:
    if not connection.is_active:
        return "-"
    if connection.expires_at is None:
        return "never"
    if connection.expires_at <= now:
        return "expired"
    return format_duration(connection.expires_at - now)


def attempts(options: Namespace) -> int:
    found = asyncio.run(_list_attempts(build_service(), options.id))
    if options.json:
        as_json = [attempt.model_dump(mode="json") for attempt in found]
        print_result(json.dumps(as_json, indent=2))
        return 0
    columns = ("at", "operation", "actor", "result", "TikTok code", "duration", "request id")
    print_table((*columns, "message"), map(_attempt_row, found))
    return 0


async def _list_attempts(service: Service, connection_id: str) -> list[Attempt]:
    async with open_store_only(service):
        return await service.connections.list_attempts(connection_id, scope=Scope.everyone())


def _attempt_row(attempt: Attempt) -> tuple[str, ...]:
    return (
        f"{attempt.at:%Y-%m-%d %H:%M:%S}Z",
        attempt.operation,
        attempt.actor,
        attempt.result,
        attempt.tiktok_code or "-",
        f"{attempt.duration_ms} ms",
        attempt.request_id or "-",
        attempt.message,
    )


def token(options: Namespace) -> int:
    print_result(asyncio.run(_access_token(build_service(), options.id)))
    return 0


async def _access_token(service: Service, connection_id: str) -> str:
    async with service:
        usable = await service.connections.get_token(connection_id, actor=ACTOR)
        service.audit.record(
            "read_token",
            actor=ACTOR,
            connection_id=usable.stored.connection_id,
            user_id=usable.stored.user_id,
        )
    return usable.tokens.access.get_secret_value()


def disconnect(options: Namespace) -> int:
    connection = asyncio.run(_disconnect(build_service(), options.id))
    print_result(f"Disconnected {connection.id}.")
    if connection.due_at is not None:
        print_error(
            "TikTok did not confirm the revocation yet. A running service retries, and so does "
            "`connector refresh --due`."
        )
    return 0


async def _disconnect(service: Service, connection_id: str) -> Connection:
    async with service:
        connection = await service.connections.disconnect(
            connection_id, scope=Scope.everyone(), actor=ACTOR
        )
        service.audit.record(
            "disconnect", actor=ACTOR, connection_id=connection.id, user_id=connection.user_id
        )
    return connection
