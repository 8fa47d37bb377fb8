"""`connector backup DIR` and `connector restore DIR`, for a database on SQLite."""

from __future__ import annotations

import asyncio
import os
from argparse import Namespace
from pathlib import Path

from connector.clock import Clock
from connector.errors import InvalidRequest
from connector.maintenance import BackupFolder, make_backup, restore_backup
from connector.settings import (
    Settings,
    format_key_file,
    key_file,
    load_or_create_keys,
    read_key_file,
)

from . import logging_setup
from .terminal import print_error, print_result

RECOVERY_POINT = (
    "A restore brings back the state of that moment. A connection whose refresh token TikTok has replaced "
    "since then (login_kit does so at each refresh, every one or two hours) is lost by the restore: its person must "
    "connect again. Connections without a refresh token, such as marketing, keep working. So make backups often, and "
    "prefer the newest."
)
USE_POSTGRES_TOOLS = (
    "The database is PostgreSQL, so this command copies nothing. Back it up with Supabase's own backups (point in "
    "time recovery) or with pg_dump of the schemas connector and public, and keep CONNECTOR_ENCRYPTION_KEYS in a "
    "second place. After a restore, apply sql/functions again, because a restore can give the public key access "
    "to functions, and run `connector check`."
)


def backup(options: Namespace) -> int:
    settings, folder = _settings(), BackupFolder(Path(options.folder))
    database = settings.database
    if not database.is_file():
        raise InvalidRequest(f"There is no database at {database}: nothing was written.")
    info = asyncio.run(
        make_backup(
            database,
            folder,
            made_at=Clock().now(),
            read_keys=lambda: settings.encryption_keys or load_or_create_keys(database),
            format_keys=format_key_file,
        )
    )
    print_result(f"{info.connections} connections and the encryption keys are in {folder.path}.")
    print_error(RECOVERY_POINT)
    print_error("The folder contains the keys of all tokens: keep it as safe as the keys.")
    return 0


def restore(options: Namespace) -> int:
    settings, folder = _settings(), BackupFolder(Path(options.folder))
    info = asyncio.run(
        restore_backup(
            folder,
            database=settings.database,
            key_file=key_file(settings.database),
            read_keys=lambda file: settings.encryption_keys or read_key_file(file),
        )
    )
    print_result(
        f"{info.connections} connections are in {settings.database}, as they were at "
        f"{info.made_at:%Y-%m-%d %H:%M:%S} UTC."
    )
    print_error(RECOVERY_POINT)
    print_error(
        "Keep the folder CONNECTOR_JOURNAL of the old service: its responses are saved at the start. "
        "`connector serve --hold` uses no token, so that you can look first."
    )
    return 0


def _settings() -> Settings:
    settings = Settings.read(os.environ)
    logging_setup.configure_for_command(settings.log_level, format=settings.log_format)
    if settings.supabase_url or settings.supabase_db_url:
        raise InvalidRequest(USE_POSTGRES_TOOLS)
    return settings
