"""A value is read exactly as it was written, from every database."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from connector.model import Account, Failure
from connector.store import AnsweredCode, ClaimedCode, Store, StoredReply
from tests.manual_clock import NOON

from .builders import (
    MINUTE,
    OTHER_OWNER,
    OWNER,
    acquire_lease,
    apply,
    attempt,
    claim_code,
    connect,
    failure,
    lease_due,
    new_user_id,
    outcome,
    stored_connection,
    stored_tokens,
)
from .conftest import DatabaseUnderTest

MICROSECOND = timedelta(microseconds=1)
NAMES = [
    "Müller & Söhne <b>",
    "東京広告 ☕ 👩‍👩‍👧 🇯🇵",
    "الإعلانات",
    "\\u0041 '; drop table connections; -- \" %s $1 {}",
    "line\nbreak\ttab\x7f\u2028",
    "null",
    "",
]


async def stored_reply(store: Store, reply: StoredReply) -> StoredReply:
    user = new_user_id()
    await claim_code(store, "code", user)
    await store.record_code_result(
        "code", claimed_by=OWNER, encrypted_grant=None, reply=reply, attempt=None, now=NOON
    )
    claim = await claim_code(store, "code", user)
    assert isinstance(claim, AnsweredCode)
    return claim.reply


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_is_read_byte_for_byte_as_it_was_written(
    database: DatabaseUnderTest, name: str
) -> None:
    store = await database.open_store()
    account = Account(id="1", name=name)
    id = await connect(
        store, accounts=[account], selected_advertiser=account, tiktok_user_id=f"user {name}"
    )
    connection = await stored_connection(store, id)
    assert (connection.accounts, connection.selected_advertiser) == ((account,), account)
    assert connection.tiktok_user_id == f"user {name}"
    [row] = database.rows("user_accounts")
    assert row["tiktok_account_id"] == name


@pytest.mark.parametrize("id", ["7533163835474346001", "9007199254740993", "007", "1e3", "1.0"])
async def test_an_id_that_looks_like_a_number_stays_text(
    database: DatabaseUnderTest, id: str
) -> None:
    store = await database.open_store()
    account = Account(id=id)
    connection_id = await connect(
        store, accounts=[account], selected_advertiser=account, tiktok_user_id=id
    )
    connection = await stored_connection(store, connection_id)
    assert (connection.accounts[0].id, connection.tiktok_user_id) == (id, id)
    [row] = database.rows("user_accounts")
    assert row["tiktok_business_id"] == id


async def test_numbers_beyond_2_to_the_53_in_a_reply_keep_all_their_digits(store: Store) -> None:
    reply = {"number": 7533163835474346001, "text": "7533163835474346001", "none": None}
    assert await stored_reply(store, reply) == reply


async def test_five_thousand_accounts_are_read_in_their_order(store: Store) -> None:
    accounts = tuple(Account(id=f"{n}", name=f"Number {n} ☕") for n in range(5000, 0, -1))
    connection = await stored_connection(store, await connect(store, accounts=accounts))
    assert connection.accounts == accounts


async def test_the_character_nul_is_replaced_before_it_is_stored(store: Store) -> None:
    account = Account(id="1", name="nul\0, really")
    id = await connect(
        store, accounts=[account], selected_advertiser=account, tiktok_user_id="us\0er"
    )
    await acquire_lease(store, id)
    failed = Failure(code="1", message="no\0", since=NOON)
    await apply(store, outcome(id, last_failure=failed, attempt=attempt(message="no\0")))
    connection = await stored_connection(store, id)
    assert connection.accounts[0].name == "nul\ufffd, really"
    assert connection.tiktok_user_id == "us\ufffder"
    assert connection.last_failure == failed.model_copy(update={"message": "no\ufffd"})
    assert (await store.list_attempts(id))[0].message == "no\ufffd"


async def test_a_lone_surrogate_is_replaced_before_it_is_stored(store: Store) -> None:
    assert await stored_reply(store, {"name": "\ud83d"}) == {"name": "\ufffd"}


@pytest.mark.parametrize(
    "time",
    [
        NOON,
        NOON + MICROSECOND,
        NOON - MICROSECOND,
        NOON.replace(microsecond=120_000),
        datetime(2026, 11, 20, 23, 30, tzinfo=timezone(timedelta(hours=13))),
        datetime(2056, 2, 29, 23, 59, 59, 999_999, tzinfo=NOON.tzinfo),
    ],
    ids=str,
)
async def test_a_time_is_read_to_the_microsecond_as_it_was_written(
    store: Store, time: datetime
) -> None:
    id = await connect(store, expires_at=time, due_at=time)
    await acquire_lease(store, id)
    failed = Failure(code="1", message="", since=time)
    await apply(store, outcome(id, last_failure=failed, verified_at=time, due_at=time))
    connection, stored = await stored_connection(store, id), await stored_tokens(store, id)
    assert connection.expires_at == stored.expires_at == time
    assert connection.due_at == connection.verified_at == time
    assert stored.last_failure == failed
    assert connection.due_at is not None
    assert connection.due_at.tzinfo is not None


@pytest.mark.parametrize("time", [NOON, NOON.replace(microsecond=999_999)], ids=str)
async def test_a_connection_is_due_exactly_from_the_microsecond_of_its_due_time(
    store: Store, time: datetime
) -> None:
    id = await connect(store, due_at=time + MICROSECOND)
    assert await lease_due(store, now=time) == []
    [leased] = await lease_due(store, now=time + MICROSECOND)
    assert leased.connection_id == id


async def test_a_lease_ends_exactly_at_the_microsecond_of_its_end(store: Store) -> None:
    id, start = await connect(store), NOON + MICROSECOND
    await acquire_lease(store, id, now=start)
    assert (await stored_connection(store, id)).due_at == start + MINUTE
    assert await acquire_lease(store, id, owner=OTHER_OWNER, now=NOON + MINUTE) is None
    assert await acquire_lease(store, id, owner=OTHER_OWNER, now=start + MINUTE) is not None


async def test_times_of_different_time_zones_are_compared_as_the_same_time(store: Store) -> None:
    tokyo, los_angeles = timezone(timedelta(hours=9)), timezone(timedelta(hours=-8))
    id = await connect(store, due_at=NOON.astimezone(tokyo))
    just_before = (NOON - MICROSECOND).astimezone(los_angeles)
    assert await lease_due(store, now=just_before) == []
    [leased] = await lease_due(store, now=NOON)
    assert leased.connection_id == id


async def test_every_database_returns_ids_as_text_and_json_as_objects(
    database: DatabaseUnderTest,
) -> None:
    """A time may be text or a datetime."""
    store, connection = await database.open_store(), await database.connect()
    id = await connect(store, expires_at=NOON, selected_advertiser=Account(id="1"))
    await acquire_lease(store, id)
    await apply(store, outcome(id, last_failure=failure()))
    [row] = await connection.call("get_connection", connection_id=id)
    assert type(row) is dict
    assert {type(row[name]) for name in ("id", "user_id", "family", "status")} == {str}
    assert {type(row[name]) for name in ("scopes", "accounts")} == {list}
    assert {type(row[name]) for name in ("selected_advertiser", "last_failure")} == {dict}
    assert type(row["expires_at"]) in (str, datetime)
    assert await claim_code(store, "code", new_user_id()) == ClaimedCode(claimed_at=NOON)
