"""A code becomes one connection, for any number of posts by any caller."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connector.errors import (
    CodeSpent,
    NoAdvertisers,
    TikTokUnreachable,
)
from connector.oauth.exchange import LOST_RESPONSE_HINT
from tests.credentials import ANNA
from tests.database_views import DatabaseView
from tests.running_service import Simulator

from .harness import BEN, FAMILIES, ExchangeHarness, error_of, on_sqlite, running_process


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_code_of_each_family_becomes_a_connection(
    harness: ExchangeHarness, family: str
) -> None:
    reply = await harness.connect(family)
    row = harness.row("connections")
    assert (reply.success, reply.connection_id) == (True, row["id"])
    assert (row["user_id"], row["family"], row["status"]) == (ANNA, family, "active")
    assert harness.exchange_count == 1


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_new_connection_has_a_token_that_tiktok_accepts(
    harness: ExchangeHarness, family: str
) -> None:
    reply = await harness.connect(family)
    token = await harness.access_token(reply.connection_id)
    assert harness.simulator.state.tokens.find_access_token(token).grant.family == family


async def test_a_single_advertiser_is_selected_automatically(harness: ExchangeHarness) -> None:
    reply = await harness.connect(advertisers=[{"id": "7533163835474346001", "name": "Shop"}])
    assert (reply.business_id, reply.account_id) == ("7533163835474346001", "Shop")
    assert not reply.selection_required
    row = harness.row("user_accounts")
    assert (row["id"], row["tiktok_business_id"]) == (ANNA, "7533163835474346001")
    assert row["tiktok_account_id"] == "Shop"


async def test_none_of_several_advertisers_is_selected_automatically(
    harness: ExchangeHarness,
) -> None:
    reply = await harness.connect(advertisers=5)
    assert reply.selection_required
    assert (reply.business_id, reply.account_id) == (None, None)
    assert len(reply.advertisers) == 5
    assert harness.rows("user_accounts") == []


async def test_five_thousand_advertisers_are_all_stored_in_order(harness: ExchangeHarness) -> None:
    harness.simulator.state.settings.advertiser_ids_latency_ms = 3_600_000
    harness.simulator.state.settings.numeric_ids = True
    reply = await harness.connect(advertisers=5_000)
    ids = [advertiser.id for advertiser in reply.advertisers]
    connection = await harness.get_connection(reply.connection_id)
    assert len(set(ids)) == 5_000
    assert all(isinstance(id, str) and len(id) == 19 for id in ids)
    assert [account.id for account in connection.accounts] == ids


async def test_a_consent_without_advertisers_is_refused_with_advice_and_stores_no_grant(
    harness: ExchangeHarness,
) -> None:
    error = await error_of(harness.connect(advertisers=0))
    assert isinstance(error, NoAdvertisers)
    assert "Business Center" in error.message
    assert harness.rows("connections") == harness.rows("user_accounts") == []
    assert harness.row("codes")["encrypted_grant"] is None


@pytest.mark.parametrize("family", ["accounts", "login_kit"])
async def test_a_family_without_advertisers_requires_no_selection(
    harness: ExchangeHarness, family: str
) -> None:
    reply = await harness.connect(family)
    assert (reply.advertisers, reply.selection_required) == ((), False)
    assert harness.rows("user_accounts") == []
    connection = await harness.get_connection(reply.connection_id)
    assert [account.name for account in connection.accounts] != [""]


async def test_scopes_beyond_two_to_the_53_are_stored_unchanged(harness: ExchangeHarness) -> None:
    reply = await harness.connect(scopes=["4", "7533163835474346001"])
    connection = await harness.get_connection(reply.connection_id)
    assert connection.scopes == ("4", "7533163835474346001")


async def test_a_repeated_code_gets_the_same_reply_without_a_call_to_tiktok(
    harness: ExchangeHarness,
) -> None:
    code, state = await harness.consent(advertisers=3), harness.state()
    first = await harness.post(code, state)
    calls = harness.count_calls("")
    assert await harness.post(code, state) == first
    assert harness.count_calls("") == calls


async def test_25_concurrent_posts_of_one_code_cause_one_exchange(
    harness: ExchangeHarness,
) -> None:
    code, state = await harness.consent(advertisers=3), harness.state()
    replies = await asyncio.gather(*(harness.post(code, state) for _ in range(25)))
    assert all(reply == replies[0] for reply in replies)
    assert harness.exchange_count == 1


async def test_a_caller_cannot_change_the_reply_of_another_caller(
    harness: ExchangeHarness,
) -> None:
    code, state = await harness.consent(), harness.state()
    first, second = await asyncio.gather(harness.post(code, state), harness.post(code, state))
    with pytest.raises(ValidationError):
        first.message = "somebody else's"  # type: ignore[misc]  # this is what must fail
    assert second.message != "somebody else's"


async def test_an_exchange_is_completed_although_its_caller_disconnects(
    harness: ExchangeHarness,
) -> None:
    code, state = await harness.consent(), harness.state()
    caller = asyncio.create_task(harness.post(code, state))
    await asyncio.sleep(0)
    caller.cancel()
    await harness.service.code_exchange.close()
    assert harness.row("connections")["status"] == "active"
    assert (await harness.post(code, state)).success
    assert harness.exchange_count == 1


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_used_code_is_refused_again_without_a_call_to_tiktok(
    harness: ExchangeHarness, family: str
) -> None:
    code = await harness.consent(family)
    await harness.post(code, harness.state(family))
    other_state = harness.state(family)
    first = await error_of(harness.post(code, other_state))
    calls = harness.count_calls("")
    second = await error_of(harness.post(code, other_state))
    assert (type(second), second.message) == (CodeSpent, first.message)
    assert harness.count_calls("") == calls


async def test_a_repeated_refusal_contains_tiktoks_own_error_fields(
    harness: ExchangeHarness,
) -> None:
    state = harness.state()
    for _ in range(2):
        error = await error_of(harness.post("no-such-code", state))
        assert isinstance(error, CodeSpent)
        assert error.upstream is not None
        assert error.upstream.code == 40110
        assert error.upstream.request_id


async def test_a_code_without_advertisers_is_refused_again_without_a_call_to_tiktok(
    harness: ExchangeHarness,
) -> None:
    code, state = await harness.consent(advertisers=0), harness.state()
    first = await error_of(harness.post(code, state))
    calls = harness.count_calls("")
    second = await error_of(harness.post(code, state))
    assert (type(second), second.message) == (NoAdvertisers, first.message)
    assert harness.count_calls("") == calls


@on_sqlite
@pytest.mark.parametrize(
    ("kind", "value"), [("status", 502), ("code", 50000), ("garbage", "html"), ("hang", None)]
)
async def test_an_error_after_a_lost_response_promises_nothing_about_the_code(
    harness: ExchangeHarness, kind: str, value: Any
) -> None:
    harness.service.tiktok_client._deadline = 0.2
    await harness.simulator.fault("oauth2/access_token", kind, value)
    error = await error_of(harness.connect())
    assert isinstance(error, TikTokUnreachable)
    assert "Nothing is lost" not in error.message
    assert error.message.endswith(LOST_RESPONSE_HINT)


async def test_connecting_the_same_tiktok_user_again_updates_the_connection(
    harness: ExchangeHarness,
) -> None:
    for family in FAMILIES:
        first = await harness.connect(family)
        assert (await harness.connect(family)).connection_id == first.connection_id
    assert [row["token_version"] for row in harness.rows("connections")] == [2, 2, 2]


async def test_another_tiktok_user_gets_another_connection(harness: ExchangeHarness) -> None:
    for family in FAMILIES:
        first = await harness.connect(family, person="mia")
        second = await harness.connect(family, person="noah")
        assert second.connection_id != first.connection_id
    assert len(harness.rows("connections")) == 6


async def test_two_users_may_connect_the_same_tiktok_user(harness: ExchangeHarness) -> None:
    first, second = await harness.connect(), await harness.connect(user_id=BEN)
    assert first.connection_id != second.connection_id
    assert {row["id"] for row in harness.rows("user_accounts")} == {ANNA, BEN}


async def test_each_exchange_is_recorded_as_an_attempt(harness: ExchangeHarness) -> None:
    await error_of(harness.post("no-such-code", harness.state()))
    reply = await harness.connect()
    (attempt,) = await harness.list_attempts(reply.connection_id)
    assert (attempt.operation, attempt.actor, attempt.result) == ("exchange", "person", "ok")
    assert [row["result"] for row in harness.rows("attempts")] == ["code_spent", "ok"]


async def test_the_attempt_of_an_exchange_is_counted_as_it_is_stored(
    database: DatabaseView, simulator: Simulator, tmp_path: Path
) -> None:
    async with running_process(database, simulator, tmp_path / "first") as harness:
        observed = []
        harness.service.code_exchange._observe = lambda family, attempt: observed.append(attempt)
        reply = await harness.connect()
        assert observed == await harness.list_attempts(reply.connection_id)
