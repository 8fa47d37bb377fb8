"""No token, code, secret or key turns up anywhere but where it was asked for."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from connector.model import UserId
from tests.houses import ADS, AS_SERVER, KIT
from tests.people import ANNA, KEYS, SECRET, hs256
from tests.stack import Stack

from .conftest import Answer, Site

BEN = UserId("0b5a7c1e-4d3f-4a7b-8c9d-112233445566")
TABLES = "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('connector', 'public')"


class Canaries:
    """Everything that must not be seen, as it is heard of."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._seen = {ADS.secret, KIT.secret, SECRET, *KEYS}

    def add(self, secret: str) -> str:
        self._seen.add(secret)
        return secret

    def found_in(self, *texts: str) -> set[str]:
        ledger = self._site.simulator.world.ledger
        everything = {*self._seen, *ledger._access, *ledger._refresh, *ledger._codes}
        assert len(everything) > 20
        return {secret for secret in everything if any(secret in text for text in texts)}


async def lived_through(site: Site, canaries: Canaries) -> list[Answer]:
    """A day in the life of a house; the answers that have no business holding a secret."""
    answers: list[Answer] = []
    user = {"Authorization": f"Bearer {canaries.add(hs256())}"}
    for family in ("marketing", "accounts", "login_kit"):
        for user_id in (ANNA, BEN):
            connected = await site.connected(family=family, user_id=user_id, person=user_id)
            canaries.add(connected["ticket"] or "no ticket here")
        id = connected["connection_id"]
        assert (await site.get(f"/connections/{id}/token", AS_SERVER)).status == 200
        answers += [
            await site.get(f"/connections/{id}", AS_SERVER),
            await site.post(f"/connections/{id}/refresh", AS_SERVER),
            await site.get(f"/connections/{id}/attempts", AS_SERVER),
        ]
    for kind, value in (("code", 40110), ("code", 50000), ("status", 500), ("garbage", "html")):
        await site.simulator.fault("oauth2/access_token", kind, value)
        body = {"code": await site.simulator.consent(), "state": await site.state()}
        answers.append(await site.post("/oauth/exchange", **body))
    for kind, word in (("code", "invalid_grant"), ("drop_after_effect", None)):
        await site.simulator.fault("/v2/oauth/token", kind, word)
        answers.append(await site.post(f"/connections/{id}/refresh", AS_SERVER))
    canaries.add((await site.post("/tickets", AS_SERVER, user_id=ANNA)).said["ticket"])
    canaries.add((await site.session(AS_SERVER)).partition("=")[2])
    answers += [
        await site.get("/connections", user),
        await site.get("/advertisers", user),
        await site.get("/pulse", AS_SERVER),
        await site.get("/metrics", AS_SERVER),
        await site.get("/connections", {"Authorization": f"Bearer {KEYS[0]}x"}),
        await site.get(f"/oauth/callback?code={canaries.add('canary-code')}&state=s"),
        await site.call("DELETE", f"/connections/{id}", headers=AS_SERVER),
    ]
    return answers


def dumped(site: Site, request: pytest.FixtureRequest) -> str:
    if site.house.store.name == "sqlite":
        with closing(sqlite3.connect(site.house.settings.database)) as database:
            return "\n".join(database.iterdump())
    stack: Stack = request.getfixturevalue("stack")
    rows: list[Any] = []
    for table in stack.sql(TABLES):
        rows += stack.sql(f"select * from {table['name']}")
    return repr(rows)


async def test_no_log_answer_metric_dump_or_journal_holds_a_secret(
    anywhere: Site, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    canaries = Canaries(anywhere)
    if service_role_key := anywhere.house.settings.supabase_service_role_key:
        canaries.add(service_role_key.get_secret_value())
    answers = await lived_through(anywhere, canaries)
    assert {answer.status for answer in answers} >= {200, 400, 401, 503}
    told = [answer.text + repr(dict(answer.headers)) for answer in answers]
    journal = anywhere.house.settings.journal.read_bytes().decode(errors="replace")
    dump = dumped(anywhere, request)
    assert "7001" not in caplog.text
    assert "user_accounts" in dump or ANNA in dump
    assert canaries.found_in(*told, caplog.text, dump, journal, repr(anywhere.house)) == set()
