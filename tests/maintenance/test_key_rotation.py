"""Key rotation replaces every ciphertext under an old key, and overwrites none that changed meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from connector.encryption import EncryptionKey, TokenCipher, connection_associated_data
from connector.maintenance import KeyRotation, RotationReport
from connector.maintenance.key_rotation import MAX_PASSES
from connector.model import Attempt, Ciphertext, Tokens
from connector.store import ConnectionUpsert, Store
from connector.store.operations import PAGE_SIZE
from connector.store.sqlite import SQLite
from tests.credentials import ANNA
from tests.manual_clock import NOON

OLD_KEY, NEW_KEY = EncryptionKey.generate("old"), EncryptionKey.generate("new")
OLD_CIPHER, CIPHER = TokenCipher((OLD_KEY,)), TokenCipher((NEW_KEY, OLD_KEY))
TOKENS = Tokens(SecretStr("access"), SecretStr("refresh"))


class DatabaseWithConcurrentWriter(SQLite):
    """Another process writes immediately before each replacement."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.write_concurrently: Callable[[], object] = lambda: None

    async def call(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        if operation == "replace_ciphertexts":
            self.write_concurrently()
        return await super().call(operation, **arguments)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "connector.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[DatabaseWithConcurrentWriter]:
    database = DatabaseWithConcurrentWriter(path)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def store(database: DatabaseWithConcurrentWriter) -> Store:
    return Store(database)


def tiktok_user_id(number: int) -> str:
    return f"user-{number}"


def encrypt(cipher: TokenCipher, tokens: Tokens = TOKENS, *, number: int = 0) -> Ciphertext:
    associated_data = connection_associated_data(ANNA, "login_kit", tiktok_user_id(number))
    return cipher.encrypt_tokens(tokens, associated_data=associated_data)


def decrypt(cipher: TokenCipher, ciphertext: Ciphertext, *, number: int) -> Tokens:
    associated_data = connection_associated_data(ANNA, "login_kit", tiktok_user_id(number))
    return cipher.decrypt_tokens(ciphertext, associated_data=associated_data)


async def connect(store: Store, cipher: TokenCipher, number: int = 0) -> str:
    connection_id = f"00000000-0000-4000-8000-{number:012}"
    upsert = ConnectionUpsert(
        code_hash="code",
        state_hash="state",
        claimed_at=NOON,
        id=connection_id,
        user_id=ANNA,
        family="login_kit",
        tiktok_user_id=tiktok_user_id(number),
        scopes=(),
        accounts=(),
        selected_advertiser=None,
        encrypted_tokens=encrypt(cipher, number=number),
        expires_at=None,
        refresh_expires_at=None,
        due_at=None,
        account_token=None,
        attempt=Attempt(at=NOON, operation="exchange", actor="test", result="ok"),
    )
    await store.upsert_connection(upsert, now=NOON)
    return connection_id


def overwrite(path: Path, ciphertext: Ciphertext) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update connections set encrypted_tokens = ?", (ciphertext,))


async def stored_ciphertext(store: Store, connection_id: str) -> Ciphertext:
    stored = await store.get_stored_tokens(connection_id)
    assert stored is not None
    assert stored.encrypted_tokens is not None
    return stored.encrypted_tokens


async def rotate(store: Store) -> RotationReport:
    return await KeyRotation(store=store, cipher=CIPHER).run(on_progress=lambda rows: None)


async def test_the_rotation_re_encrypts_more_rows_than_one_page(store: Store) -> None:
    count = PAGE_SIZE + 1
    ids = [await connect(store, OLD_CIPHER, number) for number in range(count)]
    rotation, progress = KeyRotation(store=store, cipher=CIPHER), [0]
    assert await rotation.count_outdated() == count
    report = await rotation.run(on_progress=progress.append)
    assert report == RotationReport(rows=count, undecryptable={}, old_key_in_use=False)
    assert sum(progress) == count
    for number in (0, PAGE_SIZE):
        ciphertext = await stored_ciphertext(store, ids[number])
        assert decrypt(TokenCipher((NEW_KEY,)), ciphertext, number=number) == TOKENS


async def test_keys_whose_ids_begin_with_the_same_letters_are_told_apart(store: Store) -> None:
    k1, k10 = EncryptionKey.generate("k1"), EncryptionKey.generate("k10")
    for newest, old in ((k1, k10), (k10, k1)):
        connection_id = await connect(store, TokenCipher((old,)))
        rotation = KeyRotation(store=store, cipher=TokenCipher((newest, old)))
        assert await rotation.count_by_key() == {old.id: 1}
        assert await rotation.count_outdated() == 1
        assert (await rotation.run(on_progress=lambda rows: None)).rows == 1
        ciphertext = await stored_ciphertext(store, connection_id)
        assert decrypt(TokenCipher((newest,)), ciphertext, number=0) == TOKENS


async def test_the_rotation_does_not_overwrite_a_token_that_was_refreshed_meanwhile(
    store: Store, database: DatabaseWithConcurrentWriter, path: Path
) -> None:
    id = await connect(store, OLD_CIPHER)
    refreshed = encrypt(CIPHER, Tokens(SecretStr("newer")))
    database.write_concurrently = lambda: overwrite(path, refreshed)
    assert not (await rotate(store)).old_key_in_use
    assert await stored_ciphertext(store, id) == refreshed


async def test_the_rotation_reports_a_process_that_still_encrypts_under_the_old_key(
    store: Store, database: DatabaseWithConcurrentWriter, path: Path
) -> None:
    await connect(store, OLD_CIPHER)
    database.write_concurrently = lambda: overwrite(path, encrypt(OLD_CIPHER))
    report = await rotate(store)
    assert (report.old_key_in_use, report.rows) == (True, MAX_PASSES)


async def test_a_row_that_cannot_be_decrypted_is_reported_and_the_other_rows_are_re_encrypted(
    store: Store,
) -> None:
    lost = await connect(store, TokenCipher((EncryptionKey.generate("lost"),)), 0)
    decryptable = await connect(store, OLD_CIPHER, 1)
    before = await stored_ciphertext(store, lost)
    sample = await KeyRotation(store=store, cipher=CIPHER).sample_undecryptable()
    assert list(sample) == [f"connections/{lost}"]
    report = await rotate(store)
    assert list(report.undecryptable) == [f"connections/{lost}"]
    assert "key lost" in report.undecryptable[f"connections/{lost}"]
    assert await stored_ciphertext(store, lost) == before
    assert CIPHER.uses_first_key(await stored_ciphertext(store, decryptable))
