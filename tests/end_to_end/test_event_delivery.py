"""Events to the endpoint of the settings: from a real process, which is killed while it delivers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from connector.events.signing import new_secret
from connector.model import UserId
from tests.database_views import DatabaseView
from tests.events.receiver import Receiver, running_receiver
from tests.running_service import Simulator

from .service_process import Customer, NewService, new_service_with_database

EXPIRED_LEASE = "update {deliveries} set due_at = '2020-01-01T00:00:00.000000+00:00'"
"""The lease of a killed process ends after 30 seconds. The test does not wait for that."""

SECRET = new_secret().get_secret_value()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as receiver:
        yield receiver


def environ(receiver: Receiver) -> dict[str, str]:
    return {
        "CONNECTOR_PRIVATE_NETWORKS": "127.0.0.0/8",
        "CONNECTOR_WEBHOOK_URL": receiver.url,
        "CONNECTOR_WEBHOOK_SECRET": SECRET,
    }


async def connect(simulator: Simulator, customer: Customer) -> None:
    code, state = await simulator.consent(), await customer.state()
    await customer.post_code_until_accepted(code, state)


def end_leases(database: DatabaseView) -> None:
    table = "deliveries" if database.kind == "sqlite" else "connector.deliveries"
    database.script(EXPIRED_LEASE.format(deliveries=table))


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_process_that_is_killed_while_it_delivers_loses_no_event(
    request: pytest.FixtureRequest,
    new_service: NewService,
    simulator: Simulator,
    http: ClientSession,
    user: UserId,
    receiver: Receiver,
    kind: str,
) -> None:
    service, database = new_service_with_database(request, new_service, kind)
    customer = Customer(http, user, service)
    receiver.stop_answering()
    await service.start(**environ(receiver))
    await connect(simulator, customer)
    await receiver.until_received(1)
    service.kill()
    receiver.answer()
    end_leases(database)
    await service.start(**environ(receiver))
    await receiver.until_received(2)
    service.stop()
    assert set(receiver.types) == {"connection.connected"}
    assert len(set(receiver.ids)) == 1
    assert [row["state"] for row in database.rows("deliveries")] == ["delivered"]


async def test_a_stop_waits_for_the_response_of_an_open_request(
    new_service: NewService,
    simulator: Simulator,
    http: ClientSession,
    user: UserId,
    receiver: Receiver,
    request: pytest.FixtureRequest,
) -> None:
    service, database = new_service_with_database(request, new_service, "sqlite")
    receiver.status = 503
    await service.start(**environ(receiver))
    await connect(simulator, Customer(http, user, service))
    await receiver.until_received(1)
    service.stop()
    [delivery] = database.rows("deliveries")
    assert (delivery["state"], delivery["attempts"]) == ("pending", 1)
    assert delivery["lease_owner"] is None
    shown = service.log.read_text() + database.dump()
    assert SECRET.removeprefix("whsec_") not in shown
