"""What is remembered of what was tried, and how it is cleared away; and re-sealing."""

from __future__ import annotations

from uuid import uuid4

import pytest

from connector.model import Sealed, bond
from connector.store import Census, Pulse, SealedRow, Store
from tests.clocks import NOON

from .conftest import Memory
from .people import DAY, MINUTE, SHOP, attempt, claim, connect, hold, outcome, person, read, save


async def try_at(store: Store, id: str, *minutes: float, verdict: str = "ok") -> None:
    tried = [attempt(verdict, what="refresh", at=NOON + MINUTE * each) for each in minutes]
    await save(store, *(outcome(id, version=0, attempt=each) for each in tried))


async def test_the_newest_attempts_come_first_and_no_more_than_asked_for(store: Store) -> None:
    id, other = str(uuid4()), str(uuid4())
    for minute in range(60):
        await try_at(store, id, minute)
    await try_at(store, other, 99)
    logged = await store.attempts(id)
    assert [each.at for each in logged] == [NOON + MINUTE * n for n in range(59, 9, -1)]
    assert len(await store.attempts(id, most=3)) == 3


async def test_the_pulse_counts_by_hour_from_the_first_moment_asked_about(store: Store) -> None:
    id, before, just_before = str(uuid4()), -1 / 60e6, 60 - 1 / 60e6
    await try_at(store, id, before, 0, just_before, 60, 119, 24 * 60)
    counted = await store.pulse(user_id=None, since=NOON)
    assert [(each.hour, each.times) for each in counted] == [(0, 2), (1, 2), (24, 1)]


async def test_the_pulse_counts_from_a_moment_with_a_fraction(store: Store) -> None:
    await try_at(store, str(uuid4()), 60 + 0.25 / 60, 60 + 0.75 / 60)
    counted = await store.pulse(user_id=None, since=NOON + MINUTE * 0.5 / 60)
    assert [(each.hour, each.times) for each in counted] == [(0, 1), (1, 1)]


async def test_the_pulse_tells_verdicts_apart(store: Store) -> None:
    id = await connect(store)
    await hold(store, id)
    await save(store, outcome(id, attempt=attempt("busy", what="refresh")))
    assert await store.pulse(user_id=None, since=NOON) == [
        Pulse(hour=0, what="exchange", verdict="ok", times=1),
        Pulse(hour=0, what="refresh", verdict="busy", times=1),
    ]


async def test_a_persons_pulse_is_of_their_own_connections(store: Store) -> None:
    user = person()
    await connect(store, user)
    await connect(store)
    [counted] = await store.pulse(user_id=user, since=NOON)
    assert counted.times == 1
    assert await store.pulse(user_id=person(), since=NOON) == []


async def test_the_census_counts_connections_by_family_and_status(store: Store) -> None:
    await connect(store)
    await connect(store)
    await connect(store, family="login_kit")
    await store.begin_revoke(await connect(store), now=NOON)
    assert await store.census() == [
        Census(family="login_kit", status="active", times=1),
        Census(family="marketing", status="active", times=2),
        Census(family="marketing", status="revoked", times=1),
    ]


async def test_an_empty_census_is_empty(store: Store) -> None:
    assert await store.census() == []


# Tidying


async def tidy(store: Store, *, keep: int = 50, most: int = 5000) -> bool:
    return await store.tidy(before=NOON, keep=keep, told_before=NOON - 30 * DAY, most=most)


async def test_codes_older_than_that_are_forgotten(store: Store) -> None:
    await connect(store, now=NOON - MINUTE)
    await claim(store, "young", person())
    await tidy(store, keep=50)
    assert not (await claim(store, "young", person(), holder="two")).mine


async def test_an_old_codes_sealed_grant_goes_with_it(memory: Memory) -> None:
    store = await memory.store()
    await claim(store, "old", person(), now=NOON - MINUTE)
    await tidy(store, keep=50)
    assert memory.rows("codes") == []


async def test_a_connections_last_attempts_stay_however_old(store: Store) -> None:
    quiet, busy = str(uuid4()), str(uuid4())
    for minute in range(-20, 0):
        await try_at(store, quiet, minute - 1000)
        await try_at(store, busy, minute, minute + 0.5)
    await tidy(store, keep=30)
    assert len(await store.attempts(quiet, most=100)) == 20
    assert len(await store.attempts(busy, most=100)) == 30


async def test_young_attempts_stay_however_many(store: Store) -> None:
    id = str(uuid4())
    await try_at(store, id, *range(-3, 6))
    await tidy(store, keep=1)
    assert len(await store.attempts(id)) == 6


async def test_old_attempts_that_led_to_no_connection_go(memory: Memory) -> None:
    store = await memory.store()
    for at in (NOON - MINUTE, NOON):
        await store.settle_code(
            "none", holder="one", sealed=None, answer=None, attempt=attempt(at=at), now=NOON
        )
    await tidy(store, keep=50)
    assert len(memory.rows("attempts")) == 1


