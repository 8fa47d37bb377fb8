"""What is put in comes out the same, from every database."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from connector.model import Account, Failure
from connector.store import Claim, Store
from tests.clocks import NOON

from .conftest import Memory
from .people import MINUTE, attempt, claim, connect, failure, hold, outcome, person, read, save

INSTANT = timedelta(microseconds=1)
NAMES = [
    "Müller & Söhne <b>",
    "東京広告 ☕ 👩‍👩‍👧 🇯🇵",
    "الإعلانات",
    "\\u0041 '; drop table connections; -- \" %s $1 {}",
    "line\nbreak\ttab\x7f\u2028",
    "null",
    "",
]


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_comes_back_byte_for_byte(memory: Memory, name: str) -> None:
    store = await memory.store()
    account = Account(id="1", name=name)
    shown = await store.connection(
        await connect(store, accounts=[account], chosen=account, subject=f"subject {name}")
    )
    assert shown is not None
    assert (shown.accounts, shown.chosen) == ((account,), account)
    assert shown.subject == f"subject {name}"
    [row] = memory.rows("user_accounts")
    assert row["tiktok_account_id"] == name


@pytest.mark.parametrize("id", ["7533163835474346001", "9007199254740993", "007", "1e3", "1.0"])
async def test_an_id_is_never_taken_for_a_number(memory: Memory, id: str) -> None:
    store = await memory.store()
    account = Account(id=id)
    key = await connect(store, accounts=[account], chosen=account, subject=id)
    shown = await store.connection(key)
    assert shown is not None
    assert (shown.accounts[0].id, shown.subject) == (id, id)
    [row] = memory.rows("user_accounts")
    assert row["tiktok_business_id"] == id


async def test_numbers_beyond_2_53_in_an_answer_survive(store: Store) -> None:
    user = person()
    await claim(store, "code", user)
    answer = {"number": 7533163835474346001, "text": "7533163835474346001", "none": None}
    await store.settle_code(
        "code", holder="one", sealed=None, answer=answer, attempt=None, now=NOON
    )
    assert (await claim(store, "code", user)).answer == answer


async def test_five_thousand_accounts_come_back_in_their_order(store: Store) -> None:
    accounts = tuple(Account(id=f"{n}", name=f"Number {n} ☕") for n in range(5000, 0, -1))
    shown = await store.connection(await connect(store, accounts=accounts))
    assert shown is not None
    assert shown.accounts == accounts


async def test_characters_no_database_takes_are_replaced(store: Store) -> None:
    account = Account(id="1", name="nul\0, really")
    id = await connect(store, accounts=[account], chosen=account, subject="sub\0ject")
    await hold(store, id)
    failed = Failure(code="1", message="no\0", since=NOON)
    await save(store, outcome(id, failure=failed, attempt=attempt(message="no\0")))
    shown = await store.connection(id)
    assert shown is not None
    assert shown.accounts[0].name == "nul\ufffd, really"
    assert shown.subject == "sub\ufffdject"
    assert shown.failure == failed.model_copy(update={"message": "no\ufffd"})
    assert (await store.attempts(id))[0].message == "no\ufffd"


async def test_so_is_half_a_surrogate_pair(store: Store) -> None:
    user = person()
    await claim(store, "code", user)
    await store.settle_code(
        "code", holder="one", sealed=None, answer={"name": "\ud83d"}, attempt=None, now=NOON
    )
    assert (await claim(store, "code", user)).answer == {"name": "\ufffd"}


@pytest.mark.parametrize(
    "moment",
    [
        NOON,
        NOON + INSTANT,
        NOON - INSTANT,
        NOON.replace(microsecond=120_000),
        datetime(2026, 11, 20, 23, 30, tzinfo=timezone(timedelta(hours=13))),
        datetime(2056, 2, 29, 23, 59, 59, 999_999, tzinfo=NOON.tzinfo),
    ],
    ids=str,
)
async def test_a_time_comes_back_to_the_microsecond(store: Store, moment: datetime) -> None:
    id = await connect(store, expires_at=moment, due_at=moment)
    await hold(store, id)
    failed = Failure(code="1", message="", since=moment)
    await save(store, outcome(id, failure=failed, verified_at=moment, due_at=moment))
    shown, kept = await store.connection(id), await read(store, id)
    assert shown is not None
    assert shown.expires_at == shown.due_at == shown.verified_at == kept.expires_at == moment
    assert kept.failure == failed
    assert shown.due_at is not None
    assert shown.due_at.tzinfo is not None


@pytest.mark.parametrize("whole", [NOON, NOON.replace(microsecond=999_999)], ids=str)
async def test_a_microsecond_decides_what_is_due(store: Store, whole: datetime) -> None:
    id = await connect(store, due_at=whole + INSTANT)
    later = whole + MINUTE
    assert await store.claim_due(holder="one", most=1, now=whole, until=later) == []
    assert [
        kept.id
        for kept in await store.claim_due(holder="one", most=1, now=whole + INSTANT, until=later)
    ] == [id]


async def test_a_time_from_another_zone_is_compared_as_the_moment_it_is(store: Store) -> None:
    east = timezone(timedelta(hours=9))
    id = await connect(store, due_at=NOON.astimezone(east))
    early = (NOON - INSTANT).astimezone(timezone(timedelta(hours=-8)))
    assert await store.claim_due(holder="one", most=1, now=early, until=NOON) == []
    [kept] = await store.claim_due(holder="one", most=1, now=NOON, until=NOON + MINUTE)
    assert kept.id == id


async def test_every_database_answers_plain_values(memory: Memory) -> None:
    """Ids are text, JSON is what it says; a time may be a text or a time, and is one of the two."""
    store, database = await memory.store(), await memory.database()
    id = await connect(store, expires_at=NOON, chosen=Account(id="1"))
    await hold(store, id)
    await save(store, outcome(id, failure=failure()))
    [shown] = await database.call("connection", id=id)
    assert type(shown) is dict
    assert {type(shown[name]) for name in ("id", "user_id", "family", "status")} == {str}
    assert {type(shown[name]) for name in ("scopes", "accounts")} == {list}
    assert {type(shown[name]) for name in ("chosen", "failure")} == {dict}
    assert type(shown["expires_at"]) in (str, datetime)
    assert await claim(store, "code", person()) == Claim(mine=True)
