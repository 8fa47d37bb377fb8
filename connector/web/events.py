"""The events in the order of their numbers, for programs that ask instead of being called."""

from __future__ import annotations

from aiohttp import web

from .app_keys import SERVICES
from .event_schemas import EventList, EventListQuery
from .presenters import event_response


async def list_events(request: web.Request, query: EventListQuery) -> EventList:
    """List the events after a number, in the order of their numbers.

    Without `after` the list begins with the oldest event that is kept. `types` are types of events, or prefixes such as
    connection.*, separated by commas. If there is no event, the response waits up to `wait` seconds for one. Continue
    with after = next.
    """
    page = await request.app[SERVICES].events.feed.read(
        after=query.after,
        types=None if query.types is None else query.types.split(","),
        connection_id=query.connection_id,
        limit=query.limit,
        wait_seconds=query.wait,
        is_client_connected=lambda: _is_connected(request),
    )
    return EventList(events=[event_response(event) for event in page.events], next=page.next)


def _is_connected(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


async def release_waiting_readers(app: web.Application) -> None:
    """Runs when the server stops, before it waits for running requests."""
    app[SERVICES].events.feed.stop_waiting()
