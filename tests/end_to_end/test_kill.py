"""A process that is killed at any moment after TikTok's response loses no connection."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

import pytest
from aiohttp import ClientConnectionError, ClientSession

from connector.model import UserId
from tests.running_service import Json, Simulator
from tests.supabase_stack import Stack

from .service_process import (
    Customer,
    NewService,
    ServiceProcess,
    new_service_with_database,
    wait_until,
)

CODE_EXCHANGES = ("oauth2/access_token", "tt_user/oauth2/token", "v2/oauth/token")
ADVERTISERS, USER_INFO = "advertiser/get", "v1.3/user/info"

both_databases = pytest.mark.parametrize("service", ["sqlite", "supabase"], indirect=True)
"""Most tests run on SQLite only, because the journal works in the same way for every database."""


@pytest.fixture(scope="module")
async def service(request: pytest.FixtureRequest, new_service: NewService) -> ServiceProcess:
    kind = getattr(request, "param", "sqlite")
    service, _ = new_service_with_database(request, new_service, kind)
    await service.start()
    return service


@pytest.fixture
def customer(http: ClientSession, user: UserId, service: ServiceProcess) -> Customer:
    return Customer(http, user, service)


class KilledExchange:
    """Runs one exchange, during or after which the process is killed."""

    def __init__(self, simulator: Simulator, service: ServiceProcess, customer: Customer) -> None:
        self._simulator = simulator
        self._service = service
        self._customer = customer

    async def start(self, family: str = "marketing", **consent: object) -> None:
        self.code = await self._simulator.consent(family, **consent)
        self.state = await self._customer.state(family)
        self._request = asyncio.create_task(self._post())

    async def finish(self) -> None:
        await self._request

    async def kill_when(self, condition: Callable[[], bool], *, delay: float = 0) -> None:
        await wait_until(condition)
        await asyncio.sleep(delay)
        self._service.kill()
        await self._request
        self._simulator.state.faults.clear()

    async def restart_and_post_again(self) -> Json:
        await self._service.start()
        reply = await self._customer.post_code_until_accepted(self.code, self.state)
        connections = await self._customer.connections()
        assert [connection["id"] for connection in connections] == [reply["connection_id"]]
        assert self._exchange_count() == 1
        assert not self._simulator.state.call_log.counts["used_code_presented"]
        return reply

    async def restart_and_wait_for_connection(self) -> None:
        await self._service.start()
        async with asyncio.timeout(20):
            while not (connections := await self._customer.connections()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert [connection["status"] for connection in connections] == ["active"]
        assert self._exchange_count() == 1

    def has_called(self, *paths: str) -> bool:
        calls = self._simulator.state.call_log.calls
        return any(calls(path=path) for path in paths)

    def _exchange_count(self) -> int:
        return self._simulator.state.call_log.counts["exchanges"]

    async def _post(self) -> None:
        with suppress(ClientConnectionError):
            await self._customer.post_code(self.code, self.state)


@pytest.fixture
def exchange(simulator: Simulator, service: ServiceProcess, customer: Customer) -> KilledExchange:
    return KilledExchange(simulator, service, customer)


@both_databases
@pytest.mark.parametrize("path", [ADVERTISERS, USER_INFO])
async def test_a_kill_while_the_profile_is_requested_loses_no_grant(
    exchange: KilledExchange, simulator: Simulator, path: str
) -> None:
    await simulator.fault(path, "hang")
    await exchange.start(advertisers=3)
    await exchange.kill_when(lambda: exchange.has_called(path))
    assert len((await exchange.restart_and_post_again())["advertisers"]) == 3


@pytest.mark.parametrize(
    ("family", "path"), [("accounts", "business/get"), ("login_kit", "v2/user/info")]
)
async def test_a_kill_while_the_account_name_is_requested_loses_no_grant(
    exchange: KilledExchange, simulator: Simulator, family: str, path: str
) -> None:
    await simulator.fault(path, "hang")
    await exchange.start(family)
    await exchange.kill_when(lambda: exchange.has_called(path))
    await exchange.restart_and_post_again()


@both_databases
async def test_a_killed_exchange_is_completed_after_a_restart_without_another_request(
    exchange: KilledExchange, simulator: Simulator
) -> None:
    await simulator.fault(ADVERTISERS, "hang")
    await exchange.start()
    await exchange.kill_when(lambda: exchange.has_called(ADVERTISERS))
    await exchange.restart_and_wait_for_connection()


async def test_a_second_kill_during_recovery_loses_no_grant(
    exchange: KilledExchange, simulator: Simulator, service: ServiceProcess
) -> None:
    await simulator.fault(ADVERTISERS, "hang")
    await exchange.start()
    await exchange.kill_when(lambda: exchange.has_called(ADVERTISERS))
    for _ in range(2):
        simulator.state.call_log.clear_calls()
        await simulator.fault(ADVERTISERS, "hang")
        await service.start()
        await wait_until(lambda: exchange.has_called(ADVERTISERS))
        service.kill()
        simulator.state.faults.clear()
    await exchange.restart_and_wait_for_connection()


async def test_a_kill_after_a_retryable_error_loses_no_grant(
    exchange: KilledExchange, simulator: Simulator, service: ServiceProcess
) -> None:
    await simulator.fault(ADVERTISERS, "code", 50000)
    await exchange.start()
    await exchange.finish()
    service.kill()
    await exchange.restart_and_wait_for_connection()


async def test_a_repeated_request_gets_the_same_reply_after_a_kill(
    exchange: KilledExchange, simulator: Simulator, service: ServiceProcess, customer: Customer
) -> None:
    await exchange.start()
    await exchange.finish()
    before = await customer.post_code(exchange.code, exchange.state)
    calls = len(simulator.state.call_log.calls())
    service.kill()
    await service.start()
    assert await customer.post_code(exchange.code, exchange.state) == before
    assert len(simulator.state.call_log.calls()) == calls


async def test_a_code_can_be_sent_again_if_the_kill_came_before_tiktoks_response(
    exchange: KilledExchange, simulator: Simulator
) -> None:
    await simulator.fault("oauth2/access_token", "hang")
    await exchange.start()
    await exchange.kill_when(lambda: exchange.has_called(*CODE_EXCHANGES))
    await exchange.restart_and_post_again()


@pytest.mark.parametrize("service", ["supabase"], indirect=True)
@pytest.mark.parametrize("operation", ["claim_codes", "upsert_connections"])
async def test_a_kill_while_the_store_does_not_respond_loses_no_grant(
    stack: Stack, exchange: KilledExchange, operation: str
) -> None:
    with stack.gateway.failing("hang", on=operation):
        stack.gateway.calls.clear()
        await exchange.start()
        call = f"POST /rest/v1/rpc/connector_{operation}"
        await exchange.kill_when(lambda: bool(stack.gateway.calls[call]))
    await exchange.restart_and_post_again()


@both_databases
@pytest.mark.parametrize("random_seed", range(3))
async def test_a_kill_at_a_random_moment_after_the_grant_was_journaled_loses_no_grant(
    exchange: KilledExchange, simulator: Simulator, random_seed: int
) -> None:
    """Slow calls distribute the kills over the time between the first lookup and the response."""
    simulator.state.settings.latency_ms = 10
    await exchange.start(advertisers=50)
    delay = random.Random(random_seed).uniform(0, 0.03)
    await exchange.kill_when(lambda: exchange.has_called(ADVERTISERS), delay=delay)
    assert len((await exchange.restart_and_post_again())["advertisers"]) == 50
