"""The encryption key that is created for a service on SQLite without a configured key."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from connector.encryption import EncryptionKey
from connector.settings import InvalidSettings, key_file, load_or_create_keys


def test_the_key_is_created_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    database = tmp_path / "connector.db"
    (key,) = load_or_create_keys(database)
    database.write_bytes(b"in use")
    assert load_or_create_keys(database) == (key,)
    assert key_file(database).name == "connector.db.keys"
    assert key_file(database).stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["connector.db", "connector.db.keys"]


def test_processes_that_start_at_the_same_time_read_the_same_key(tmp_path: Path) -> None:
    all_started = Barrier(16)

    def start(_: int) -> tuple[EncryptionKey, ...]:
        all_started.wait()
        return load_or_create_keys(tmp_path / "connector.db")

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(start, range(16)))) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["connector.db.keys"]


def test_a_missing_key_file_of_a_used_database_is_never_replaced(tmp_path: Path) -> None:
    database = tmp_path / "connector.db"
    database.write_bytes(b"in use")
    with pytest.raises(InvalidSettings, match="Put the key file back"):
        load_or_create_keys(database)
    assert not key_file(database).exists()


def test_a_key_file_that_others_can_read_is_refused_with_the_chmod_command(
    tmp_path: Path,
) -> None:
    database = tmp_path / "connector.db"
    load_or_create_keys(database)
    key_file(database).chmod(0o640)
    with pytest.raises(InvalidSettings, match="chmod 600"):
        load_or_create_keys(database)


@pytest.mark.parametrize("content", [b"", b"# only a comment\n", b"k1:short\n", b"\xff\xfe"])
def test_a_damaged_key_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = key_file(tmp_path / "connector.db")
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY, 0o600)
    os.write(descriptor, content)
    os.close(descriptor)
    with pytest.raises(InvalidSettings):
        load_or_create_keys(tmp_path / "connector.db")


def test_a_key_file_can_contain_several_keys_newest_first(tmp_path: Path) -> None:
    database = tmp_path / "connector.db"
    (old,) = load_or_create_keys(database)
    new = EncryptionKey.generate("new")
    file = key_file(database)
    file.write_text(f"{new.format()}\n{file.read_text()}")
    assert load_or_create_keys(database) == (new, old)


def test_a_missing_folder_is_a_problem_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="cannot be used"):
        load_or_create_keys(tmp_path / "missing" / "connector.db")
