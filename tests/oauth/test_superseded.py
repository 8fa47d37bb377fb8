"""The newest consent wins, and nothing that was disconnected comes back by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.errors import InvalidState, Superseded, TikTokUnreachable, UnknownAdvertiser
from connector.maintenance import erase_person
from connector.model import UserId
from tests.credentials import ANNA

from .harness import ExchangeHarness, error_of, running_process

BERT = UserId("b0b0b0b0-0000-4000-8000-000000000000")
SHOPS = [{"id": "1", "name": "Foo"}, {"id": "2", "name": "Bar"}]


async def leave_grant_pending(
    harness: ExchangeHarness, family: str = "marketing"
) -> tuple[str, str]:
    """Exchanges a code, but TikTok does not return the advertisers."""
    code, state = await harness.consent(family), harness.state(family)
    await harness.simulator.fault("advertiser/get", "status", 500)
    assert isinstance(await error_of(harness.post(code, state)), TikTokUnreachable)
    return code, state


async def test_a_pending_grant_does_not_replace_the_tokens_of_a_later_consent(
    harness: ExchangeHarness,
) -> None:
    code, state = await leave_grant_pending(harness)
    harness.clock.advance(1)
    newer = await harness.connect()
    token = await harness.access_token(newer.connection_id)
    harness.clock.advance(60)
    await harness.retry_pending()
    assert await harness.access_token(newer.connection_id) == token
    assert isinstance(await error_of(harness.post(code, state)), Superseded)
    assert harness.service.journal.entry_count == 0


async def test_a_pending_grant_does_not_revive_a_connection_that_was_disconnected_meanwhile(
    harness: ExchangeHarness,
) -> None:
    code, state = await leave_grant_pending(harness)
    harness.clock.advance(1)
    newer = await harness.connect()
    await harness.disconnect(newer.connection_id)
    harness.clock.advance(60)
    await harness.retry_pending()
    assert harness.row("connections")["status"] == "revoked"
    assert harness.row("user_accounts")["tiktok_business_id"] is None
    assert isinstance(await error_of(harness.post(code, state)), Superseded)
    assert harness.service.journal.entry_count == 0


async def test_a_pending_grant_of_a_running_process_does_not_bring_back_an_erased_person(
    harness: ExchangeHarness, tmp_path: Path
) -> None:
    code, state = await leave_grant_pending(harness)
    async with running_process(harness.database, harness.simulator, tmp_path / "second") as command:
        service = command.service
        await erase_person(
            ANNA,
            actor="command line",
            store=service.store,
            connections=service.connections,
            code_exchange=service.code_exchange,
        )
    harness.clock.advance(60)
    await harness.retry_pending()
    assert (harness.rows("connections"), harness.rows("user_accounts")) == ([], [])
    assert harness.service.journal.entry_count == 0
    assert isinstance(await error_of(harness.post(code, state)), Superseded)


async def test_the_tokens_of_a_superseded_grant_are_not_revoked_at_tiktok(
    harness: ExchangeHarness,
) -> None:
    code, state = await leave_grant_pending(harness)
    harness.clock.advance(1)
    newer = await harness.connect()
    assert isinstance(await error_of(harness.post(code, state)), Superseded)
    assert harness.count_calls("revoke") == 0
    assert await harness.access_token(newer.connection_id)


async def test_a_disconnect_revokes_nothing_while_another_user_has_connected_the_same_account(
    harness: ExchangeHarness,
) -> None:
    first = await harness.connect(person="mia")
    second = await harness.connect(person="mia", user_id=BERT)
    await harness.disconnect(first.connection_id)
    assert harness.count_calls("revoke") == 0
    rows = {row["id"]: row for row in harness.rows("connections")}
    assert rows[first.connection_id]["encrypted_tokens"] is None
    await harness.disconnect(second.connection_id, user_id=BERT)
    assert harness.count_calls("revoke") == 1


# The state


async def test_a_state_is_refused_with_another_code_after_a_connection(
    harness: ExchangeHarness,
) -> None:
    state = harness.state()
    first = await harness.post(await harness.consent(), state)
    count = harness.exchange_count
    stranger = await harness.consent(person="stranger")
    error = await error_of(harness.post(stranger, state))
    assert isinstance(error, InvalidState)
    assert "has been used" in error.message
    assert harness.exchange_count == count
    assert harness.row("connections")["id"] == first.connection_id


async def test_the_spelling_of_a_used_state_does_not_matter(harness: ExchangeHarness) -> None:
    state = harness.state()
    await harness.post(await harness.consent(), state)
    error = await error_of(harness.post(await harness.consent(), f" {state}=="))
    assert isinstance(error, InvalidState)


async def test_a_state_can_be_used_again_after_a_consent_without_advertisers(
    harness: ExchangeHarness,
) -> None:
    state = harness.state()
    await error_of(harness.post(await harness.consent(advertisers=0), state))
    assert (await harness.post(await harness.consent(), state)).success


# A repeated POST


async def test_a_repeated_post_returns_the_selection_that_was_made_meanwhile(
    harness: ExchangeHarness,
) -> None:
    code, state = await harness.consent(advertisers=SHOPS), harness.state()
    first = await harness.post(code, state)
    assert (first.selection_required, first.business_id) == (True, None)
    await harness.select_advertiser("2", first.connection_id)
    again = await harness.post(code, state)
    assert (again.selection_required, again.business_id, again.account_id) == (False, "2", "Bar")
    assert again.advertisers == first.advertisers


# Selections


async def test_the_only_advertiser_of_another_account_is_offered_and_not_selected(
    harness: ExchangeHarness,
) -> None:
    await harness.connect(person="mia", advertisers=SHOPS[:1])
    other = await harness.connect(person="noah", advertisers=SHOPS[1:])
    assert (other.selection_required, other.business_id) == (True, None)
    assert harness.row("user_accounts")["tiktok_business_id"] == "1"


async def test_a_selection_uses_two_calls_of_the_store(
    harness: ExchangeHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = await harness.connect(advertisers=SHOPS)
    calls: list[str] = []
    database = harness.service.store._database
    original = database.call

    async def record(operation: str, **arguments: object) -> object:
        calls.append(operation)
        return await original(operation, **arguments)

    monkeypatch.setattr(database, "call", record)
    await harness.service.connections.select_advertiser(
        "2", user_id=ANNA, connection_id=reply.connection_id
    )
    assert calls == ["get_stored_tokens", "select_advertiser"]


async def test_a_selection_after_a_reconnect_uses_the_new_token(harness: ExchangeHarness) -> None:
    reply = await harness.connect(advertisers=SHOPS)
    await harness.connect(advertisers=[*SHOPS[:1], {"id": "3", "name": "New"}])
    with pytest.raises(UnknownAdvertiser):
        await harness.select_advertiser("2", reply.connection_id)
    _, selected = await harness.select_advertiser("3", reply.connection_id)
    assert selected.id == "3"
