"""Re-sealing: nothing is overwritten that changed meanwhile, and nothing old is left."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from connector.model import Attempt, Sealed, Tokens, bond
from connector.resealing import MOST_ROUNDS, Resealing
from connector.seal import Key, Seal
from connector.store import PAGE, Connected, Store
from connector.store.sqlite import SQLite

from .clocks import NOON
from .people import ANNA

OLD, NEW = Key.new("old"), Key.new("new")
BEFORE, AFTER = Seal((OLD,)), Seal((NEW, OLD))
TOKENS = Tokens(SecretStr("access"), SecretStr("refresh"))


class Meddled:
    """SQLite, and somebody who is quicker than every re-sealing."""

    name = "sqlite"

    def __init__(self, path: Path) -> None:
        self._database = SQLite(path)
        self.meddle: Callable[[], object] = lambda: None
        self.open, self.close = self._database.open, self._database.close

    async def call(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        if operation == "save_resealed":
            self.meddle()
        return await self._database.call(operation, **arguments)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Meddled]:
    opened = Meddled(tmp_path / "connector.db")
    await opened.open()
    yield opened
    await opened.close()


async def save(store: Store, seal: Seal, number: int = 0) -> str:
    subject = f"person{number}"
    answer = await store.save_connection(
        Connected(
            key="code",
            id=f"00000000-0000-4000-8000-{number:012}",
            user_id=ANNA,
            family="login_kit",
            subject=subject,
            scopes=(),
            accounts=(),
            chosen=None,
            sealed=seal.seal(TOKENS, bound_to=bond(ANNA, "login_kit", subject)),
            expires_at=None,
            refresh_expires_at=None,
            due_at=None,
            account_token=None,
            answer={"connection_id": f"00000000-0000-4000-8000-{number:012}"},
            attempt=Attempt(at=NOON, what="exchange", who="test", verdict="ok"),
            at=NOON,
        )
    )
    return str(answer["connection_id"])


def overwrite(path: Path, sealed: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update connections set sealed = ?", (sealed,))


async def sealed(store: Store, id: str) -> Sealed:
    kept = await store.read_token(id)
    assert kept is not None
    assert kept.sealed is not None
    return kept.sealed


async def test_more_than_a_page_is_sealed_again_and_still_opens(database: Meddled) -> None:
    store = Store(database)
    ids = [await save(store, BEFORE, number) for number in range(PAGE + 1)]
    resealing, told = Resealing(store=store, seal=AFTER), [0]
    assert await resealing.count() == len(ids)
    done = await resealing.run(tell=told.append)
    assert (done.rows, sum(told), done.stuck, done.restless) == (len(ids), len(ids), {}, False)
    for number in (0, PAGE):
        after = await sealed(store, ids[number])
        bound_to = bond(ANNA, "login_kit", f"person{number}")
        assert Seal((NEW,)).open(after, bound_to=bound_to) == TOKENS


async def test_a_token_that_was_refreshed_meanwhile_is_not_put_back(
    database: Meddled, tmp_path: Path
) -> None:
    store, bound_to = Store(database), bond(ANNA, "login_kit", "person0")
    id = await save(store, BEFORE)
    refreshed = AFTER.seal(Tokens(SecretStr("newer")), bound_to=bound_to)
    database.meddle = lambda: overwrite(tmp_path / "connector.db", refreshed)
    done = await Resealing(store=store, seal=AFTER).run(tell=lambda rows: None)
    assert not done.restless
    assert await sealed(store, id) == refreshed


async def test_one_who_keeps_sealing_under_the_old_key_is_told_of(
    database: Meddled, tmp_path: Path
) -> None:
    store, bound_to = Store(database), bond(ANNA, "login_kit", "person0")
    await save(store, BEFORE)
    database.meddle = lambda: overwrite(
        tmp_path / "connector.db", BEFORE.seal(TOKENS, bound_to=bound_to)
    )
    done = await Resealing(store=store, seal=AFTER).run(tell=lambda rows: None)
    assert (done.restless, done.rows) == (True, MOST_ROUNDS)


async def test_what_cannot_be_opened_does_not_keep_the_rest_from_it(database: Meddled) -> None:
    store = Store(database)
    lost = await save(store, Seal((Key.new("lost"),)), 0)
    found = await save(store, BEFORE, 1)
    before = await sealed(store, lost)
    resealing = Resealing(store=store, seal=AFTER)
    assert list(await resealing.sample()) == [f"connections/{lost}"]
    done = await resealing.run(tell=lambda rows: None)
    assert list(done.stuck) == [f"connections/{lost}"]
    assert "key lost" in done.stuck[f"connections/{lost}"]
    assert await sealed(store, lost) == before
    assert AFTER.is_newest(await sealed(store, found))
