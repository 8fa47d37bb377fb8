"""`connector backup DIR` and `connector restore DIR`."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from connector.encryption import EncryptionKey
from tests.running_service import Simulator

from .runner import CommandRunner, first_line_with
from .test_refresh import connect_several

FILES = ("backup.json", "connector.db", "connector.db.keys")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def lose_everything(cli: CommandRunner) -> None:
    for path in cli.folder.glob("connector.db*"):
        path.unlink()


async def test_a_backup_made_while_the_service_runs_restores_every_connection(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    ids = await connect_several(cli, tiktok, 3)
    tokens = [await cli.access_token(id) for id in ids]
    service = await cli.start_process("serve")
    await first_line_with(service, "Ready at")
    result = await cli.run("backup", "copy")
    assert (result.code, result.out) == (0, "3 connections and the encryption keys are in copy.\n")
    assert "must connect again" in " ".join(result.err.split())
    service.kill()
    await service.communicate()
    lose_everything(cli)
    result = await cli.run("restore", "copy")
    assert result.code == 0, result.err
    assert result.out.startswith("3 connections are in connector.db, as they were at ")
    assert "--hold" in result.err
    assert [await cli.access_token(id) for id in ids] == tokens


async def test_a_backup_is_readable_by_its_owner_only_and_has_no_write_ahead_log(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await connect_several(cli, tiktok, 1)
    await cli.run("backup", "copy")
    folder = cli.folder / "copy"
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert mode(folder) == 0o700
    assert {mode(folder / name) for name in FILES} == {0o600}
    lose_everything(cli)
    await cli.run("restore", "copy")
    for name in ("connector.db", "connector.db.keys"):
        assert mode(cli.folder / name) == 0o600
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


async def test_a_backup_includes_what_is_only_in_the_write_ahead_log(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    """A copy of the file alone restored an empty database."""
    await connect_several(cli, tiktok, 1)
    with closing(sqlite3.connect(cli.folder / "connector.db")) as connection:
        connection.execute("pragma wal_autocheckpoint = 0")
        connection.execute("update connections set scopes = '[\"only in the log\"]'")
        connection.commit()
        assert (await cli.run("backup", "copy")).code == 0
    lose_everything(cli)
    await cli.run("restore", "copy")
    assert cli.sql("select scopes from connections") == [('["only in the log"]',)]


async def test_a_restored_database_gives_no_number_of_an_event_again(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await connect_several(cli, tiktok, 2)
    assert "2026-" in (await cli.run("events")).out
    await cli.run("backup", "copy")
    await connect_several(cli, tiktok, 2)
    assert (await cli.run("events", "--after", "3")).code == 0
    lose_everything(cli)
    await cli.run("restore", "copy")
    result = await cli.run("events", "--after", "4")
    assert "Continue with after=1000002" in " ".join(result.err.split())
    await connect_several(cli, tiktok, 1)
    assert (await cli.run("events", "--after", "1000002")).out.startswith("1000003 ")


@pytest.mark.parametrize("existing", ["connector.db", "connector.db-wal", "connector.db.keys"])
async def test_restore_refuses_to_overwrite_a_file_and_changes_nothing(
    cli: CommandRunner, tiktok: Simulator, existing: str
) -> None:
    await connect_several(cli, tiktok, 1)
    await cli.run("backup", "copy")
    lose_everything(cli)
    (cli.folder / existing).write_text("precious")
    result = await cli.run("restore", "copy")
    assert result.code == 2
    assert f"{existing} exists, and a restore never overwrites a file" in result.err
    assert (cli.folder / existing).read_text() == "precious"
    assert [path.name for path in cli.folder.glob("connector.db*")] == [existing]


async def test_backup_refuses_a_folder_that_is_not_empty_and_changes_nothing(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await connect_several(cli, tiktok, 1)
    folder = cli.folder / "copy"
    folder.mkdir()
    (folder / "precious").touch()
    result = await cli.run("backup", "copy")
    assert (result.code, result.out) == (2, "")
    assert "is not empty" in result.err
    assert [path.name for path in folder.iterdir()] == ["precious"]


async def test_backup_without_a_database_creates_nothing(cli: CommandRunner) -> None:
    result = await cli.run("backup", "copy")
    assert result.code == 2
    assert "There is no database at connector.db" in result.err
    assert not list(cli.folder.glob("connector.db*"))
    assert not (cli.folder / "copy").exists()


async def test_a_backup_whose_tokens_cannot_be_decrypted_is_not_kept(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await connect_several(cli, tiktok, 1)
    cli.environment["CONNECTOR_ENCRYPTION_KEYS"] = EncryptionKey.generate("other").format()
    result = await cli.run("backup", "copy")
    assert result.code == 1
    assert "The copy cannot be used" in result.err
    assert list((cli.folder / "copy").iterdir()) == []


async def test_a_restore_loses_only_connections_whose_refresh_token_was_replaced_after_the_backup(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    rotated, untouched = await connect_several(cli, tiktok, 2)
    marketing = await cli.connect(tiktok)
    await cli.run("backup", "copy")
    assert (await cli.run("refresh", rotated)).code == 0
    lose_everything(cli)
    assert (await cli.run("restore", "copy")).code == 0
    assert (await cli.run("refresh", untouched)).code == 0
    assert (await cli.run("refresh", marketing)).code == 0
    assert (await cli.run("refresh", rotated)).code == 1
    assert (await cli.connection(rotated))["status"] == "reconnect_required"


@pytest.mark.parametrize("name", FILES)
async def test_an_incomplete_backup_is_refused_and_nothing_is_restored(
    cli: CommandRunner, tiktok: Simulator, name: str
) -> None:
    await connect_several(cli, tiktok, 1)
    await cli.run("backup", "copy")
    lose_everything(cli)
    (cli.folder / "copy" / name).unlink()
    result = await cli.run("restore", "copy")
    assert result.code == 2
    assert f"copy is not a complete backup: {name} is missing" in result.err
    assert not list(cli.folder.glob("connector.db*"))


async def test_a_damaged_backup_is_refused_and_nothing_is_restored(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await connect_several(cli, tiktok, 1)
    await cli.run("backup", "copy")
    lose_everything(cli)
    (cli.folder / "copy" / "connector.db").write_bytes(b"not a database" * 1000)
    result = await cli.run("restore", "copy")
    assert result.code == 1, result.err
    assert "cannot be copied" in result.err
    assert not list(cli.folder.glob("connector.db*"))


async def test_configured_keys_are_in_the_backup_and_restore_needs_them_or_the_file(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    key = EncryptionKey.generate("mine").format()
    cli.environment["CONNECTOR_ENCRYPTION_KEYS"] = key
    [connection_id] = await connect_several(cli, tiktok, 1)
    token = await cli.access_token(connection_id)
    await cli.run("backup", "copy")
    assert key in (cli.folder / "copy" / "connector.db.keys").read_text()
    lose_everything(cli)
    del cli.environment["CONNECTOR_ENCRYPTION_KEYS"]
    assert (await cli.run("restore", "copy")).code == 0
    assert await cli.access_token(connection_id) == token


async def test_a_backup_can_be_restored_from_a_copy_of_its_folder_twice(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await connect_several(cli, tiktok, 1)
    await cli.run("backup", "copy")
    shutil.copytree(cli.folder / "copy", cli.folder / "elsewhere")
    for folder in ("copy", "elsewhere", "copy"):
        lose_everything(cli)
        assert (await cli.run("restore", folder)).code == 0


@pytest.mark.parametrize("command", ["backup", "restore"])
async def test_with_supabase_the_command_says_what_to_do_instead(
    cli_on_supabase: CommandRunner, command: str
) -> None:
    result = await cli_on_supabase.run(command, "copy")
    assert (result.code, result.out) == (2, "")
    for words in ("pg_dump", "CONNECTOR_ENCRYPTION_KEYS", "apply sql/functions again"):
        assert words in result.err
    assert not (cli_on_supabase.folder / "copy").exists()
