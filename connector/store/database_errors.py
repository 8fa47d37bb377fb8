"""Converts error codes of PostgreSQL and PostgREST to exceptions of this service.

Only the code is used, because the message of the database may quote a row. Callers get one of three
general sentences. The detail contains the remedy, for the operator.
"""

from __future__ import annotations

from connector.errors import ConfigurationError, ConnectorError, InternalError, StoreUnreachable

SQLSTATE_LENGTH = 5

TRANSIENT_PREFIXES = ("08", "40", "5", "PGRST0")
"""Connection failures, serialization failures, resources, gateways: the call itself may be correct."""

ROLLBACK_CODES = {"40001", "40P01", "55P03"}
"""Rolled back because of another transaction: a serialization failure, a deadlock or a locked row."""

PROGRAM_LIMIT_PREFIX = "54"
"""A limit of Postgres itself, for example the size of an index row. The same call fails again."""

RETRY_STATUSES = {"408", "429"}
"""HTTP statuses of a gateway that asks the client to retry."""

APPLY_SQL = (
    "apply sql/tables/*.sql, then sql/functions/*.sql, in one transaction: "
    "`cat sql/tables/*.sql sql/functions/*.sql | psql --single-transaction -v ON_ERROR_STOP=1 "
    '"$SUPABASE_DB_URL"`, or paste the output of that cat into the SQL editor of Supabase.'
)
_SCHEMA = f"The database lacks an operation: {APPLY_SQL}"
_KEY = "Supabase refuses the key: set SUPABASE_SERVICE_ROLE_KEY to the service_role key."
_LOGIN = "Postgres refuses the name or the password: check SUPABASE_DB_URL."

REMEDIES = {
    "PGRST202": _SCHEMA,
    "42883": _SCHEMA,
    "42P01": _SCHEMA,
    "42703": _SCHEMA,
    "PGRST301": _KEY,
    "401": _KEY,
    "42501": "The database refuses the role: SUPABASE_SERVICE_ROLE_KEY must be the service_role key, "
    "and SUPABASE_DB_URL must name the role postgres.",
    "28000": _LOGIN,
    "28P01": _LOGIN,
    "3D000": "Postgres has no database of that name: check SUPABASE_DB_URL.",
    "404": "No Supabase API was found at that address: check SUPABASE_URL.",
    "23502": "user_accounts has a NOT NULL column without a default: create the user's row first, or "
    "give the column a default.",
    "23503": "user_accounts refers to a user that does not exist: create the user first.",
}

UNREACHABLE = "The store does not answer; try again shortly."


class RolledBack(StoreUnreachable):
    """The transaction had no effect for certain, and a retry may soon succeed."""


def error_for_code(code: str) -> ConnectorError:
    if code in REMEDIES:
        return misconfigured_error(REMEDIES[code])
    if code in ROLLBACK_CODES:
        detail = f"The database rolled back because of another transaction ({code})."
        return RolledBack(UNREACHABLE, detail=detail, retry_after=5)
    is_program_limit = len(code) == SQLSTATE_LENGTH and code.startswith(PROGRAM_LIMIT_PREFIX)
    is_transient = code in RETRY_STATUSES or code.startswith(TRANSIENT_PREFIXES)
    if is_transient and not is_program_limit:
        return unreachable_error(f"The database cannot answer at the moment ({code}).")
    return internal_error(f"The database refused an operation ({code}).")


def unreachable_error(detail: str) -> StoreUnreachable:
    return StoreUnreachable(UNREACHABLE, detail=detail, retry_after=5)


def misconfigured_error(detail: str) -> ConfigurationError:
    return ConfigurationError(
        "The database is not set up for this service; the operator has to look.", detail=detail
    )


def internal_error(detail: str) -> InternalError:
    return InternalError(
        "An unexpected error occurred; the operator can find it in the log.", detail=detail
    )
