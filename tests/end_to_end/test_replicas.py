"""Two replicas: two processes with one database and nothing else in common.

A replica is a second `connector serve` with the same settings, except for its port and its journal
folder. The replicas coordinate only through the database.
"""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientConnectionError, ClientSession

from connector.model import UserId
from tests.database_views import supabase_view
from tests.running_service import Simulator
from tests.supabase_stack import Stack

from .service_process import Customer, NewService, ServiceProcess, wait_until

ADVERTISERS = "advertiser/get"


@pytest.fixture(scope="module")
async def replicas(stack: Stack, new_service: NewService) -> list[ServiceProcess]:
    database = supabase_view(stack, "supabase")
    services = [new_service(name, **database.environ) for name in ("first", "second")]
    await asyncio.gather(*(service.start() for service in services))
    return services


@pytest.fixture
def customer(http: ClientSession, user: UserId, replicas: list[ServiceProcess]) -> Customer:
    return Customer(http, user, *replicas)


@pytest.mark.parametrize("advertisers", [1, 5, 5_000])
async def test_25_simultaneous_posts_at_two_replicas_cause_one_exchange_and_get_equal_replies(
    customer: Customer, simulator: Simulator, advertisers: int
) -> None:
    code, state = await simulator.consent(advertisers=advertisers), await customer.state()
    posts = (customer.post_code(code, state, at=number % 2) for number in range(25))
    replies = await asyncio.gather(*posts)
    assert all(reply == replies[0] for reply in replies)
    assert replies[0][0] == 200
    assert len(replies[0][1]["advertisers"]) == advertisers
    assert (await simulator.stats())["exchanges"] == 1


async def test_two_replicas_return_the_same_refusal_after_one_exchange(
    customer: Customer, simulator: Simulator
) -> None:
    state = await customer.state()
    posts = (customer.post_code("stale", state, at=number % 2) for number in range(25))
    replies = await asyncio.gather(*posts)
    assert {(status, reply["code"]) for status, reply in replies} == {(400, "code_spent")}
    assert (await simulator.stats())["exchanges_refused"] == 1


async def test_a_replica_completes_an_exchange_that_another_replica_could_not_complete(
    customer: Customer, simulator: Simulator
) -> None:
    code, state = await simulator.consent(advertisers=3), await customer.state()
    await simulator.fault(ADVERTISERS, "code", 50000)
    status, reply = await customer.post_code(code, state, at=0)
    assert (status, reply["code"], reply["tiktok"]["code"]) == (503, "tiktok_unreachable", 50000)
    status, reply = await customer.post_code(code, state, at=1)
    assert (status, len(reply["advertisers"])) == (200, 3)
    assert await customer.post_code(code, state, at=0) == (200, reply)
    assert (await simulator.stats())["exchanges"] == 1
    assert len(await customer.connections()) == 1


async def test_a_browser_that_disconnected_gets_the_reply_from_either_replica(
    customer: Customer, simulator: Simulator
) -> None:
    code, state = await simulator.consent(advertisers=2), await customer.state()
    await simulator.fault(ADVERTISERS, "hang")
    request = asyncio.create_task(customer.post_code(code, state, at=0))
    await wait_until(lambda: bool(simulator.state.call_log.calls(path=ADVERTISERS)))
    request.cancel()
    simulator.state.faults.clear()
    replies = [await customer.post_code(code, state, at=number) for number in (1, 0, 1)]
    assert replies[0][0] == 200
    assert all(reply == replies[0] for reply in replies)
    assert (await simulator.stats())["exchanges"] == 1


async def test_a_restarted_replica_completes_its_exchange_and_the_other_replica_returns_the_reply(
    customer: Customer, simulator: Simulator, replicas: list[ServiceProcess]
) -> None:
    """The other replica cannot know whether TikTok responded, so it waits for the restarted replica."""
    code, state = await simulator.consent(), await customer.state()
    await simulator.fault(ADVERTISERS, "hang")
    request = asyncio.create_task(customer.post_code(code, state, at=0))
    await wait_until(lambda: bool(simulator.state.call_log.calls(path=ADVERTISERS)))
    replicas[0].kill()
    with pytest.raises(ClientConnectionError):
        await request
    waiting = asyncio.create_task(customer.post_code(code, state, at=1))
    await replicas[0].start()
    assert (await waiting)[0] == 200
    assert (await simulator.stats())["exchanges"] == 1
