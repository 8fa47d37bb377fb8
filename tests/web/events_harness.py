"""A service that may send events to loopback, and steps that tests of endpoints and events share."""

from __future__ import annotations

from typing import Any

from tests.running_service import AS_SERVER

from .conftest import Harness, Response

LOOPBACK = {"CONNECTOR_PRIVATE_NETWORKS": "127.0.0.0/8"}


async def number_events(harness: Harness) -> None:
    """The clock of the service stands still, so its own loop does not do this."""
    dispatcher = harness.service.events.dispatcher
    if await dispatcher.numbering.run_once():
        dispatcher.request_lease()


async def create_endpoint(harness: Harness, url: str, **fields: Any) -> Any:
    response = await harness.post("/endpoints", AS_SERVER, url=url, **fields)
    assert response.status == 201, response.text
    return response.json


async def change(harness: Harness, method: str, path: str, **body: Any) -> Response:
    return await harness.call(method, path, headers=AS_SERVER, json=body)


async def read(harness: Harness, path: str) -> Any:
    response = await harness.get(path, AS_SERVER)
    assert response.status == 200, response.text
    return response.json


async def until_state(harness: Harness, endpoint_id: str, state: str) -> list[Any]:
    """Returns the deliveries to the endpoint when all of them have this state."""
    while True:
        deliveries = (await read(harness, f"/endpoints/{endpoint_id}/deliveries"))["deliveries"]
        if all(delivery["state"] == state for delivery in deliveries):
            return list(deliveries)
