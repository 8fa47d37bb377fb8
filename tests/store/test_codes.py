from __future__ import annotations

import asyncio

import pytest

from connector.model import Attempt, Sealed, UserId
from connector.store import Answer, Claim, Known, Store
from tests.clocks import NOON

from .conftest import Memory
from .people import BAR, MINUTE, SHOP, attempt, claim, connect, person


async def settle(
    store: Store,
    key: str,
    holder: str,
    *,
    sealed: str | None = None,
    answer: Answer | None = None,
    attempt: Attempt | None = None,
) -> None:
    await store.settle_code(
        key,
        holder=holder,
        sealed=Sealed(sealed) if sealed else None,
        answer=answer,
        attempt=attempt,
        now=NOON,
    )


async def restore(store: Store, key: str, user_id: UserId) -> Claim | None:
    return await store.restore_code(
        key,
        user_id=user_id,
        family="marketing",
        holder="after the crash",
        sealed=Sealed("from the journal"),
        now=NOON,
        until=NOON + MINUTE,
    )


async def test_a_code_belongs_to_whoever_claims_it_first(store: Store) -> None:
    user = person()
    first = await claim(store, "code", user)
    second = await claim(store, "code", user, holder="two")
    assert first == Claim(mine=True)
    assert second == Claim(mine=False)


async def test_one_holder_is_not_given_the_same_code_twice(store: Store) -> None:
    user = person()
    await claim(store, "code", user)
    assert not (await claim(store, "code", user, now=NOON + MINUTE / 60)).mine


async def test_a_code_claimed_by_25_at_once_is_one_ones(memory: Memory) -> None:
    user, stores = person(), [await memory.store() for _ in range(2)]
    claims = await asyncio.gather(
        *(claim(stores[n % 2], "code", user, holder=str(n)) for n in range(25))
    )
    assert sum(each.mine for each in claims) == 1


async def test_a_lapsed_claim_can_be_claimed(store: Store) -> None:
    user = person()
    await claim(store, "code", user)
    assert not (await claim(store, "code", user, holder="two", now=NOON + MINUTE * 0.99)).mine
    assert (await claim(store, "code", user, holder="two", now=NOON + MINUTE)).mine


async def test_whoever_claimed_a_lapsed_code_settles_it(memory: Memory, store: Store) -> None:
    user = person()
    await claim(store, "code", user)
    await claim(store, "code", user, holder="two", now=NOON + MINUTE)
    await settle(store, "code", "one", answer={"from": "one"})
    await settle(store, "code", "two", answer={"from": "two"})
    assert memory.answer("code") == {"from": "two"}


async def test_a_settled_code_keeps_its_answer_for_whoever_asks(
    memory: Memory, store: Store
) -> None:
    user, answer = person(), {"success": False, "error": {"code": "code_spent"}}
    await claim(store, "code", user)
    await settle(store, "code", "one", answer=answer)
    later = await claim(store, "code", user, now=NOON + MINUTE * 9)
    assert later == Claim(mine=False, answer=answer)
    assert memory.answer("code") == answer


async def test_a_claimed_code_has_no_answer_yet(memory: Memory, store: Store) -> None:
    await claim(store, "code", person())
    assert memory.answer("code") is None


async def test_only_its_holder_settles_a_code(memory: Memory, store: Store) -> None:
    await claim(store, "code", person())
    await settle(store, "code", "two", answer={"success": False})
    assert memory.answer("code") is None


async def test_a_code_is_settled_once(memory: Memory, store: Store) -> None:
    await claim(store, "code", person())
    await settle(store, "code", "one", answer={"error": "first"})
    await settle(store, "code", "one", answer={"error": "second"})
    assert memory.answer("code") == {"error": "first"}


async def test_a_code_settled_without_an_answer_waits_with_its_grant(store: Store) -> None:
    user = person()
    await claim(store, "code", user)
    await settle(store, "code", "one", sealed="grant")
    assert (await claim(store, "code", user, holder="two")).sealed == "grant"
    assert (await claim(store, "code", user, holder="three")).sealed is None


async def test_settling_logs_what_was_tried(memory: Memory) -> None:
    store = await memory.store()
    await claim(store, "code", person())
    await settle(store, "code", "one", attempt=attempt("code_spent", code="40110"))
    [row] = memory.rows("attempts")
    assert (row["verdict"], row["code"], row["what"]) == ("code_spent", "40110", "exchange")


async def test_a_claim_tells_what_the_person_already_has_in_that_family(store: Store) -> None:
    user = person()
    id = await connect(store, user, chosen=SHOP, subject="same")
    await connect(store, user, family="accounts")
    await connect(store, person())
    claimed = await claim(store, "code", user)
    chosen = SHOP.model_copy(update={"kind": "advertiser"})
    assert claimed.known == (Known(id=id, subject="same", chosen=chosen),)
    assert claimed.earlier == SHOP.id


async def test_a_claim_that_failed_tells_nothing_of_the_person(store: Store) -> None:
    user = person()
    await connect(store, user, chosen=SHOP)
    await claim(store, "code", user)
    assert await claim(store, "code", user, holder="two") == Claim(mine=False)


async def test_a_restored_code_is_gone_on_with(store: Store) -> None:
    user = person()
    id = await connect(store, user, chosen=BAR)
    await connect(store, user, family="accounts")
    restored = await restore(store, "never seen", user)
    assert restored is not None
    assert restored.mine
    assert restored.sealed == "from the journal"
    assert [known.id for known in restored.known] == [id]
    assert restored.earlier == BAR.id


@pytest.mark.parametrize("connection_id", [{}, {"connection_id": None}])
async def test_restoring_overrides_an_answer_that_told_of_a_failure(
    memory: Memory, store: Store, connection_id: dict[str, None]
) -> None:
    user = person()
    await claim(store, "code", user)
    await settle(store, "code", "one", answer={"success": False, **connection_id})
    assert await restore(store, "code", user) is not None
    assert memory.answer("code") is None


async def test_restoring_takes_a_code_from_whoever_holds_it(memory: Memory, store: Store) -> None:
    user = person()
    await claim(store, "code", user)
    assert await restore(store, "code", user) is not None
    await settle(store, "code", "one", answer={"success": False})
    assert memory.answer("code") is None


async def test_a_restored_code_and_its_grant_are_held_and_then_lapse(store: Store) -> None:
    user = person()
    await claim(store, "code", user, now=NOON - MINUTE * 9)
    await restore(store, "code", user)
    assert not (await claim(store, "code", user, holder="two")).mine
    lapsed = await claim(store, "code", user, holder="two", now=NOON + MINUTE)
    assert (lapsed.mine, lapsed.sealed) == (True, "from the journal")


async def test_restoring_never_undoes_a_connection(memory: Memory, store: Store) -> None:
    user = person()
    await claim(store, "code", user)
    answer = {"success": True, "connection_id": "it exists"}
    await settle(store, "code", "one", answer=answer)
    assert await restore(store, "code", user) is None
    assert memory.answer("code") == answer
