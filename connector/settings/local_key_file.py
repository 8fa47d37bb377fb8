"""The encryption key of a service on SQLite that was configured without one: created once, in a file.

The file lies beside the database and only its owner can read it. The database is useless without its
key, so a missing key file beside a database in use is a problem and never replaced by a new key.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from connector.encryption import EncryptionKey

from .parsers import InvalidValue, encryption_keys
from .problems import InvalidSettings, Problem

SETTING_NAME = "CONNECTOR_ENCRYPTION_KEYS"
FILE_HEADER = """\
# The connector's encryption keys, newest first. The tokens in the database beside this file cannot be
# decrypted without these keys: include the file in every backup, and do not let others read it.
"""


def load_or_create_keys(database: Path) -> tuple[EncryptionKey, ...]:
    """Call this before the database is opened: a database without a key file has lost its keys."""
    file = key_file(database)
    try:
        _reject_if_lost(database, file)
        if not file.exists():
            key = EncryptionKey.generate(f"local-{token_hex(3)}")
            _create(file, format_key_file((key,)))
        return read_key_file(file)
    except OSError as error:
        raise _invalid(
            f"The key file {file} cannot be used: {error.strerror}.",
            f"Make the folder writable, or set {SETTING_NAME} yourself.",
        ) from None


def read_key_file(file: Path) -> tuple[EncryptionKey, ...]:
    _reject_if_readable_by_others(file)
    return _parse(file.read_text(encoding="utf-8", errors="replace"), file)


def format_key_file(keys: Sequence[EncryptionKey]) -> str:
    return FILE_HEADER + "".join(f"{key.format()}\n" for key in keys)


def key_file(database: Path) -> Path:
    return database.with_name(f"{database.name}.keys")


def _create(file: Path, text: str) -> None:
    """Links a complete file into place: if two processes start together, both read the same key."""
    draft = file.with_name(f"{file.name}.{token_hex(8)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):
            file.hardlink_to(draft)
    finally:
        draft.unlink()
    _fsync_directory(file.parent)


def _fsync_directory(directory: Path) -> None:
    """After a power failure the database must not exist without its key file."""
    if os.name == "posix":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _parse(text: str, file: Path) -> tuple[EncryptionKey, ...]:
    lines = (line.strip() for line in text.splitlines())
    try:
        keys = encryption_keys(",".join(line for line in lines if not line.startswith("#")))
    except InvalidValue as error:
        raise _invalid(f"In the key file {file}: {error.message}", error.remedy) from None
    if not keys:
        raise _invalid(
            f"The key file {file} contains no key.", "Restore the key file from a backup."
        )
    return keys


def _reject_if_lost(database: Path, file: Path) -> None:
    """Checks the database first, because another starting process creates the key file before the
    database."""
    in_use = database.exists() and database.stat().st_size > 0
    if in_use and not file.exists():
        raise _invalid(
            f"The database {database} is in use, but its key file {file} is missing.",
            f"Put the key file back, or set {SETTING_NAME} to the keys the database was used with; "
            "to start with an empty database, move the old one away.",
        )


def _reject_if_readable_by_others(file: Path) -> None:
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise _invalid(f"Other users can read the key file {file}.", f"Run: chmod 600 {file}")


def _invalid(message: str, remedy: str) -> InvalidSettings:
    return InvalidSettings([Problem(SETTING_NAME, message, remedy)])
