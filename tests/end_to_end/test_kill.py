"""Killed at any moment once TikTok has answered, and nothing is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

import pytest
from aiohttp import ClientConnectionError, ClientSession

from connector.model import UserId
from tests.exchange.scene import EXCHANGES, until
from tests.houses import Json, Simulator
from tests.stack import Stack

from .conftest import Founding
from .service import Service, Visitor, settled

ADVERTISERS, WHOSE = "advertiser/get", "v1.3/user/info"


both = pytest.mark.parametrize("service", ["sqlite", "supabase"], indirect=True)
"""On SQLite alone unless a test says so: what the journal does, it does for any store."""


@pytest.fixture(scope="module")
async def service(request: pytest.FixtureRequest, founding: Founding) -> Service:
    _, service = settled(request, founding, getattr(request, "param", "sqlite"))
    await service.start()
    return service


@pytest.fixture
def visitor(http: ClientSession, user: UserId, service: Service) -> Visitor:
    return Visitor(http, user, service)


class Death:
    """One exchange, one process, and the moment at which it is killed."""

    def __init__(self, simulator: Simulator, service: Service, visitor: Visitor) -> None:
        self._simulator = simulator
        self._service = service
        self._visitor = visitor

    async def over(self, family: str = "marketing", **consent: object) -> None:
        self.code = await self._simulator.consent(family, **consent)
        self.state = await self._visitor.state(family)
        self._posting = asyncio.create_task(self._post())

    async def comes(self, when: Callable[[], bool], *, after: float = 0) -> None:
        await until(when)
        await asyncio.sleep(after)
        self._service.kill()
        await self._posting
        self._simulator.world.faults.clear()

    async def is_overcome(self) -> Json:
        await self._service.start()
        answer = await self._visitor.exchanged(self.code, self.state)
        await self._has_one_connection(answer)
        return answer

    async def is_overcome_by_itself(self) -> None:
        """Nobody posts again."""
        await self._service.start()
        async with asyncio.timeout(20):
            while not (connections := await self._visitor.connections()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert [each["status"] for each in connections] == ["active"]
        assert self.exchanges() == 1

    async def _has_one_connection(self, answer: Json) -> None:
        connections = await self._visitor.connections()
        assert [each["id"] for each in connections] == [answer["connection_id"]]
        assert self.exchanges() == 1
        assert not self._simulator.world.record.counts["used_code_presented"]

    async def _post(self) -> None:
        with suppress(ClientConnectionError):
            await self._visitor.post(self.code, self.state)

    def exchanges(self) -> int:
        return self._simulator.world.record.counts["exchanges"]

    def asked(self, *paths: str) -> bool:
        calls = self._simulator.world.record.calls
        return any(calls(path=path) for path in paths)


@pytest.fixture
def death(simulator: Simulator, service: Service, visitor: Visitor) -> Death:
    return Death(simulator, service, visitor)


@both
@pytest.mark.parametrize("path", [ADVERTISERS, WHOSE])
async def test_while_asking_what_came_with_the_grant(
    death: Death, simulator: Simulator, path: str
) -> None:
    await simulator.fault(path, "hang")
    await death.over(advertisers=3)
    await death.comes(lambda: death.asked(path))
    assert len((await death.is_overcome())["advertisers"]) == 3


@pytest.mark.parametrize(
    ("family", "path"), [("accounts", "business/get"), ("login_kit", "v2/user/info")]
)
async def test_while_asking_for_a_name(
    death: Death, simulator: Simulator, family: str, path: str
) -> None:
    await simulator.fault(path, "hang")
    await death.over(family)
    await death.comes(lambda: death.asked(path))
    await death.is_overcome()


@both
async def test_and_nobody_posts_again(death: Death, simulator: Simulator) -> None:
    await simulator.fault(ADVERTISERS, "hang")
    await death.over()
    await death.comes(lambda: death.asked(ADVERTISERS))
    await death.is_overcome_by_itself()


async def test_and_killed_again_while_recovering(
    death: Death, simulator: Simulator, service: Service
) -> None:
    await simulator.fault(ADVERTISERS, "hang")
    await death.over()
    await death.comes(lambda: death.asked(ADVERTISERS))
    for _ in range(2):
        simulator.world.record.clear_log()
        await simulator.fault(ADVERTISERS, "hang")
        await service.start()
        await until(lambda: death.asked(ADVERTISERS))
        service.kill()
        simulator.world.faults.clear()
    await death.is_overcome_by_itself()


async def test_after_the_person_was_told_to_try_again(
    death: Death, simulator: Simulator, service: Service, visitor: Visitor
) -> None:
    await simulator.fault(ADVERTISERS, "code", 50000)
    await death.over()
    await death._posting
    service.kill()
    await death.is_overcome_by_itself()


async def test_after_everything_the_answer_is_still_the_same(
    death: Death, simulator: Simulator, service: Service, visitor: Visitor
) -> None:
    await death.over()
    await death._posting
    before = await visitor.post(death.code, death.state)
    calls = len(simulator.world.record.calls())
    service.kill()
    await service.start()
    assert await visitor.post(death.code, death.state) == before
    assert len(simulator.world.record.calls()) == calls


async def test_before_tiktok_answered_the_code_may_be_sent_again(
    death: Death, simulator: Simulator
) -> None:
    await simulator.fault("oauth2/access_token", "hang")
    await death.over()
    await death.comes(lambda: death.asked(*EXCHANGES))
    await death.is_overcome()


@pytest.mark.parametrize("service", ["supabase"], indirect=True)
@pytest.mark.parametrize("on", ["claim_codes", "save_connections"])
async def test_while_the_store_keeps_us_waiting(stack: Stack, death: Death, on: str) -> None:
    with stack.gateway.failing("hang", on=on):
        stack.gateway.calls.clear()
        await death.over()
        await death.comes(lambda: bool(stack.gateway.calls[f"POST /rest/v1/rpc/connector_{on}"]))
    await death.is_overcome()


@both
@pytest.mark.parametrize("seed", range(3))
async def test_at_some_moment_after_the_grant_was_written(
    death: Death, simulator: Simulator, seed: int
) -> None:
    """With calls that take a while, anything from the first question on to the answer."""
    simulator.world.settings.latency_ms = 10
    await death.over(advertisers=50)
    moment = random.Random(seed).uniform(0, 0.03)
    await death.comes(lambda: death.asked(ADVERTISERS), after=moment)
    assert len((await death.is_overcome())["advertisers"]) == 50
