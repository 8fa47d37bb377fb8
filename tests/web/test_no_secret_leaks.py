"""No token, code, secret or key is found anywhere except in the response to the request for it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from connector.model import UserId
from tests.credentials import ANNA, API_KEYS, JWT_SECRET, hs256_jwt
from tests.database_views import sqlite_view
from tests.running_service import AS_SERVER, BUSINESS_APP, LOGIN_KIT_APP
from tests.supabase_stack import Stack

from .conftest import Harness, Response

BEN = UserId("0b5a7c1e-4d3f-4a7b-8c9d-112233445566")


class Secrets:
    """Returns all secrets that the test has used so far."""

    def __init__(self, harness: Harness) -> None:
        self._tokens = harness.simulator.state.tokens
        self._secrets = {BUSINESS_APP.secret, LOGIN_KIT_APP.secret, JWT_SECRET, *API_KEYS}

    def add(self, secret: str) -> str:
        self._secrets.add(secret)
        return secret

    def found_in(self, *texts: str) -> set[str]:
        secrets = {
            *self._secrets,
            *self._tokens._access_tokens,
            *self._tokens._refresh_tokens,
            *self._tokens._codes,
        }
        assert len(secrets) > 20
        return {secret for secret in secrets if any(secret in text for text in texts)}


async def call_most_routes(harness: Harness, secrets: Secrets) -> list[Response]:
    """Causes errors of TikTok, too. Returns the responses that must not contain a secret."""
    responses: list[Response] = []
    user = {"Authorization": f"Bearer {secrets.add(hs256_jwt())}"}
    for family in ("marketing", "accounts", "login_kit"):
        for user_id in (ANNA, BEN):
            connection = await harness.connect(family=family, user_id=user_id, person=user_id)
            if ticket := connection["ticket"]:
                secrets.add(ticket)
        path = f"/connections/{connection['connection_id']}"
        assert (await harness.get(f"{path}/token", AS_SERVER)).status == 200
        responses += [
            await harness.get(path, AS_SERVER),
            await harness.post(f"{path}/refresh", AS_SERVER),
            await harness.get(f"{path}/attempts", AS_SERVER),
        ]
    for kind, value in (("code", 40110), ("code", 50000), ("status", 500), ("garbage", "html")):
        await harness.simulator.fault("oauth2/access_token", kind, value)
        body = {"code": await harness.simulator.consent(), "state": await harness.state()}
        responses.append(await harness.post("/oauth/exchange", **body))
    for kind, error in (("code", "invalid_grant"), ("drop_after_effect", None)):
        await harness.simulator.fault("/v2/oauth/token", kind, error)
        responses.append(await harness.post(f"{path}/refresh", AS_SERVER))
    secrets.add((await harness.post("/tickets", AS_SERVER, user_id=ANNA)).json["ticket"])
    secrets.add((await harness.session_cookie(AS_SERVER)).partition("=")[2])
    responses += [
        await harness.get("/connections", user),
        await harness.get("/advertisers", user),
        await harness.get("/activity", AS_SERVER),
        await harness.get("/metrics", AS_SERVER),
        await harness.get("/connections", {"Authorization": f"Bearer {API_KEYS[0]}x"}),
        await harness.get(f"/oauth/callback?code={secrets.add('canary-code')}&state=s"),
        await harness.call("DELETE", path, headers=AS_SERVER),
    ]
    return responses


def database_dump(harness: Harness, request: pytest.FixtureRequest) -> str:
    if harness.service.store.name == "sqlite":
        return sqlite_view(harness.service.settings.database).dump()
    stack: Stack = request.getfixturevalue("stack")
    return stack.dump("--data-only")


def file_contents(path: Path) -> str:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return "".join(file.read_bytes().decode(errors="replace") for file in files)


async def test_no_log_response_metric_database_or_journal_contains_a_secret(
    each_store: Harness, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = Secrets(each_store)
    if service_role_key := each_store.service.settings.supabase_service_role_key:
        secrets.add(service_role_key.get_secret_value())
    responses = await call_most_routes(each_store, secrets)
    assert {response.status for response in responses} >= {200, 400, 401, 503}
    texts = [response.text + repr(dict(response.headers)) for response in responses]
    dump = database_dump(each_store, request)
    journal = file_contents(each_store.service.settings.journal)
    assert BUSINESS_APP.id not in caplog.text
    assert ANNA in dump
    assert secrets.found_in(*texts, caplog.text, dump, journal, repr(each_store.service)) == set()
