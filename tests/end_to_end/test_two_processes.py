"""Two replicas on one Supabase project, which know of each other only through it."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientConnectionError, ClientSession

from connector.model import UserId
from tests.exchange.scene import until
from tests.houses import Simulator
from tests.places import in_stack
from tests.stack import Stack

from .conftest import Founding
from .service import Service, Visitor

ADVERTISERS = "advertiser/get"


@pytest.fixture(scope="module")
async def replicas(stack: Stack, founding: Founding) -> list[Service]:
    place = in_stack(stack, "supabase")
    services = [founding(name, **place.environ) for name in ("one", "two")]
    await asyncio.gather(*(service.start() for service in services))
    return services


@pytest.fixture
def visitor(http: ClientSession, user: UserId, replicas: list[Service]) -> Visitor:
    return Visitor(http, user, *replicas)


@pytest.mark.parametrize("advertisers", [1, 5, 5_000])
async def test_25_at_once_at_two_replicas_are_one_exchange_and_equal_answers(
    visitor: Visitor, simulator: Simulator, advertisers: int
) -> None:
    code, state = await simulator.consent(advertisers=advertisers), await visitor.state()
    answers = await asyncio.gather(*(visitor.post(code, state, at=n % 2) for n in range(25)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 200
    assert len(answers[0][1]["advertisers"]) == advertisers
    assert (await simulator.stats())["exchanges"] == 1


async def test_a_refusal_is_the_same_at_both_and_asked_for_once(
    visitor: Visitor, simulator: Simulator
) -> None:
    state = await visitor.state()
    answers = await asyncio.gather(*(visitor.post("stale", state, at=n % 2) for n in range(25)))
    assert {(status, told["code"]) for status, told in answers} == {(400, "code_spent")}
    assert (await simulator.stats())["exchanges_refused"] == 1


async def test_what_one_could_not_finish_the_other_does(
    visitor: Visitor, simulator: Simulator
) -> None:
    code, state = await simulator.consent(advertisers=3), await visitor.state()
    await simulator.fault(ADVERTISERS, "code", 50000)
    status, told = await visitor.post(code, state, at=0)
    assert (status, told["code"], told["tiktok"]["code"]) == (503, "tiktok_unreachable", 50000)
    status, told = await visitor.post(code, state, at=1)
    assert (status, len(told["advertisers"])) == (200, 3)
    assert await visitor.post(code, state, at=0) == (200, told)
    assert (await simulator.stats())["exchanges"] == 1
    assert len(await visitor.connections()) == 1


async def test_a_browser_that_went_away_finds_the_answer_at_either(
    visitor: Visitor, simulator: Simulator
) -> None:
    code, state = await simulator.consent(advertisers=2), await visitor.state()
    await simulator.fault(ADVERTISERS, "hang")
    posting = asyncio.create_task(visitor.post(code, state, at=0))
    await until(lambda: bool(simulator.world.record.calls(path=ADVERTISERS)))
    posting.cancel()
    simulator.world.faults.clear()
    assert (await visitor.post(code, state, at=1))[0] == 200
    assert await visitor.post(code, state, at=0) == await visitor.post(code, state, at=1)
    assert (await simulator.stats())["exchanges"] == 1


async def test_a_replica_that_dies_midway_is_finished_for_when_it_is_back(
    visitor: Visitor, simulator: Simulator, replicas: list[Service]
) -> None:
    """The other one cannot know whether TikTok answered; it waits, and then finds the answer."""
    code, state = await simulator.consent(), await visitor.state()
    await simulator.fault(ADVERTISERS, "hang")
    posting = asyncio.create_task(visitor.post(code, state, at=0))
    await until(lambda: bool(simulator.world.record.calls(path=ADVERTISERS)))
    replicas[0].kill()
    with pytest.raises(ClientConnectionError):
        await posting
    waiting = asyncio.create_task(visitor.post(code, state, at=1))
    await replicas[0].start()
    assert (await waiting)[0] == 200
    assert (await simulator.stats())["exchanges"] == 1
