"""Nothing that is kept, logged or answered shows a token, a code or a secret."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from aiohttp import ClientSession

from connector.model import UserId
from tests.exchange.scene import until
from tests.houses import ADS, KIT, Simulator
from tests.people import KEYS
from tests.places import Place

from .conftest import Founding
from .service import Service, Visitor, settled

ADVERTISERS = "advertiser/get"
FAMILIES = ("marketing", "accounts", "login_kit")


@pytest.mark.parametrize("kind", ["sqlite", "supabase"])
async def test_no_secret_is_anywhere_in_the_clear(
    request: pytest.FixtureRequest,
    founding: Founding,
    simulator: Simulator,
    http: ClientSession,
    user: UserId,
    kind: str,
) -> None:
    place, service = settled(request, founding, kind)
    await service.start(CONNECTOR_LOG="debug")
    heard = await eventful_life(Visitor(http, user, service), simulator, service)
    heard.append(await (await http.get(f"{service.url}/metrics", headers=server())).read())
    service.stop()
    heard += [place.dump().encode(), *files_of(service)]
    secrets = list(secrets_of(simulator, place))
    assert len(secrets) > 20
    for text in heard:
        assert text
        assert [secret for secret in secrets if secret.encode() in text] == []


async def eventful_life(visitor: Visitor, simulator: Simulator, service: Service) -> list[bytes]:
    """Everything that goes well and badly in a few seconds, and what was said and written then."""
    heard: list[bytes] = []
    for family in FAMILIES:
        for kind, value in (("status", 500), ("garbage", "html"), ("code", 50000)):
            await simulator.fault("", kind, value, times=2)
            state, code = await visitor.state(family), await simulator.consent(family)
            heard += [str(await visitor.post(code, state)).encode()]
            simulator.world.faults.clear()
            heard += [str(await visitor.post(code, state)).encode()]
    await simulator.fault(ADVERTISERS, "hang")
    state, code = await visitor.state(), await simulator.consent(advertisers=3)
    posting = asyncio.create_task(visitor.post(code, state))
    await until(
        lambda: bool(simulator.world.faults.lifted) and not simulator.world.faults.waiting()
    )
    heard.append(service.journal.read_bytes())
    simulator.world.faults.clear()
    heard.append(str(await posting).encode())
    for connection in await visitor.connections():
        heard.append(str(await visitor.ask("GET", f"/connections/{connection['id']}")).encode())
        attempts = await visitor.ask("GET", f"/connections/{connection['id']}/attempts")
        heard.append(str(attempts).encode())
        if connection["family"] != "marketing":
            await simulator.fault("v2/oauth", "code", "server_error")
            url = f"{service.url}/connections/{connection['id']}/refresh"
            async with ClientSession() as http, http.post(url, headers=server()) as answer:
                heard.append(await answer.read())
    gone = [c for c in await visitor.connections() if c["family"] == "accounts"]
    heard.append(str(await visitor.ask("DELETE", f"/connections/{gone[0]['id']}")).encode())
    return heard


def server() -> dict[str, str]:
    return {"X-API-Key": KEYS[0]}


def files_of(service: Service) -> list[bytes]:
    directory = service.database.parent
    files = [path for path in directory.iterdir() if path.suffix != ".keys"]
    assert service.log in files
    return [path.read_bytes() for path in files if path.stat().st_size]


def secrets_of(simulator: Simulator, place: Place) -> Iterator[str]:
    ledger = simulator.world.ledger
    yield from (*ledger._access, *ledger._refresh, *ledger._codes)
    yield from (ADS.secret, KIT.secret, *KEYS)
    yield from (place.environ[n] for n in place.environ if n.endswith(("KEY", "SECRET", "KEYS")))
