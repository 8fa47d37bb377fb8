"""How often is tidied, and what happens when that fails or is not finished."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.app import House
from connector.errors import StoreUnreachable
from connector.janitor import ROUND_SECONDS, TIDY_EVERY, Janitor
from connector.store import Store
from connector.store.sqlite import SQLite

from .clocks import TurnedClock
from .houses import settings_for


class Tidied(SQLite):
    """Counts how often it is tidied, and can be away or never finished."""

    times = 0
    away = unfinished = False

    async def call(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        if operation == "tidy":
            self.times += 1
            if self.away:
                raise StoreUnreachable("It is away.")
        rows = await super().call(operation, **arguments)
        if operation == "tidy" and self.unfinished:
            return [{"unfinished": True}]
        return rows


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Tidied]:
    database = Tidied(tmp_path / "tidied.db")
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def janitor(tmp_path: Path, clock: TurnedClock, database: Tidied) -> AsyncIterator[Janitor]:
    async with House.build(settings_for(tmp_path, "http://127.0.0.1:9"), clock=clock) as house:
        yield Janitor(exchange=house.exchange, store=Store(database), clock=clock)


async def test_it_is_tidied_at_once_and_then_once_an_hour(
    janitor: Janitor, database: Tidied, clock: TurnedClock
) -> None:
    for _ in range(3):
        await janitor.make_round()
    assert database.times == 1
    clock.turn(TIDY_EVERY.total_seconds())
    await janitor.make_round()
    assert database.times == 2


async def test_tidying_that_fails_is_not_tried_again_in_every_round(
    janitor: Janitor, database: Tidied, clock: TurnedClock
) -> None:
    database.away = True
    with pytest.raises(StoreUnreachable):
        await janitor.make_round()
    clock.turn(ROUND_SECONDS)
    await janitor.make_round()
    assert database.times == 1


async def test_what_was_not_finished_is_gone_on_with_in_the_next_round(
    janitor: Janitor, database: Tidied, clock: TurnedClock
) -> None:
    database.unfinished = True
    await janitor.make_round()
    clock.turn(ROUND_SECONDS)
    await janitor.make_round()
    assert database.times == 2
