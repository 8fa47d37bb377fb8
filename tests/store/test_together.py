"""Calls that share the way to the store, on databases of every kind."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from connector.errors import Broken, StoreUnreachable
from connector.model import Kept, UserId
from connector.store import Claim, Database, Store
from connector.store.refusals import Undone
from connector.store.together import MOST
from tests.stack import Stack

from .conftest import Memory
from .people import SHOP, claim, connect, connected, person


class Watched:
    """A real database, with a door that can be kept shut, and a count of what came through."""

    name = "watched"

    def __init__(self, database: Database) -> None:
        self._database = database
        self.came: list[tuple[str, int]] = []
        self._somebody_came = asyncio.Event()
        self.door = asyncio.Event()
        self.door.set()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def call(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        self.came += [(operation, len(v)) for v in arguments.values() if isinstance(v, list)]
        self._somebody_came.set()
        await self.door.wait()
        return await self._database.call(operation, **arguments)

    async def comes(self, operation: str, times: int) -> None:
        while len(self.sizes(operation)) < times:
            self._somebody_came.clear()
            await self._somebody_came.wait()

    def sizes(self, operation: str) -> list[int]:
        return [size for name, size in self.came if name == operation]


@pytest.fixture
async def watched(memory: Memory) -> Watched:
    return Watched(await memory.database())


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody leaves before whoever went first is home: however slow the machine is."""
    monkeypatch.setattr("connector.store.together.PATIENCE", 60.0)


