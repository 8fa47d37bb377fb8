"""What a flight may write when it lands, and what is told and logged of it."""

from __future__ import annotations

import asyncio

import pytest

from connector.model import Account
from connector.store import Outcome, Store
from tests.clocks import NOON

from .conftest import Memory
from .people import BAR, HOUR, MINUTE, SHOP, attempt, connect, failure, hold, outcome, read, save

LATER = NOON + HOUR


async def test_new_tokens_replace_the_old_ones_whole(store: Store) -> None:
    id = await connect(store, expires_at=NOON + MINUTE)
    await hold(store, id)
    landed = outcome(
        id, sealed="second", expires_at=LATER, refresh_expires_at=None, verified_at=LATER,
        due_at=LATER,
    )  # fmt: skip
    assert await save(store, landed, now=LATER) == {id}
    kept, shown = await read(store, id), await store.connection(id)
    assert (kept.sealed, kept.version) == ("second", 2)
    assert (kept.expires_at, kept.refresh_expires_at) == (LATER, None)
    assert shown is not None
    assert (shown.verified_at, shown.due_at, shown.updated_at) == (LATER, LATER, LATER)


async def test_an_outcome_without_tokens_leaves_them_and_their_times(store: Store) -> None:
    id = await connect(store, expires_at=LATER)
    before = await hold(store, id)
    assert before is not None
    await save(store, outcome(id, status="refresh_failing", failure=failure(), due_at=LATER))
    after = await read(store, id)
    changed = {"status": "refresh_failing", "failure": failure()}
    assert after == before.model_copy(update=changed)


async def test_saving_frees_the_lease(store: Store) -> None:
    id = await connect(store)
    await hold(store, id)
    await save(store, outcome(id, due_at=LATER))
    assert await hold(store, id, holder="two") is not None


async def test_a_failure_is_gone_when_a_later_outcome_has_none(store: Store) -> None:
    id = await connect(store)
    await hold(store, id)
    await save(store, outcome(id, status="refresh_failing", failure=failure()))
    await hold(store, id)
    await save(store, outcome(id))
    assert (await read(store, id)).failure is None


async def test_forgetting_destroys_the_tokens(memory: Memory) -> None:
    store = await memory.store()
    id = await connect(store)
    await store.begin_revoke(id, now=NOON)
    await hold(store, id)
    assert await save(store, outcome(id, status="revoked", forget=True)) == {id}
    assert (await read(store, id)).sealed is None
    [row] = memory.rows("connections")
    assert row["due_at"] is None


# The fence


async def test_an_outcome_for_older_tokens_is_refused(store: Store) -> None:
    id = await connect(store)
    await hold(store, id)
    await save(store, outcome(id, sealed="second"))
    assert await save(store, outcome(id, sealed="third, from the first")) == set()
    assert (await read(store, id)).sealed == "second"


@pytest.mark.parametrize("known", [{}, {"status": "reconnect_required", "failure": failure()}])
async def test_a_late_holder_without_tokens_is_refused(
    store: Store, known: dict[str, object]
) -> None:
    id = await connect(store)
    await hold(store, id)
    await hold(store, id, holder="two", now=NOON + MINUTE)
    before = await store.connection(id)
    assert await save(store, outcome(id, **known)) == set()
    assert await store.connection(id) == before


async def test_a_late_holders_new_tokens_are_kept_as_long_as_nobody_wrote_newer(
    store: Store,
) -> None:
    id = await connect(store)
    await hold(store, id)
    await hold(store, id, holder="two", now=NOON + MINUTE)
    assert await save(store, outcome(id, sealed="the only live pair")) == {id}
    assert await save(store, outcome(id, holder="two", status="reconnect_required")) == set()
    kept = await read(store, id)
    assert (kept.sealed, kept.version, kept.status) == ("the only live pair", 2, "active")


async def test_whoever_never_held_the_lease_is_refused(store: Store) -> None:
    id = await connect(store)
    assert await save(store, outcome(id, status="reconnect_required")) == set()


async def test_a_revocation_outlives_a_refresh_that_lands_and_is_due_with_the_newest_tokens(
    store: Store,
) -> None:
    id = await connect(store)
    await hold(store, id)
    await store.begin_revoke(id, now=NOON)
    landed_at = NOON + MINUTE / 2
    await save(store, outcome(id, sealed="second", due_at=LATER), now=landed_at)
    shown, kept = await store.connection(id), await read(store, id)
    assert shown is not None
    assert (shown.status, shown.due_at) == ("revoked", landed_at)
    assert kept.sealed == "second"


async def test_a_revocation_that_tiktok_did_not_hear_of_is_tried_again(store: Store) -> None:
    id = await connect(store)
    await store.begin_revoke(id, now=NOON)
    await hold(store, id)
    await save(store, outcome(id, status="revoked", failure=failure(), due_at=LATER))
    shown, kept = await store.connection(id), await read(store, id)
    assert shown is not None
    assert (shown.status, shown.due_at, kept.sealed) == ("revoked", LATER, "first")


# What is told and logged


async def test_what_was_saved_is_told(memory: Memory) -> None:
    store = await memory.store()
    id = await connect(store)
    await hold(store, id)
    await save(store, outcome(id, status="reconnect_required", event="reconnect_required"))
    told = memory.rows("events")[-1]
    assert (told["kind"], told["connection_id"]) == ("reconnect_required", id)


