"""`connector events`: prints the events in the order of their numbers, one a line.

The command numbers events itself, as a running service does. Otherwise it would show nothing where only cron refreshes
the tokens. It queues the deliveries of the events that it numbers, and a service sends them.
"""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from collections.abc import Sequence

from connector.app import Service
from connector.events import EventPage
from connector.store import EventRow
from connector.web import event_response

from .bootstrap import build_service, open_store_only
from .endpoints import split_names
from .terminal import print_error, print_result, replace_control_characters

PAGE_SIZE = 500
POLL_SECONDS = 1.0


def events(options: Namespace) -> int:
    found = asyncio.run(_print_events(build_service(), options))
    if not found:
        print_error("There are no such events.")
    return 0


async def _print_events(service: Service, options: Namespace) -> bool:
    """Without --follow, returns whether there are events. With --follow, runs until Ctrl-C."""
    after: int | None = options.after
    types = split_names(options.types) if options.types else None
    found = False
    async with open_store_only(service):
        await _number_events(service)
        if options.follow and after is None:
            after = (await service.store.get_event_bounds()).last
            print_error(f"Waiting for new events after number {after}. Ctrl-C ends the command.")
        while True:
            page = await _read(service, after, types, options.connection)
            _print_page(page.events, as_json=options.json)
            found = found or bool(page.events)
            is_at_end = len(page.events) < PAGE_SIZE
            if is_at_end and not options.follow:
                return found
            after = page.next
            if is_at_end:
                await service.clock.sleep(POLL_SECONDS)
                await _number_events(service)


async def _read(
    service: Service, after: int | None, types: Sequence[str] | None, connection_id: str | None
) -> EventPage:
    return await service.events.feed.read(
        after=after, types=types, connection_id=connection_id, limit=PAGE_SIZE
    )


async def _number_events(service: Service) -> None:
    while (await service.store.number_events(now=service.clock.database_time())).more_left:
        pass


def _print_page(found: Sequence[EventRow], *, as_json: bool) -> None:
    for event in found:
        print_result(event_response(event).model_dump_json() if as_json else _line(event))
    sys.stdout.flush()


def _line(event: EventRow) -> str:
    columns = (
        str(event.seq),
        f"{event.created_at:%Y-%m-%d %H:%M:%S}Z",
        event.type,
        event.connection_id or "-",
        event.user_id or "-",
        _outcome(event),
    )
    return replace_control_characters("  ".join(columns))


def _outcome(event: EventRow) -> str:
    """The status of the connection, and the reason if there is one."""
    status = (event.data.get("connection") or {}).get("status")
    reason = event.data.get("reason") or {}
    endpoint = event.data.get("endpoint") or {}
    words = [status, reason.get("code") and f"({reason['code']})", endpoint.get("reason")]
    return " ".join(str(word) for word in words if word) or "-"