async def all_at_once(watched: Watched, calls: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    watched.door.clear()
    tasks = [asyncio.create_task(call) for call in calls]
    await asyncio.sleep(0)
    watched.door.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def ids(store: Store, number: int) -> list[str]:
    return [await connect(store) for _ in range(number)]


@pytest.mark.usefixtures("patience")
async def test_who_comes_at_the_same_time_goes_together(watched: Watched) -> None:
    store = Store(watched)
    known = await ids(store, 5)
    found = await all_at_once(watched, [store.read_token(id) for id in known])
    assert [kept.id for kept in found] == known
    assert watched.sizes("read_tokens") == [5]


@pytest.mark.usefixtures("patience")
async def test_who_comes_while_one_is_under_way_goes_with_the_next(watched: Watched) -> None:
    store = Store(watched)
    known = await ids(store, 5)
    watched.door.clear()
    first = asyncio.create_task(store.read_token(known[0]))
    await watched.comes("read_tokens", 1)
    rest = [asyncio.create_task(store.read_token(id)) for id in known[1:]]
    await asyncio.sleep(0)
    watched.door.set()
    assert [kept and kept.id for kept in await asyncio.gather(first, *rest)] == known
    assert watched.sizes("read_tokens") == [1, 4]


@pytest.mark.usefixtures("patience")
async def test_the_same_token_is_read_once_for_all_who_wait_for_it(watched: Watched) -> None:
    store = Store(watched)
    [id] = await ids(store, 1)
    found = await all_at_once(watched, [store.read_token(id) for _ in range(9)])
    assert {kept.id for kept in found} == {id}
    assert watched.sizes("read_tokens") == [1]


@pytest.mark.usefixtures("patience")
async def test_who_is_unknown_is_told_so_among_those_who_are_known(watched: Watched) -> None:
    store = Store(watched)
    [id] = await ids(store, 1)
    unknown = str(uuid4())
    asked = [id, unknown, id, unknown]
    found = await all_at_once(watched, [store.read_token(each) for each in asked])
    assert [kept and kept.id for kept in found] == [id, None, id, None]


@pytest.mark.usefixtures("patience")
async def test_no_call_is_for_more_than_so_many(watched: Watched) -> None:
    store = Store(watched)
    calls = [claim(store, uuid4().hex, person()) for _ in range(2 * MOST)]
    assert all(each.mine for each in await all_at_once(watched, calls))
    assert watched.sizes("claim_codes") == [MOST, MOST]


@pytest.mark.usefixtures("patience")
async def test_each_claim_knows_its_own_person(watched: Watched) -> None:
    store, people = Store(watched), [person() for _ in range(4)]
    known = [await connect(store, user, chosen=SHOP) for user in people]
    calls = [claim(store, user, user) for user in people]
    claims = await all_at_once(watched, calls)
    assert [[k.id for k in each.known] for each in claims] == [[id] for id in known]
    assert watched.sizes("claim_codes")[-1] == 4


@pytest.mark.usefixtures("patience")
async def test_two_connections_of_one_person_never_go_together(watched: Watched) -> None:
    """Both would write the person's one row in `user_accounts`."""
    store, user = Store(watched), person()
    calls = [connect(store, user, subject=f"{n}", chosen=SHOP) for n in range(4)]
    connected = await all_at_once(watched, calls)
    assert len(set(connected)) == 4
    assert watched.sizes("save_connections") == [1, 1, 1, 1]


@pytest.mark.usefixtures("patience")
async def test_who_left_is_not_asked_for(watched: Watched) -> None:
    store = Store(watched)
    first, gone, last = await ids(store, 3)
    tasks = [asyncio.create_task(store.read_token(id)) for id in (first, gone, last)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[1], asyncio.CancelledError)
    assert watched.sizes("read_tokens") == [2]


async def test_nobody_waits_long_for_those_before_them(watched: Watched) -> None:
    store = Store(watched)
    known = await ids(store, 2)
    watched.door.clear()
    stuck = asyncio.create_task(store.read_token(known[0]))
    await watched.comes("read_tokens", 1)
    behind = asyncio.create_task(store.read_token(known[1]))
    await watched.comes("read_tokens", 2)
    watched.door.set()
    assert [kept and kept.id for kept in (await stuck, await behind)] == known


# What is wrong with one


on_postgres = pytest.mark.parametrize("memory", ["supabase", "postgres"], indirect=True)


@pytest.fixture
def unwelcome(memory: Memory, stack: Stack) -> Iterator[UserId]:
    """Somebody whom a rule of the customer's own does not let into their table."""
    user, table = person(), "alter table public.user_accounts"
    stack.script(f"{table} add constraint closed check (id <> '{user}')")
    yield user
    stack.script(f"{table} drop constraint closed")


@pytest.fixture
async def held(memory: Memory, stack: Stack) -> AsyncIterator[UserId]:
    """Somebody whose row the customer is busy with, and does not let go of."""
    user, function = person(), "alter function public.connector_save_connections"
    stack.script(f"insert into public.user_accounts (id) values ('{user}')")
    stack.script(f"{function} set lock_timeout = '50ms'")
    theirs = await asyncpg.connect(stack.dsn)
    async with theirs.transaction():
        await theirs.execute("select from public.user_accounts for update")
        yield user
    await theirs.close()
    stack.script(f"{function} set lock_timeout = '2s'")


async def saved_together(
    watched: Watched, people: Sequence[UserId]
) -> dict[UserId, type[BaseException]]:
    """Who was not saved, and why."""
    store = Store(watched)
    given = [connected(user, uuid4().hex, chosen=SHOP) for user in people]
    ended = await all_at_once(watched, [store.save_connection(each) for each in given])
    assert watched.sizes("save_connections")[0] == len(people)
    failures = zip(people, ended, strict=True)
    return {user: type(end) for user, end in failures if isinstance(end, BaseException)}


def owners(memory: Memory) -> set[UserId]:
    return {row["user_id"] for row in memory.rows("connections")}


@on_postgres
@pytest.mark.usefixtures("patience")
async def test_whom_the_customers_table_refuses_keeps_nobody_else_out(
    memory: Memory, watched: Watched, unwelcome: UserId
) -> None:
    people = [person(), unwelcome, person()]
    assert await saved_together(watched, people) == {unwelcome: Broken}
    assert owners(memory) >= {people[0], people[2]}
    assert unwelcome not in owners(memory)


@on_postgres
@pytest.mark.usefixtures("patience")
async def test_whose_row_the_customer_holds_keeps_nobody_else_waiting(
    memory: Memory, watched: Watched, held: UserId
) -> None:
    people = [person(), held, person()]
    assert await saved_together(watched, people) == {held: Undone}
    assert owners(memory) >= {people[0], people[2]}
    assert held not in owners(memory)


@on_postgres
@pytest.mark.usefixtures("patience")
async def test_claims_of_codes_and_what_comes_of_them_never_wait_for_each_other(
    memory: Memory, watched: Watched, stack: Stack
) -> None:
    """As when everybody posts twice, and each time another replica takes it."""
    store, people = Store(watched), sorted([person(), person()])
    codes = dict(zip(people, ("b", "a"), strict=True))
    for user, code in codes.items():
        await claim(store, code, user)
    theirs = await asyncpg.connect(stack.dsn)
    async with theirs.transaction():
        await theirs.execute("select from connector.codes where key = 'a' for update")
        given = [connected(user, code) for user, code in codes.items()]
        saves = [asyncio.create_task(store.save_connection(each)) for each in given]
        while not stack.sql("select from pg_catalog.pg_locks where not granted"):  # noqa: ASYNC110
            await asyncio.sleep(0)
        await theirs.execute("select from connector.codes where key = 'b' for update nowait")
    await theirs.close()
    await asyncio.gather(*saves)
    assert watched.sizes("save_connections") == [2]


@on_postgres
@pytest.mark.usefixtures("patience")
async def test_whose_row_is_not_what_it_should_be_keeps_nobody_else_from_theirs(
    memory: Memory, watched: Watched, stack: Stack
) -> None:
    store, people = Store(watched), [person() for _ in range(3)]
    known = [await connect(store, user, chosen=SHOP) for user in people]
    stack.script(
        "update connector.connections set failure = '{}', chosen = '{}' "
        f"where id = '{known[1]}'"
    )
    found = await all_at_once(watched, [store.read_token(id) for id in known])
    claims = await all_at_once(watched, [claim(store, user, user) for user in people])
    assert [type(kept) for kept in found] == [Kept, StoreUnreachable, Kept]
    assert [type(each) for each in claims] == [Claim, StoreUnreachable, Claim]
    assert watched.sizes("read_tokens") == [3]


@pytest.mark.parametrize("memory", ["supabase"], indirect=True)
@pytest.mark.usefixtures("patience")
async def test_while_the_store_is_away_all_are_told_and_nobody_is_tried_twice(
    watched: Watched, stack: Stack
) -> None:
    with stack.gateway.failing("503"):
        people = [person() for _ in range(4)]
        failed = await saved_together(watched, people)
    assert failed == dict.fromkeys(people, StoreUnreachable)
    assert watched.sizes("save_connections") == [4]


@pytest.mark.parametrize("memory", ["supabase"], indirect=True)
@pytest.mark.usefixtures("patience")
async def test_a_failure_shared_by_many_tells_each_of_them_only_its_own_way(
    watched: Watched, stack: Stack
) -> None:
    async def one_way() -> None:
        await store.read_token(str(uuid4()))

    async def another_way() -> None:
        await store.read_token(str(uuid4()))

    store = Store(watched)
    with stack.gateway.failing("503"):
        one, another = await all_at_once(watched, [one_way(), another_way()])
    assert (one.message, one.retry_after) == (another.message, another.retry_after)
    ways = [f.name for f in traceback.extract_tb(one.__traceback__)]
    assert "one_way" in ways
    assert "another_way" not in ways
