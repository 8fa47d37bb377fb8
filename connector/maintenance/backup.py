"""Copies a SQLite database and its encryption keys to a folder, and back.

- The copy is one snapshot, also while the service runs: SQLite's backup API reads in one transaction.
- A copy counts only after it was opened, and after a sample of its tokens was decrypted with its keys.
- A restored database does not use the numbers of later events again. Readers of `GET /events` learn that they must read
  all connections again.
- No existing file is overwritten. Files have the mode 0600, and the folder of a backup has the mode 0700.
- The journal is not copied: the running process locks it, and the database gets its entries within moments.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_hex

from pydantic import AwareDatetime, ValidationError

from connector.encryption import EncryptionKey, TokenCipher
from connector.errors import ConfigurationError, InvalidRequest
from connector.model import FrozenModel
from connector.store import Store, select_database

from .key_rotation import KeyRotation
from .rotation_step import find_missing_keys

DATABASE_NAME, KEYS_NAME, ABOUT_NAME = "connector.db", "connector.db.keys", "backup.json"

SKIPPED_EVENT_NUMBERS = 1_000_000
"""More than the events between a backup and its restore."""


class BackupInfo(FrozenModel):
    made_at: AwareDatetime
    connections: int


@dataclass(frozen=True)
class BackupFolder:
    path: Path

    @property
    def database(self) -> Path:
        return self.path / DATABASE_NAME

    @property
    def keys(self) -> Path:
        return self.path / KEYS_NAME

    @property
    def about(self) -> Path:
        return self.path / ABOUT_NAME

    def create(self) -> None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            is_empty = not any(self.path.iterdir())
        except OSError as error:
            raise InvalidRequest(
                f"The folder {self.path} cannot be used: {error.strerror}."
            ) from None
        if not is_empty:
            raise InvalidRequest(
                f"The folder {self.path} is not empty. Nothing was written: choose a new folder."
            )
        self.path.chmod(0o700)

    def read_info(self) -> BackupInfo:
        for file in (self.database, self.keys, self.about):
            if not file.is_file():
                raise InvalidRequest(
                    f"{self.path} is not a complete backup: {file.name} is missing."
                )
        try:
            return BackupInfo.model_validate_json(self.about.read_bytes())
        except ValidationError:
            raise InvalidRequest(f"{self.about} is damaged: use another backup.") from None

    def remove_files(self) -> None:
        for file in (self.database, self.keys, self.about):
            file.unlink(missing_ok=True)


async def make_backup(
    database: Path,
    folder: BackupFolder,
    *,
    made_at: datetime,
    read_keys: Callable[[], tuple[EncryptionKey, ...]],
    format_keys: Callable[[tuple[EncryptionKey, ...]], str],
) -> BackupInfo:
    folder.create()
    try:
        _copy_database(database, folder.database)
        # Read after the database was copied: a key must be there before a token is encrypted with it.
        keys = read_keys()
        info = BackupInfo(made_at=made_at, connections=await _verify(folder.database, keys))
        _write_private_file(folder.keys, format_keys(keys).encode())
        _write_private_file(folder.about, info.model_dump_json().encode())
    except BaseException:
        folder.remove_files()
        raise
    _sync(folder.path)
    _sync(folder.path.parent)
    return info


async def restore_backup(
    folder: BackupFolder,
    *,
    database: Path,
    key_file: Path,
    read_keys: Callable[[Path], tuple[EncryptionKey, ...]],
) -> BackupInfo:
    """`read_keys` gets the key file of the backup, and returns the keys that the service will have."""
    info = folder.read_info()
    _refuse_existing(database, Path(f"{database}-wal"), Path(f"{database}-shm"), key_file)
    with _drafts_beside(database, key_file) as (database_draft, keys_draft):
        _copy_database(folder.database, database_draft)
        _write_private_file(keys_draft, folder.keys.read_bytes())
        await _verify(database_draft, read_keys(keys_draft))
        await _skip_event_numbers(database_draft)
        # The keys come first: a database whose keys are missing is refused at the next start.
        _put_in_place(keys_draft, key_file)
        _put_in_place(database_draft, database)
    return info


def _copy_database(source: Path, target: Path) -> None:
    """Copies a snapshot. `target` must not exist."""
    _write_private_file(target, b"")
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True)) as original,
            closing(sqlite3.connect(target)) as copy,
        ):
            original.backup(copy)
    except sqlite3.Error as error:
        raise ConfigurationError(f"The database {source} cannot be copied: {error}.") from None


async def _verify(database: Path, keys: tuple[EncryptionKey, ...]) -> int:
    """Opens the copy and decrypts a sample of its tokens. Returns the number of connections."""
    cipher = TokenCipher(keys)
    async with _opened_store(database) as store:
        rotation = KeyRotation(store=store, cipher=cipher)
        if missing := find_missing_keys(cipher.key_ids, await rotation.count_by_key()):
            raise ConfigurationError(f"The copy cannot be used: {missing.message}")
        if undecryptable := await rotation.sample_undecryptable():
            reason = next(iter(undecryptable.values()))
            raise ConfigurationError(f"The copy cannot be used: {reason}")
        connections = sum(count.count for count in await store.count_connections())
    _remove_write_ahead_log(database)
    return connections


async def _skip_event_numbers(database: Path) -> None:
    async with _opened_store(database) as store:
        await store.skip_event_numbers(SKIPPED_EVENT_NUMBERS)
    _remove_write_ahead_log(database)


@asynccontextmanager
async def _opened_store(database: Path) -> AsyncIterator[Store]:
    opened = select_database(
        sqlite_path=database, supabase_url=None, supabase_key=None, postgres_address=None
    )
    await opened.open()
    try:
        store = Store(opened)
        await store.require_schema()
        yield store
    finally:
        await opened.close()


def _remove_write_ahead_log(database: Path) -> None:
    """Leaves one file: a log that is not copied with its file loses data."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("pragma journal_mode = delete")
    _sync(database)


@contextmanager
def _drafts_beside(*targets: Path) -> Iterator[tuple[Path, ...]]:
    """Yields a path beside each target, in its folder, so that a draft can be linked into place."""
    suffix = token_hex(8)
    drafts = tuple(target.with_name(f"{target.name}.{suffix}") for target in targets)
    try:
        yield drafts
    finally:
        for draft in drafts:
            for ending in ("", "-wal", "-shm", "-journal"):
                Path(f"{draft}{ending}").unlink(missing_ok=True)


def _put_in_place(draft: Path, target: Path) -> None:
    """A link never replaces an existing file, also if another process creates the file now."""
    try:
        target.hardlink_to(draft)
    except FileExistsError:
        raise _existing_file_error(target) from None
    _sync(target.parent)


def _refuse_existing(*targets: Path) -> None:
    for target in targets:
        if target.exists():
            raise _existing_file_error(target)


def _existing_file_error(target: Path) -> InvalidRequest:
    return InvalidRequest(
        f"{target} exists, and a restore never overwrites a file. Stop the service and move the file away."
    )


def _write_private_file(path: Path, content: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be written: {error.strerror}.") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # Some file systems cannot sync a folder.
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
