"""What PostgreSQL's and PostgREST's codes mean here, whichever road they came by.

Only the code is read: the message beside it may quote a row. People are told one of three sentences;
the remedy is the operator's.
"""

from __future__ import annotations

from connector.errors import Broken, ConnectorError, Misconfigured, StoreUnreachable

PASSING = ("08", "40", "5", "PGRST0")
"""Codes that begin so say nothing about the call: connections, clashes, resources, gateways."""

UNDONE = {"40001", "40P01", "55P03"}
"""Rolled back for a neighbour's sake: a deadlock, or a row that somebody holds."""

WAIT = {"408", "429"}
"""A gateway in front asks for patience."""

_SCHEMA = "The database lacks an operation: apply sql/001_tables.sql and sql/002_functions.sql."
_KEY = "Supabase refuses the key: set SUPABASE_SERVICE_ROLE_KEY to the service_role key."
_LOGIN = "Postgres refuses the name or the password: check SUPABASE_DB_URL."

REMEDIES = {
    "PGRST202": _SCHEMA,
    "42883": _SCHEMA,
    "42P01": _SCHEMA,
    "42703": _SCHEMA,
    "PGRST301": _KEY,
    "401": _KEY,
    "42501": "The database lets us do nothing: SUPABASE_SERVICE_ROLE_KEY must be the service_role "
    "key, and SUPABASE_DB_URL must name the role postgres.",
    "28000": _LOGIN,
    "28P01": _LOGIN,
    "3D000": "Postgres has no such database: check SUPABASE_DB_URL.",
    "404": "Nothing like Supabase answers there: check SUPABASE_URL.",
    "23502": "user_accounts has a column of your own that must not be null: make the user's row "
    "first, or give the column a default.",
    "23503": "user_accounts refers to a user who is not there: make the user first.",
}


UNREACHABLE = "The store does not answer; try again shortly."


class Undone(StoreUnreachable):
    """Certainly not done, and soon worth another try."""


def refusal(code: str) -> ConnectorError:
    if code in REMEDIES:
        return misconfigured(REMEDIES[code])
    if code in UNDONE:
        return Undone(UNREACHABLE, detail=f"A neighbour was in the way ({code}).", retry_after=5)
    if code in WAIT or code.startswith(PASSING):
        return unreachable(f"The database cannot answer just now ({code}).")
    return broken(f"The database refused an operation ({code}).")


def unreachable(detail: str) -> StoreUnreachable:
    return StoreUnreachable(UNREACHABLE, detail=detail, retry_after=5)


def misconfigured(detail: str) -> Misconfigured:
    return Misconfigured(
        "The database is not set up for this service; the operator has to look.", detail=detail
    )


def broken(detail: str) -> Broken:
    return Broken("Something broke here, and it has been written down.", detail=detail)
