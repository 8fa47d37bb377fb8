"""What dead processes held is due at once; nobody else's lease is touched."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from connector.store import Store
from connector.store.sqlite import SQLite
from tests.clocks import NOON

from .conftest import Memory
from .people import HOUR, MINUTE, SHOP, connect, hold, outcome, read, save
from .test_claiming import due
from .test_sql import BLOCKS

LATER = NOON + HOUR


async def release(store: Store, holders: Sequence[str] = ("one",), *, now: datetime = NOON) -> int:
    return await store.release(holders, now=now, until=now + MINUTE)


async def due_at(store: Store, id: str) -> datetime | None:
    shown = await store.connection(id)
    assert shown is not None
    return shown.due_at


async def test_what_they_held_can_be_claimed_at_once(store: Store) -> None:
    id = await connect(store, due_at=LATER)
    await hold(store, id)
    assert await release(store) == 1
    assert await due_at(store, id) == NOON
    assert await hold(store, id, holder="two") == await read(store, id)


async def test_it_is_due_for_those_who_tend_too(store: Store) -> None:
    id = await connect(store)
    assert await due(store) == [id]
    await release(store)
    assert await due(store, holder="two") == [id]


async def test_several_are_freed_from_several_in_one_call(store: Store) -> None:
    for holder in ("one", "one", "two", "three"):
        await hold(store, await connect(store), holder=holder)
    assert await release(store, ["one", "two"]) == 3
    assert await release(store, ["one", "two"]) == 0


async def test_the_leases_of_the_living_stand(store: Store) -> None:
    id = await connect(store)
    await hold(store, id, holder="alive")
    assert await release(store, ["one", "two"]) == 0
    assert await hold(store, id, holder="two") is None
    assert await due_at(store, id) == NOON + MINUTE


async def test_a_lease_that_somebody_took_over_since_is_theirs(store: Store) -> None:
    id = await connect(store)
    await hold(store, id)
    await hold(store, id, holder="two", now=NOON + MINUTE)
    assert await release(store, now=NOON + MINUTE) == 0


async def test_what_they_saved_keeps_its_time(store: Store) -> None:
    id = await connect(store)
    await hold(store, id)
    await save(store, outcome(id, sealed="second", due_at=NOON + MINUTE / 2))
    assert await release(store) == 0
    assert await due_at(store, id) == NOON + MINUTE / 2


async def test_what_lapsed_by_itself_keeps_its_place_in_line(store: Store) -> None:
    id = await connect(store)
    await hold(store, id)
    assert await release(store, now=NOON + MINUTE) == 0
    assert await due_at(store, id) == NOON + MINUTE


async def test_one_that_was_disconnected_meanwhile_is_given_back_at_once(store: Store) -> None:
    id = await connect(store)
    await hold(store, id)
    await store.begin_revoke(id, now=NOON)
    assert await due(store) == []
    await release(store)
    [kept] = await store.claim_due(holder="two", most=1, now=NOON, until=LATER)
    assert (kept.id, kept.status, kept.sealed) == (id, "revoked", "first")


async def test_nothing_else_about_a_connection_changes(memory: Memory) -> None:
    store = await memory.store()
    id = await connect(store, chosen=SHOP)
    before = memory.rows("connections")
    await hold(store, id)
    await release(store)
    assert memory.rows("connections") == before
    assert [event["kind"] for event in memory.rows("events")] == ["connected"]


async def test_a_late_answer_of_one_that_was_not_dead_is_still_welcome(store: Store) -> None:
    """Its name was read from a copy of its journal, say: versions guard the tokens, not leases."""
    id = await connect(store)
    await hold(store, id)
    await release(store)
    await hold(store, id, holder="two")
    assert await save(store, outcome(id, sealed="second")) == {id}
    assert await save(store, outcome(id, holder="two", status="reconnect_required")) == set()
    assert (await read(store, id)).status == "active"


async def test_it_looks_at_the_leases_and_not_at_every_row(tmp_path: Path) -> None:
    database = SQLite(tmp_path / "connector.db")
    await database.open()
    await database.close()
    [statement] = BLOCKS["release"].statements
    values = {"holders": '["one"]', "now": "2026", "until": "2027"}
    with closing(sqlite3.connect(tmp_path / "connector.db")) as connection:
        plan = list(connection.execute(f"explain query plan {statement}", values))
    assert "connections_due (due_at>? AND due_at<?)" in plan[0][3]
