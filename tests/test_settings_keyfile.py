"""The key that is made for whoever runs on SQLite and brings none."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from connector.seal import Key
from connector.settings import SettingsWrong, key_file, local_keys


def test_a_key_is_made_once_and_for_its_owners_eyes_only(tmp_path: Path) -> None:
    database = tmp_path / "connector.db"
    (key,) = local_keys(database)
    database.write_bytes(b"in use")
    assert local_keys(database) == (key,)
    assert key_file(database).name == "connector.db.keys"
    assert key_file(database).stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["connector.db", "connector.db.keys"]


def test_all_who_start_at_once_read_the_same_key(tmp_path: Path) -> None:
    crowd = Barrier(16)

    def start(_: int) -> tuple[Key, ...]:
        crowd.wait()
        return local_keys(tmp_path / "connector.db")

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(start, range(16)))) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["connector.db.keys"]


def test_a_lost_key_file_is_never_quietly_replaced(tmp_path: Path) -> None:
    database = tmp_path / "connector.db"
    database.write_bytes(b"in use")
    with pytest.raises(SettingsWrong, match="Put the key file back"):
        local_keys(database)
    assert not key_file(database).exists()


def test_a_key_file_that_others_can_read_is_refused_with_the_command_that_helps(
    tmp_path: Path,
) -> None:
    database = tmp_path / "connector.db"
    local_keys(database)
    key_file(database).chmod(0o640)
    with pytest.raises(SettingsWrong, match="chmod 600"):
        local_keys(database)


@pytest.mark.parametrize("content", [b"", b"# only a comment\n", b"k1:short\n", b"\xff\xfe"])
def test_a_damaged_key_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = key_file(tmp_path / "connector.db")
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY, 0o600)
    os.write(descriptor, content)
    os.close(descriptor)
    with pytest.raises(SettingsWrong):
        local_keys(tmp_path / "connector.db")


def test_a_key_file_may_hold_several_keys_the_newest_first(tmp_path: Path) -> None:
    database = tmp_path / "connector.db"
    (old,) = local_keys(database)
    new = Key.new("new")
    file = key_file(database)
    file.write_text(f"{new.text()}\n{file.read_text()}")
    assert local_keys(database) == (new, old)


def test_a_directory_that_is_not_there_is_a_problem_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(SettingsWrong, match="cannot be used"):
        local_keys(tmp_path / "nowhere" / "connector.db")
