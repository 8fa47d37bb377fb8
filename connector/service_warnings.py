"""Finds problems that do not stop the work of this process, such as a wrong privilege in the database.

A warning never makes the process unready: `/readyz`, `/metrics`, `connector check` and the log name the
warning. A source is any function that returns warnings, and `ServiceWarnings` gets its sources in
`connector/app.py`. The kinds `hold`, `encryption_keys` and `journal_orphans` describe the running process
itself, so `/readyz` finds them in each request (`connector/web/health.py`). A new kind is added to
`WarningKind`, and docs/supabase.md or docs/running.md explains it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from .clock import Clock
from .errors import ConnectorError
from .store import APPLY_SQL, PrivilegeProblem, Store, UserAccountsReport

log = logging.getLogger(__name__)

WarningKind = Literal[
    "privileges",
    "row_level_security",
    "user_accounts_key",
    "user_accounts_required_columns",
    "user_accounts_columns",
    "hold",
    "encryption_keys",
    "journal_orphans",
]
WARNING_KINDS: tuple[WarningKind, ...] = get_args(WarningKind)

REFRESH_SECONDS = 30.0
MAX_NAMES = 3

APPLY_SQL_AGAIN = f"To repair: {APPLY_SQL}"
CHANGE_KEY = (
    "Give the table a primary key of one column of type uuid, text or bigint. Then, to create the read policy: "
    + APPLY_SQL
)
MAKE_COLUMNS_TEXT = "Change each column to text that may be null."
FILL_COLUMNS = "Give each column a default, or create a person's row before the person connects."


@dataclass(frozen=True)
class ServiceWarning:
    kind: WarningKind
    message: str
    """A sentence without a secret, because `/readyz` is public."""

    remedy: str

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}"


WarningSource = Callable[[], Awaitable[Sequence[ServiceWarning]]]


class ServiceWarnings:
    """Keeps the result of the last round, so that a reader never waits for a source."""

    def __init__(self, sources: Sequence[WarningSource], *, clock: Clock) -> None:
        self._sources = tuple(sources)
        self._clock = clock
        self._found: dict[WarningSource, tuple[ServiceWarning, ...]] = {}

    @property
    def current(self) -> tuple[ServiceWarning, ...]:
        return tuple(warning for source in self._sources for warning in self._found.get(source, ()))

    async def find(self) -> list[ServiceWarning]:
        """Asks all sources. Raises if a source fails."""
        return [warning for source in self._sources for warning in await source()]

    async def refresh(self) -> None:
        """Asks all sources. If a source fails, its warnings of the last round stay."""
        before = self.current
        for source in self._sources:
            try:
                self._found[source] = tuple(await source())
            except ConnectorError as error:
                log.warning("warnings not updated error=%s", error.code)
            except Exception:
                log.exception("unexpected error in a source of warnings")
        for warning in self.current:
            if warning not in before:
                log.warning("problem found kind=%s message=%s", warning.kind, warning)
        for warning in before:
            if warning not in self.current:
                log.info("problem solved kind=%s", warning.kind)

    async def run_forever(self) -> None:
        """Refreshes the warnings until the task is cancelled."""
        while True:
            await self.refresh()
            await self._clock.sleep(REFRESH_SECONDS)


def database_warnings(store: Store) -> list[WarningSource]:
    """Returns the sources that ask the database."""

    async def find_privilege_problems() -> list[ServiceWarning]:
        problems = await store.list_privilege_problems()
        return [*_privilege_warnings(problems), *_row_level_security_warnings(problems)]

    async def check_user_accounts() -> list[ServiceWarning]:
        return list(_user_accounts_warnings(await store.check_user_accounts()))

    return [find_privilege_problems, check_user_accounts]


def _privilege_warnings(problems: Sequence[PrivilegeProblem]) -> Iterator[ServiceWarning]:
    """Yields one warning for all objects on which the same roles have the same privilege."""
    roles: dict[tuple[str, str], list[str]] = {}
    for problem in problems:
        if problem.role_name is not None:
            roles.setdefault((problem.privilege, problem.object_name), []).append(problem.role_name)
    objects: dict[tuple[str, str], list[str]] = {}
    for (privilege, object_name), names in roles.items():
        objects.setdefault((privilege, ", ".join(sorted(names))), []).append(object_name)
    for (privilege, names_of_roles), names_of_objects in sorted(objects.items()):
        message = (
            f"In the database, {names_of_roles} must not have the privilege {privilege} on "
            f"{_join(names_of_objects)}."
        )
        yield ServiceWarning("privileges", message, APPLY_SQL_AGAIN)


def _row_level_security_warnings(
    problems: Sequence[PrivilegeProblem],
) -> Iterator[ServiceWarning]:
    tables = [problem.object_name for problem in problems if problem.role_name is None]
    if tables:
        message = f"Row level security is off for {_join(tables)}."
        yield ServiceWarning("row_level_security", message, APPLY_SQL_AGAIN)


def _user_accounts_warnings(report: UserAccountsReport) -> Iterator[ServiceWarning]:
    key = {column.name for column in report.key_columns}
    if not report.key_is_usable:
        message = f"{_describe_key(report)} A connection with advertisers is refused."
        yield ServiceWarning("user_accounts_key", message, CHANGE_KEY)
    required = [name for name in report.required_columns if name not in key]
    if required:
        message = (
            f"In public.user_accounts, {_join(required)} must not be null and has no default, so the "
            "connector cannot create a row."
        )
        yield ServiceWarning("user_accounts_required_columns", message, FILL_COLUMNS)
    if report.unsuitable_columns:
        message = (
            f"In public.user_accounts, {_join(report.unsuitable_columns)} is not text of any length that may be "
            "null, so exchanges or disconnects fail."
        )
        yield ServiceWarning("user_accounts_columns", message, MAKE_COLUMNS_TEXT)


def _describe_key(report: UserAccountsReport) -> str:
    match report.key_columns:
        case ():
            return "The table public.user_accounts is missing or has no primary key."
        case (column,):
            return (
                f"The primary key {column.name} of public.user_accounts has the type {column.type}."
            )
        case columns:
            names = _join([column.name for column in columns])
            return f"The primary key of public.user_accounts has several columns: {names}."


def _join(names: Sequence[str]) -> str:
    """Names at most three, because a warning may concern every function."""
    shown = ", ".join(names[:MAX_NAMES])
    more = len(names) - MAX_NAMES
    return f"{shown} and {more} more" if more > 0 else shown
