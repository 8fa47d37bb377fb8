"""Selects the database of the store."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from .database import Database
from .sqlite import SQLite


def select_database(
    *,
    sqlite_path: Path,
    supabase_url: str | None,
    supabase_key: SecretStr | None,
    postgres_address: SecretStr | None,
) -> Database:
    """Returns PostgreSQL if its address is set, else Supabase, else SQLite.

    The two clients are imported in this function: each import takes a quarter of a second, and most
    installations need neither client.
    """
    if postgres_address is not None:
        from .postgres import Postgres

        return Postgres(postgres_address)
    if supabase_url is not None and supabase_key is not None:
        from .supabase import Supabase

        return Supabase(supabase_url, supabase_key)
    return SQLite(sqlite_path)
