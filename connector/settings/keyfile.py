"""The encryption key of whoever runs on SQLite and brings none: made for them, once.

It lies beside the database, for its owner's eyes only. A database without its key is worth nothing,
so a key file missing beside a database in use is a problem to be told, not a reason for a new key.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from connector.seal import Key

from .problems import Problem, SettingsWrong
from .values import Wrong, encryption_keys

NAME = "CONNECTOR_ENCRYPTION_KEYS"
HEAD = """\
# The connector's encryption keys, the newest first. Without them nobody can open the tokens in the
# database beside this file: keep it with every backup, and away from everybody else.
"""


def local_keys(database: Path) -> tuple[Key, ...]:
    """Call before the database is opened: one that is there before its keys has lost them."""
    file = key_file(database)
    try:
        _refuse_if_lost(database, file)
        if not file.exists():
            _create(file, f"{HEAD}{Key.new(f'local-{token_hex(3)}').text()}\n")
        _refuse_if_open_to_others(file)
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise _wrong(
            f"The key file {file} cannot be used: {error.strerror}.",
            f"Make its directory writable, or set {NAME} yourself.",
        ) from None
    return _parsed(text, file)


def key_file(database: Path) -> Path:
    return database.with_name(f"{database.name}.keys")


def _create(file: Path, text: str) -> None:
    """Linked into place whole: of two processes starting at once one wins, and both read its key."""
    draft = file.with_name(f"{file.name}.{token_hex(8)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):
            file.hardlink_to(draft)
    finally:
        draft.unlink()
    _settle(file.parent)


def _settle(directory: Path) -> None:
    """A power cut must not leave the database and take the name of its key file."""
    if os.name == "posix":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _parsed(text: str, file: Path) -> tuple[Key, ...]:
    lines = (line.strip() for line in text.splitlines())
    try:
        keys = encryption_keys(",".join(line for line in lines if not line.startswith("#")))
    except Wrong as wrong:
        raise _wrong(f"In the key file {file}: {wrong.sentence}", wrong.remedy) from None
    if not keys:
        raise _wrong(f"The key file {file} holds no key.", "Put it back from a backup.")
    return keys


def _refuse_if_lost(database: Path, file: Path) -> None:
    """Looks at the database first: whoever starts beside us makes the key file before it."""
    in_use = database.exists() and database.stat().st_size > 0
    if in_use and not file.exists():
        raise _wrong(
            f"The database {database} is in use, but its key file {file} is missing.",
            f"Put the key file back, or set {NAME} to the keys it was used with; "
            "to start afresh, move the database away.",
        )


def _refuse_if_open_to_others(file: Path) -> None:
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise _wrong(f"Others may read the key file {file}.", f"Run: chmod 600 {file}")


def _wrong(sentence: str, remedy: str) -> SettingsWrong:
    return SettingsWrong([Problem(NAME, sentence, remedy)])
