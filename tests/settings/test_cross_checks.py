"""Problems that concern more than the form of one value."""

from __future__ import annotations

import pytest

from .test_table import KEY, problem, read


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
def test_a_database_on_the_internet_without_certain_encryption_is_reported(mode: str) -> None:
    reported = problem(
        SUPABASE_DB_URL=f"postgresql://u:canary@db.ref.supabase.co/postgres?sslmode={mode}",
        CONNECTOR_ENCRYPTION_KEYS=KEY,
    )
    assert reported.name == "SUPABASE_DB_URL"
    assert f"sslmode={mode}" in reported.message
    assert "sslmode=verify-full" in reported.remedy
    assert "canary" not in str(reported)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:p@db.ref.supabase.co/postgres",
        "postgresql://u:p@db.ref.supabase.co/postgres?sslmode=verify-full",
        "postgresql://u:p@10.0.0.5/postgres?sslmode=disable",
    ],
)
def test_a_database_with_encryption_or_in_a_private_network_is_accepted(address: str) -> None:
    assert read(SUPABASE_DB_URL=address, CONNECTOR_ENCRYPTION_KEYS=KEY).supabase_db_url
