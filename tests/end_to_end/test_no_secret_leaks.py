"""Stored data, log lines and responses never contain a token, a code or a secret in plain text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from connector.model import UserId
from tests.credentials import API_KEYS
from tests.database_views import DatabaseView
from tests.running_service import AS_SERVER, BUSINESS_APP, LOGIN_KIT_APP, Simulator

from .service_process import (
    Customer,
    NewService,
    ServiceProcess,
    new_service_with_database,
    wait_until,
)

ADVERTISERS = "advertiser/get"
FAMILIES = ("marketing", "accounts", "login_kit")
FAULTS = (("status", 500), ("garbage", "html"), ("code", 50000))


@pytest.mark.parametrize("kind", ["sqlite", "supabase"])
async def test_no_secret_is_stored_logged_or_returned_in_plain_text(
    request: pytest.FixtureRequest,
    new_service: NewService,
    simulator: Simulator,
    http: ClientSession,
    user: UserId,
    kind: str,
) -> None:
    service, database = new_service_with_database(request, new_service, kind)
    await service.start(CONNECTOR_LOG_LEVEL="debug")
    customer = Customer(http, user, service)
    collected = await exchange_with_faults(customer, simulator)
    collected += await exchange_while_tiktok_hangs(customer, simulator, service)
    collected += await read_refresh_and_disconnect(customer, simulator, service)
    collected.append(await (await http.get(f"{service.url}/metrics", headers=AS_SERVER)).read())
    service.stop()
    collected += [database.dump().encode(), *service_files(service)]
    secrets = list(all_secrets(simulator, database))
    assert len(secrets) > 20
    for text in collected:
        assert text
        assert [secret for secret in secrets if secret.encode() in text] == []


async def exchange_with_faults(customer: Customer, simulator: Simulator) -> list[bytes]:
    """Runs one exchange for each family and fault, then repeats the exchange without the fault."""
    replies: list[bytes] = []
    for family in FAMILIES:
        for kind, value in FAULTS:
            await simulator.fault("", kind, value, times=2)
            state, code = await customer.state(family), await simulator.consent(family)
            replies.append(str(await customer.post_code(code, state)).encode())
            simulator.state.faults.clear()
            replies.append(str(await customer.post_code(code, state)).encode())
    return replies


async def exchange_while_tiktok_hangs(
    customer: Customer, simulator: Simulator, service: ServiceProcess
) -> list[bytes]:
    """The journal contains the grant while the advertisers are requested."""
    await simulator.fault(ADVERTISERS, "hang")
    state, code = await customer.state(), await simulator.consent(advertisers=3)
    request = asyncio.create_task(customer.post_code(code, state))
    faults = simulator.state.faults
    await wait_until(lambda: bool(faults.cleared) and not faults.pending())
    journal = file_contents(service.journal)
    assert journal
    faults.clear()
    return [*journal, str(await request).encode()]


async def read_refresh_and_disconnect(
    customer: Customer, simulator: Simulator, service: ServiceProcess
) -> list[bytes]:
    replies: list[bytes] = []
    for connection in await customer.connections():
        path = f"/connections/{connection['id']}"
        replies.append(str(await customer.call_as_server("GET", path)).encode())
        replies.append(str(await customer.call_as_server("GET", f"{path}/attempts")).encode())
        if connection["family"] != "marketing":
            await simulator.fault("v2/oauth", "code", "server_error")
            replies.append(await failing_refresh(f"{service.url}{path}/refresh"))
    connections = await customer.connections()
    account = next(c for c in connections if c["family"] == "accounts")
    reply = await customer.call_as_server("DELETE", f"/connections/{account['id']}")
    return [*replies, str(reply).encode()]


async def failing_refresh(url: str) -> bytes:
    async with ClientSession() as http, http.post(url, headers=AS_SERVER) as response:
        return await response.read()


def service_files(service: ServiceProcess) -> list[bytes]:
    assert service.log.stat().st_size
    return file_contents(service.database.parent)


def file_contents(path: Path) -> list[bytes]:
    """Returns the content of the file, or of all files in the folder except key files and empty files."""
    files = [file for file in (path, *path.rglob("*")) if file.is_file()]
    return [file.read_bytes() for file in files if file.suffix != ".keys" and file.stat().st_size]


def all_secrets(simulator: Simulator, database: DatabaseView) -> Iterator[str]:
    registry = simulator.state.tokens
    yield from (*registry._access_tokens, *registry._refresh_tokens, *registry._codes)
    yield from (BUSINESS_APP.secret, LOGIN_KIT_APP.secret, *API_KEYS)
    for name, value in database.environ.items():
        if name.endswith(("KEY", "SECRET", "KEYS")):
            yield value