async def test_events_are_told_for_a_month_and_then_forgotten(memory: Memory) -> None:
    store = await memory.store()
    await connect(store, now=NOON - 30 * DAY - MINUTE)
    young = await connect(store, now=NOON - 30 * DAY)
    await tidy(store)
    assert [event["connection_id"] for event in memory.rows("events")] == [young]


async def test_no_more_is_tidied_in_one_go_than_was_asked_and_the_rest_is_told_of(
    memory: Memory,
) -> None:
    store, id = await memory.store(), str(uuid4())
    await try_at(store, id, *range(-9, 0))
    for _ in range(5):
        await connect(store, now=NOON - 60 * DAY)

    def left() -> tuple[int, int, int]:
        tried = [row for row in memory.rows("attempts") if row["connection_id"] == id]
        return len(memory.rows("codes")), len(memory.rows("events")), len(tried)

    assert await tidy(store, keep=1, most=3)
    assert left() == (2, 2, 6)
    assert await tidy(store, keep=1, most=3)
    assert left() == (0, 0, 3)
    while await tidy(store, keep=1, most=3):
        pass
    assert left() == (0, 0, 1)


async def test_what_is_young_never_takes_the_place_of_what_can_be_tidied(store: Store) -> None:
    crowd, old = str(uuid4()), str(uuid4())
    await try_at(store, crowd, *range(9))
    await try_at(store, old, -3, -2, -1)
    await tidy(store, keep=1, most=2)
    assert len(await store.attempts(old)) == 1


async def test_the_older_of_a_connections_attempts_go(store: Store) -> None:
    id = str(uuid4())
    await try_at(store, id, *range(-9, 0))
    await tidy(store, keep=4)
    kept = [NOON + MINUTE * minute for minute in (-1, -2, -3, -4)]
    assert [each.at for each in await store.attempts(id)] == kept


# Re-sealing


async def sealed_everywhere(store: Store) -> dict[str, SealedRow]:
    """One sealed text in each place: a connection, a user's account, a code on its way."""
    user = person()
    id = await connect(store, user, chosen=SHOP, sealed="old", account_token="old")
    await claim(store, "code", user)
    await store.settle_code(
        "code", holder="one", sealed=Sealed("old"), answer=None, attempt=None, now=NOON
    )
    bonds = {
        "connections": (id, bond(user, "marketing", "subject")),
        "user_accounts": (user, f"user_accounts/{user}"),
        "codes": ("code", "codes/code"),
    }
    return {p: SealedRow(key=key, bond=tie, sealed="old") for p, (key, tie) in bonds.items()}


PLACES = ["connections", "user_accounts", "codes"]


@pytest.mark.parametrize("place", PLACES)
async def test_what_is_sealed_is_listed_with_what_binds_it(store: Store, place: str) -> None:
    await connect(store, chosen=SHOP, family="login_kit", sealed="old")
    expected = (await sealed_everywhere(store))[place]
    assert expected in await store.sealed(place, after=None)


@pytest.mark.parametrize("place", PLACES)
async def test_what_is_listed_after_the_last_is_nothing(store: Store, place: str) -> None:
    last = (await sealed_everywhere(store))[place]
    assert await store.sealed(place, after=last.key) == []


async def test_more_than_one_page_of_sealed_rows_is_listed_once_each(store: Store) -> None:
    ids = [await connect(store) for _ in range(201)]
    first = await store.sealed("connections", after=None)
    rest = await store.sealed("connections", after=first[-1].key)
    assert [row.key for row in first + rest] == sorted(ids)


@pytest.mark.parametrize("place", PLACES)
async def test_resealing_replaces_the_text_it_was_made_from(store: Store, place: str) -> None:
    row = (await sealed_everywhere(store))[place]
    await store.save_resealed(place, [(row.key, "old", "new")])
    assert await store.sealed(place, after=None) == [row.model_copy(update={"sealed": "new"})]
    for other in set(PLACES) - {place}:
        assert [each.sealed for each in await store.sealed(other, after=None)] == ["old"]


@pytest.mark.parametrize("place", PLACES)
async def test_resealing_one_row_leaves_another_with_the_same_text(
    store: Store, place: str
) -> None:
    row = (await sealed_everywhere(store))[place]
    other = str(uuid4())
    await store.save_resealed(place, [(other, "old", "new")])
    assert await store.sealed(place, after=None) == [row]


@pytest.mark.parametrize("place", PLACES)
async def test_resealing_leaves_a_text_that_is_newer(store: Store, place: str) -> None:
    row = (await sealed_everywhere(store))[place]
    await store.save_resealed(place, [(row.key, "older still", "new")])
    assert await store.sealed(place, after=None) == [row]


async def test_resealing_does_not_stand_in_the_way_of_a_refresh(store: Store) -> None:
    id = await connect(store)
    await hold(store, id)
    await store.save_resealed("connections", [(id, "first", "first, under a new key")])
    assert (await read(store, id)).version == 1
    assert await save(store, outcome(id, sealed="second")) == {id}