async def test_an_end_that_a_late_holders_tokens_undo_is_told_of_as_undone(memory: Memory) -> None:
    store = await memory.store()
    id = await connect(store)
    await hold(store, id)
    await hold(store, id, holder="two", now=NOON + MINUTE)
    ended = outcome(id, holder="two", status="reconnect_required", event="reconnect_required")
    assert await save(store, ended) == {id}
    assert await save(store, outcome(id, sealed="the only live pair")) == {id}
    told = [event["kind"] for event in memory.rows("events")]
    assert told == ["connected", "reconnect_required", "recovered"]


@pytest.mark.parametrize("known", [{"version": 0, "sealed": "old"}, {"holder": "late"}])
async def test_what_was_refused_is_not_told_and_logged_as_superseded(
    memory: Memory, known: dict[str, object]
) -> None:
    store = await memory.store()
    id = await connect(store, chosen=SHOP)
    await hold(store, id)
    told = {"event": "reconnect_required", "accounts": (BAR,), "attempt": attempt("refused")}
    assert await save(store, outcome(id, **told, **known)) == set()
    assert [event["kind"] for event in memory.rows("events")] == ["connected"]
    assert (await store.attempts(id))[0].verdict == "superseded"


async def test_an_attempt_is_logged_as_it_was(store: Store) -> None:
    id = await connect(store)
    await hold(store, id)
    tried = attempt(
        "refused", what="refresh", who="keeper", code="40105", message="Token is wrong.",
        request_id="2026112012000001", took_ms=150, at=LATER,
    )  # fmt: skip
    await save(store, outcome(id, attempt=tried))
    assert (await store.attempts(id))[0] == tried


async def test_the_attempt_of_a_late_holder_is_logged_as_superseded(store: Store) -> None:
    id = await connect(store)
    tried = attempt("refused", what="refresh")
    await save(store, outcome(id, attempt=tried))
    logged = (await store.attempts(id))[0]
    assert logged == tried.model_copy(update={"verdict": "superseded"})


async def test_an_attempt_for_a_connection_that_is_gone_is_logged_too(store: Store) -> None:
    gone = "6f1c2a9e-3b7d-4c55-9a0e-2f4b8d1c7e60"
    await save(store, outcome(gone, attempt=attempt()))
    assert [logged.verdict for logged in await store.attempts(gone)] == ["superseded"]


# The accounts a connection may use


async def probed(store: Store, id: str, *accounts: Account) -> None:
    await hold(store, id)
    await save(store, outcome(id, accounts=accounts))


async def test_an_outcome_may_bring_a_new_list_of_accounts(store: Store) -> None:
    id = await connect(store, chosen=SHOP)
    await probed(store, id, BAR, SHOP)
    await hold(store, id)
    await save(store, outcome(id))
    shown = await store.connection(id)
    assert shown is not None
    assert (shown.accounts, shown.chosen, shown.advertiser_lost) == ((BAR, SHOP), SHOP, False)


async def test_a_chosen_advertiser_that_is_no_longer_granted_is_lost_and_told_once(
    memory: Memory,
) -> None:
    store = await memory.store()
    id = await connect(store, chosen=SHOP)
    await probed(store, id, BAR)
    await probed(store, id)
    shown = await store.connection(id)
    assert shown is not None
    assert (shown.advertiser_lost, shown.chosen, shown.accounts) == (True, SHOP, ())
    told = [event for event in memory.rows("events") if event["kind"] == "advertiser_lost"]
    assert [event["detail"] for event in told] == [{"chosen": SHOP.model_dump()}]


async def test_a_lost_advertiser_that_is_granted_again_is_found(store: Store) -> None:
    id = await connect(store, chosen=SHOP)
    await probed(store, id, BAR)
    await probed(store, id, SHOP)
    shown = await store.connection(id)
    assert shown is not None
    assert not shown.advertiser_lost


async def test_a_late_holders_list_of_accounts_that_is_kept_is_told_of_too(memory: Memory) -> None:
    store = await memory.store()
    id = await connect(store, chosen=SHOP)
    await save(store, outcome(id, holder="nobody", sealed="second", accounts=(BAR,)))
    assert [event["kind"] for event in memory.rows("events")] == ["connected", "advertiser_lost"]


async def test_where_nothing_was_chosen_nothing_is_lost(memory: Memory) -> None:
    store = await memory.store()
    await probed(store, await connect(store), BAR)
    assert [event["kind"] for event in memory.rows("events")] == ["connected"]


# Many at once


async def test_a_batch_of_500_is_saved_in_one_call_and_each_outcome_judged_by_itself(
    store: Store,
) -> None:
    gate = asyncio.Semaphore(32)

    async def one(number: int) -> str:
        async with gate:
            return await connect(store, due_at=NOON if number % 5 else LATER)

    ids = await asyncio.gather(*map(one, range(500)))
    held = {
        kept.id for kept in await store.claim_due(holder="one", most=500, now=NOON, until=LATER)
    }
    assert len(held) == 400

    def landed(id: str) -> Outcome:
        return outcome(id, status="refresh_failing", failure=failure(), attempt=attempt("busy"))

    assert await save(store, *map(landed, ids)) == held
    statuses = {each.id: each.status async for each in store.connections()}
    assert {id for id, status in statuses.items() if status == "refresh_failing"} == held


async def test_an_empty_batch_is_nothing(store: Store) -> None:
    assert await save(store) == set()
