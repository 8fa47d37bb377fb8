"""`connector endpoints`: the addresses to which events are sent.

A command that creates a secret prints only the secret to standard output, so that `SECRET=$(connector endpoints add
URL)` works. The secret cannot be printed again.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from connector.app import Service
from connector.errors import InvalidRequest
from connector.events import EndpointWithSecret
from connector.store import DeliveryRow, EndpointRow, EndpointState
from connector.web import delivery_response, endpoint_response

from .bootstrap import ACTOR, build_service, open_store_only
from .terminal import print_error, print_result, print_table, replace_control_characters

AGE = re.compile("([0-9]{1,4})(min|h|d)")
SECONDS = {"min": 60, "h": 3600, "d": 86400}
PAGE_SIZE = 200


@asynccontextmanager
async def _open(service: Service) -> AsyncIterator[Service]:
    async with open_store_only(service):
        try:
            yield service
        finally:
            await service.events.close()


def list_all(options: Namespace) -> int:
    found = asyncio.run(_list(build_service()))
    if options.json:
        as_json = [endpoint_response(endpoint).model_dump(mode="json") for endpoint in found]
        print_result(json.dumps(as_json, indent=2))
    elif not found:
        print_error("There are no endpoints yet.")
    else:
        columns = ("id", "url", "events", "state", "delivered 24 h", "failed 24 h", "pending")
        print_table((*columns, "failing since"), map(_endpoint_row, found))
    return 0


async def _list(service: Service) -> list[EndpointRow]:
    async with _open(service):
        return await service.events.endpoints.list()


def add(options: Namespace) -> int:
    created = asyncio.run(
        _add(build_service(), options.url, split_names(options.events), options.description)
    )
    if options.json:
        endpoint = endpoint_response(created.endpoint).model_dump(mode="json")
        secret = created.secret.get_secret_value()
        print_result(json.dumps({**endpoint, "secret": secret}, indent=2))
    else:
        _print_secret(created)
    return 0


async def _add(
    service: Service, url: str, events: Sequence[str], description: str
) -> EndpointWithSecret:
    async with _open(service):
        created = await service.events.endpoints.create(
            url=url, events=events, description=description
        )
        service.audit.record("create_endpoint", actor=ACTOR)
    return created


def show(options: Namespace) -> int:
    endpoint = asyncio.run(_get(build_service(), options.id))
    as_json = endpoint_response(endpoint).model_dump(mode="json")
    if options.json:
        print_result(json.dumps(as_json, indent=2))
        return 0
    for name, value in as_json.items():
        text = ", ".join(value) if isinstance(value, list) else str(value)
        shown = "-" if value in (None, "") else replace_control_characters(text)
        print_result(f"{name:<16} {shown}")
    return 0


async def _get(service: Service, endpoint_id: str) -> EndpointRow:
    async with _open(service):
        return await service.events.endpoints.get(endpoint_id)


def enable(options: Namespace) -> int:
    asyncio.run(_set_state(build_service(), options.id, "enabled"))
    print_result(f"Enabled {options.id}.")
    print_error("`connector endpoints replay` sends what the endpoint missed.")
    return 0


def disable(options: Namespace) -> int:
    asyncio.run(_set_state(build_service(), options.id, "disabled"))
    print_result(f"Disabled {options.id}.")
    return 0


async def _set_state(service: Service, endpoint_id: str, state: EndpointState) -> None:
    async with _open(service):
        await service.events.endpoints.update(endpoint_id, state=state)
        service.audit.record("update_endpoint", actor=ACTOR)


def delete(options: Namespace) -> int:
    if not options.yes:
        if not sys.stdin.isatty():
            print_error("Add --yes to delete without a question. Nothing was deleted.")
            return 2
        if not _is_confirmed(options.id):
            print_error("Nothing was deleted.")
            return 1
    asyncio.run(_delete(build_service(), options.id))
    print_result(f"Deleted {options.id}.")
    return 0


def _is_confirmed(endpoint_id: str) -> bool:
    sys.stderr.write(
        f"This deletes endpoint {endpoint_id}, its secret and its deliveries. Delete? [y/N] "
    )
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


async def _delete(service: Service, endpoint_id: str) -> None:
    async with _open(service):
        await service.events.endpoints.delete(endpoint_id)
        service.audit.record("delete_endpoint", actor=ACTOR)


def rotate(options: Namespace) -> int:
    _print_secret(asyncio.run(_rotate(build_service(), options.id, options.grace_hours)))
    return 0


async def _rotate(service: Service, endpoint_id: str, grace_hours: int) -> EndpointWithSecret:
    async with _open(service):
        rotated = await service.events.endpoints.rotate_secret(endpoint_id, grace_hours=grace_hours)
        service.audit.record("rotate_endpoint_secret", actor=ACTOR)
    return rotated


def _print_secret(created: EndpointWithSecret) -> None:
    print_error(f"Endpoint {created.endpoint.id}. Its secret is printed only this once:")
    print_result(created.secret.get_secret_value())


def send_test(options: Namespace) -> int:
    return asyncio.run(_send_test(build_service(), options.id))


async def _send_test(service: Service, endpoint_id: str) -> int:
    async with _open(service):
        result = await service.events.endpoints.send_test(endpoint_id)
        service.audit.record("test_endpoint", actor=ACTOR)
    if result.delivered:
        print_result(f"Delivered: status {result.status} after {result.duration_ms} ms.")
        return 0
    print_error(f"Not delivered after {result.duration_ms} ms: {result.error}")
    return 1


def deliveries(options: Namespace) -> int:
    found = asyncio.run(_deliveries(build_service(), options))
    if options.json:
        as_json = [delivery_response(delivery).model_dump(mode="json") for delivery in found]
        print_result(json.dumps(as_json, indent=2))
    elif not found:
        print_error("There are no such deliveries.")
    else:
        columns = ("id", "event", "type", "seq", "state", "attempts", "last", "result", "next")
        print_table(columns, map(_delivery_row, found))
    return 0


async def _deliveries(service: Service, options: Namespace) -> list[DeliveryRow]:
    found: list[DeliveryRow] = []
    after: int | None = None
    async with _open(service):
        while len(found) < options.limit:
            page = await service.events.endpoints.list_deliveries(
                options.id,
                state=options.state,
                after=after,
                limit=min(PAGE_SIZE, options.limit - len(found)),
            )
            found += page.deliveries
            after = page.next
            if after is None:
                break
    return found


def replay(options: Namespace) -> int:
    count = asyncio.run(_replay(build_service(), options))
    print_result(f"Queued {count} {'event' if count == 1 else 'events'}.")
    if count:
        print_error("A running service sends them.")
    return 0


async def _replay(service: Service, options: Namespace) -> int:
    """Repeats the call until every event is queued."""
    now = service.clock.now()
    since = parse_time(options.since, now=now, option="--since")
    until = parse_time(options.until, now=now, option="--until") if options.until else None
    events = split_names(options.events) if options.events else None
    count = 0
    async with _open(service):
        while True:
            result = await service.events.endpoints.replay(
                options.id, since=since, until=until, events=events, again=options.again
            )
            count += result.count
            if not result.more or result.last_created_at is None:
                break
            since = result.last_created_at
        service.audit.record("replay_events", actor=ACTOR)
    return count


def split_names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def parse_time(text: str, *, now: datetime, option: str) -> datetime:
    """Parses a time with a time zone, or an age such as 2h."""
    if age := AGE.fullmatch(text):
        return now - timedelta(seconds=int(age[1]) * SECONDS[age[2]])
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise ValueError
        return time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(
            f"{option} must be a time such as 2026-11-21T14:00:00Z, or an age such as 30min, 2h or 7d."
        ) from None


def _endpoint_row(endpoint: EndpointRow) -> tuple[str, ...]:
    return (
        endpoint.id,
        endpoint.url,
        ", ".join(endpoint.events),
        f"{endpoint.state} ({endpoint.disabled_reason})"
        if endpoint.disabled_reason
        else endpoint.state,
        str(endpoint.delivered_24h),
        str(endpoint.failed_24h),
        str(endpoint.pending),
        _time(endpoint.failing_since),
    )


def _delivery_row(delivery: DeliveryRow) -> tuple[str, ...]:
    result = delivery.last_error or str(delivery.last_status or "-")
    return (
        str(delivery.id),
        delivery.event_id,
        delivery.type,
        str(delivery.seq),
        delivery.state,
        str(delivery.attempts),
        _time(delivery.last_at),
        result,
        _time(delivery.due_at),
    )


def _time(time: datetime | None) -> str:
    return "-" if time is None else f"{time:%Y-%m-%d %H:%M:%S}Z"
