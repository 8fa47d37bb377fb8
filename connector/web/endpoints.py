"""The endpoints of customers, to which events are sent, and the deliveries to them.

A secret is only in the response to the request that creates the secret.
"""

from __future__ import annotations

from aiohttp import web

from connector.events import DeliveryPage, EndpointService, EndpointWithSecret
from connector.store import EndpointRow

from . import audit
from .app_keys import SERVICES
from .endpoint_schemas import (
    CreateEndpointRequest,
    DeliveryList,
    DeliveryListQuery,
    DeliveryTestResponse,
    EndpointDeletedResponse,
    EndpointList,
    EndpointResponse,
    EndpointWithSecretResponse,
    ReplayRequest,
    ReplayResponse,
    RotateSecretRequest,
    UpdateEndpointRequest,
)
from .presenters import delivery_response, endpoint_response


async def create_endpoint(
    request: web.Request, body: CreateEndpointRequest
) -> EndpointWithSecretResponse:
    """Create an endpoint, to which events are sent. The secret is returned only here.

    A request to the endpoint is signed as Standard Webhooks describes. `events` are types of events, or prefixes
    such as connection.*, which is the default.
    """
    created = await _endpoints(request).create(
        url=body.url, events=body.events, description=body.description
    )
    audit.record(request, "create_endpoint")
    return _with_secret(created)


async def list_endpoints(request: web.Request) -> EndpointList:
    """List the endpoints, with their health."""
    endpoints = await _endpoints(request).list()
    return EndpointList(endpoints=[endpoint_response(endpoint) for endpoint in endpoints])


async def get_endpoint(request: web.Request) -> EndpointResponse:
    """Get one endpoint, with its health."""
    return endpoint_response(await _endpoints(request).get(_id(request)))


async def update_endpoint(request: web.Request, body: UpdateEndpointRequest) -> EndpointResponse:
    """Change an endpoint, or disable and enable it.

    While it is disabled nothing is sent to it, except what is leased already, for at most 30 seconds. Its pending
    deliveries are dropped. After it is enabled, a replay sends what it missed.
    """
    endpoint: EndpointRow = await _endpoints(request).update(
        _id(request),
        url=body.url,
        events=body.events,
        description=body.description,
        state=body.state,
    )
    audit.record(request, "update_endpoint")
    return endpoint_response(endpoint)


async def delete_endpoint(request: web.Request) -> EndpointDeletedResponse:
    """Delete an endpoint and its deliveries."""
    await _endpoints(request).delete(_id(request))
    audit.record(request, "delete_endpoint")
    return EndpointDeletedResponse()


async def rotate_endpoint_secret(
    request: web.Request, body: RotateSecretRequest
) -> EndpointWithSecretResponse:
    """Create a new secret, which is returned only here.

    Until the grace time ends, each request has two signatures: with the new secret and with the one before.
    """
    rotated = await _endpoints(request).rotate_secret(_id(request), grace_hours=body.grace_hours)
    audit.record(request, "rotate_endpoint_secret")
    return _with_secret(rotated)


async def test_endpoint(request: web.Request) -> DeliveryTestResponse:
    """Send the event endpoint.test now, once, and return the result."""
    result = await _endpoints(request).send_test(_id(request))
    audit.record(request, "test_endpoint")
    return DeliveryTestResponse(**vars(result))


async def list_endpoint_deliveries(request: web.Request, query: DeliveryListQuery) -> DeliveryList:
    """List the deliveries to one endpoint, newest first."""
    page = await _endpoints(request).list_deliveries(
        _id(request), state=query.state, after=query.after, limit=query.limit
    )
    return _delivery_list(page)


async def list_deliveries(request: web.Request, query: DeliveryListQuery) -> DeliveryList:
    """List the deliveries to all endpoints, newest first."""
    page = await _endpoints(request).list_deliveries(
        state=query.state, after=query.after, limit=query.limit
    )
    return _delivery_list(page)


async def replay_events(request: web.Request, body: ReplayRequest) -> ReplayResponse:
    """Send events again, oldest first: those that this endpoint did not get, or all with `again`.

    One call queues at most 10,000 events. If there are more, call again with since = next_since.
    """
    result = await _endpoints(request).replay(
        _id(request), since=body.since, until=body.until, events=body.events, again=body.again
    )
    audit.record(request, "replay_events")
    return ReplayResponse(
        count=result.count,
        more=result.more,
        next_since=result.last_created_at if result.more else None,
    )


def _endpoints(request: web.Request) -> EndpointService:
    return request.app[SERVICES].events.endpoints


def _id(request: web.Request) -> str:
    return request.match_info["id"]


def _with_secret(created: EndpointWithSecret) -> EndpointWithSecretResponse:
    return EndpointWithSecretResponse(
        **dict(endpoint_response(created.endpoint)), secret=created.secret.get_secret_value()
    )


def _delivery_list(page: DeliveryPage) -> DeliveryList:
    return DeliveryList(
        deliveries=[delivery_response(row) for row in page.deliveries], next=page.next
    )
