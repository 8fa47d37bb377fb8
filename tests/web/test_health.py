"""Whether we live, whether we can work, and what was counted."""

from __future__ import annotations

from contextlib import closing
from sqlite3 import connect

import pytest

from tests.houses import AS_SERVER
from tests.people import ANNA

from .conftest import Site


def counted(text: str, name: str, **labels: str) -> float:
    for line in text.splitlines():
        series, _, value = line.rpartition(" ")
        if series.partition("{")[0] == name and all(
            f'{label}="{word}"' in series for label, word in labels.items()
        ):
            return float(value)
    return 0.0


async def scraped(site: Site) -> str:
    return (await site.get("/metrics", AS_SERVER)).text


async def test_alive_and_ready(anywhere: Site) -> None:
    assert (await anywhere.get("/healthz")).said == {"status": "ok"}
    assert (await anywhere.get("/readyz")).said == {"status": "ready"}


async def test_a_schema_that_does_not_fit_is_not_ready_and_the_remedy_is_in_the_log(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(connect(site.house.settings.database)) as database, database:
        database.execute("update schema set version = 99")
    answer = await site.get("/readyz")
    assert (answer.status, answer.code) == (502, "configuration")
    assert "sql" not in answer.said["error"]
    assert "sql/001_tables.sql" in caplog.text
    assert (await site.get("/healthz")).status == 200


async def test_requests_are_counted_by_address_not_by_what_was_typed(site: Site) -> None:
    for path in ("/connections/a", "/connections/b", "/nothing/c", "/nothing/d?e"):
        await site.get(path, AS_SERVER)
    text, name = await scraped(site), "connector_request_seconds_count"
    labels = {"method": "GET", "resource": "/connections/{id}", "status": "404"}
    assert counted(text, name, **labels) == 2
    assert counted(text, name, method="-", resource="unknown") == 2


async def test_what_was_tried_with_tiktok_is_counted_by_how_it_ended(site: Site) -> None:
    id = (await site.connected())["connection_id"]
    await site.post(f"/connections/{id}/refresh", AS_SERVER)
    await site.simulator.fault("advertiser/get", "code", 40002)
    await site.post(f"/connections/{id}/refresh", AS_SERVER)
    await site.post("/oauth/exchange", code="unknown", state=await site.state())
    text, name = await scraped(site), "connector_attempts_total"
    for what, verdict in (
        ("exchange", "ok"),
        ("exchange", "code_spent"),
        ("probe", "ok"),
        ("probe", "tiktok_refused"),
    ):
        assert counted(text, name, family="marketing", what=what, verdict=verdict) == 1


async def test_connections_are_counted_at_most_twice_a_minute(site: Site) -> None:
    await site.connected()
    labels = {"family": "marketing", "status": "active"}
    assert counted(await scraped(site), "connector_connections", **labels) == 1
    await site.connected(user_id=ANNA.replace("6", "7"))
    assert counted(await scraped(site), "connector_connections", **labels) == 1
    site.simulator.clock.turn(30)
    assert counted(await scraped(site), "connector_connections", **labels) == 2


async def test_the_journal_tells_what_it_holds_and_whether_it_can(site: Site) -> None:
    text = await scraped(site)
    assert "connector_journal_held 0.0" in text
    assert "connector_journal_trouble 0.0" in text
    site.house.journal.trouble = "The disk is full."
    assert "connector_journal_trouble 1.0" in await scraped(site)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_numbers_are_for_servers(site: Site, method: str) -> None:
    assert (await site.call(method, "/metrics", headers=site.user())).status == 403
    answer = await site.call(method, "/metrics", headers=AS_SERVER)
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
