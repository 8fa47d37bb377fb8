"""Many at once, over several real connections."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from connector.store import Store
from connector.store.sqlite import SQLite
from tests.clocks import NOON

from .conftest import Memory
from .people import HOUR, MINUTE, claim, connect, hold, outcome, person, read, save


async def claim_all(store: Store, holder: str, *, most: int = 7) -> list[str]:
    ids: list[str] = []
    while batch := await store.claim_due(holder=holder, most=most, now=NOON, until=NOON + MINUTE):
        ids += [kept.id for kept in batch]
    return ids


async def fill(store: Store, rows: int) -> set[str]:
    gate = asyncio.Semaphore(32)

    async def one() -> str:
        async with gate:
            return await connect(store)

    return set(await asyncio.gather(*(one() for _ in range(rows))))


async def test_no_row_is_ever_handed_to_two_claimers(memory: Memory) -> None:
    stores = [await memory.store() for _ in range(4)]
    rows = await fill(stores[0], 200)
    claimed = await asyncio.gather(*(claim_all(stores[n % 4], str(n)) for n in range(8)))
    times = Counter(id for ids in claimed for id in ids)
    assert set(times) == rows
    assert set(times.values()) == {1}


def claim_all_in_a_process(path: Path, holder: str) -> list[str]:
    async def work() -> list[str]:
        database = SQLite(path)
        await database.open()
        try:
            return await claim_all(Store(database), holder, most=1)
        finally:
            await database.close()

    return asyncio.run(work())


async def test_several_processes_share_one_sqlite_file(tmp_path: Path) -> None:
    path = tmp_path / "connector.db"
    database = SQLite(path)
    await database.open()
    rows = await fill(Store(database), 200)
    with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
        parts = [pool.submit(claim_all_in_a_process, path, str(n)) for n in range(3)]
        claimed = await asyncio.gather(*map(asyncio.wrap_future, parts))
    await database.close()
    times = Counter(id for ids in claimed for id in ids)
    assert set(times) == rows
    assert set(times.values()) == {1}


async def test_several_processes_can_make_the_same_new_sqlite_file(tmp_path: Path) -> None:
    path = tmp_path / "connector.db"
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as pool:
        parts = [pool.submit(claim_all_in_a_process, path, str(n)) for n in range(4)]
        assert [part.result() for part in parts] == [[], [], [], []]


async def test_of_many_who_save_for_the_same_tokens_one_is_heard(memory: Memory) -> None:
    stores = [await memory.store() for _ in range(4)]
    id = await connect(stores[0])
    saved = await asyncio.gather(
        *(save(stores[n % 4], outcome(id, sealed=f"{n}", holder=f"{n}")) for n in range(16))
    )
    [heard] = [n for n, ids in enumerate(saved) if ids]
    kept = await read(stores[0], id)
    assert (kept.sealed, kept.version) == (f"{heard}", 2)


async def test_batches_that_overlap_do_not_lock_each_other_out(memory: Memory) -> None:
    stores = [await memory.store() for _ in range(4)]
    ids = sorted(await fill(stores[0], 40))
    orders = [ids, ids[::-1], ids[20:] + ids[:20], ids[::2] + ids[1::2]]
    landed = [[outcome(id, sealed="new", holder=f"{n}") for id in o] for n, o in enumerate(orders)]
    saved = await asyncio.gather(
        *(save(store, *batch) for store, batch in zip(stores, landed, strict=True))
    )
    times = Counter(id for heard in saved for id in heard)
    assert times == Counter(ids)


async def test_64_at_once_all_get_their_answer(memory: Memory) -> None:
    store = await memory.store()

    async def live(number: int) -> None:
        user = person()
        id = await connect(store, user, sealed=f"{number}")
        assert await hold(store, id) is not None
        assert not (await claim(store, f"{number}", user, holder="x")).answer
        assert await save(store, outcome(id, sealed=f"{number}, new", due_at=NOON + HOUR)) == {id}
        found = await store.find_token(user, "marketing")
        assert found is not None
        assert found.sealed == f"{number}, new"
        assert [each.id async for each in store.connections(user_id=user)] == [id]

    await asyncio.gather(*map(live, range(64)))
