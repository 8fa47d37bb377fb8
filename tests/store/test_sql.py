"""The operations have the same names and arguments in three places, and the SQL keeps its rules.

The rules are written on top of sql/functions/access.sql and connector/store/sqlite/schema.sql.
"""

from __future__ import annotations

import ast
import inspect
import re
import sqlite3
import textwrap
from collections.abc import Iterator
from contextlib import closing
from importlib import resources
from pathlib import Path

import pytest

from connector.store import Store
from connector.store.sqlite import SQLite, load_operations
from connector.store.sqlite.operation_sql import OPERATION_HEADER
from tests.supabase_stack import ROOT, Stack, schema_files

from .conftest import open_store

SQLITE_OPERATIONS = load_operations()
SQLITE_ONLY = {"tables", "event_tables", "current_time", "check_writable"}
SHARED_OPERATIONS = {
    name: sql.arguments for name, sql in SQLITE_OPERATIONS.items() if name not in SQLITE_ONLY
}
COMMENT = re.compile("--.*")


def without_comments(path: Path) -> str:
    return COMMENT.sub("", path.read_text())


SQLITE_FILES = {
    Path(file.name).stem: Path(str(file))
    for file in resources.files("connector.store.sqlite").iterdir()
    if file.name.endswith(".sql")
}
FUNCTION_FILES = {path.stem: path for path in (ROOT / "sql" / "functions").glob("*.sql")}
ALL_FILES = [*SQLITE_FILES.values(), *schema_files()]

CLOCK_READS = re.compile(
    r"\b(now|\w+_timestamp|timeofday|age)\s*\(|\bcurrent_(date|time)\b|\blocaltime|'now'",
    re.IGNORECASE,
)
DATABASE_CLOCK = "v_now timestamptz := coalesce(p_now, clock_timestamp());"

SELECT_ALL = re.compile(
    r"(?:\w\.|\bselect\s+)\*(?:\s+from\s+(?:connector\.)?(\w+))?", re.IGNORECASE
)
WITH_A_COLUMN_LIST = {
    "connection_details",
    "connection_summaries",
    "listed_connections",
    "stored_tokens",
    "jsonb_to_recordset",
}
"""The views of the service, and rows that are described directly after the name."""

FUNCTIONS = """
    select
        n.nspname || '.' || p.proname as name, p.proargnames[:p.pronargs] as arguments,
        p.prosecdef as is_definer, p.proconfig as settings, p.prosrc as source
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'connector'
        or (n.nspname = 'public' and p.proname like 'connector\\_%')
    order by name
"""


def ids(paths: list[Path]) -> list[str]:
    return [f"{path.parent.name}/{path.name}" for path in paths]


def store_operations() -> dict[str, tuple[str, ...]]:
    """Returns the name and the arguments of each `self._call(...)` in the classes of the store."""
    operations: dict[str, tuple[str, ...]] = {}
    for kind in Store.__mro__[:-1]:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "self._call":
                arguments = tuple(str(keyword.arg) for keyword in node.keywords)
                operations[ast.literal_eval(node.args[0])] = arguments
    return operations


def postgres_operations(stack: Stack) -> dict[str, tuple[str, ...]]:
    return {
        row["name"].removeprefix("public.connector_"): tuple(
            argument.removeprefix("p_") for argument in row["arguments"] or []
        )
        for row in stack.sql(FUNCTIONS)
        if row["name"].startswith("public.")
    }


# The same operations in three places


def test_the_store_and_sqlite_have_the_same_operations_with_the_same_arguments() -> None:
    assert store_operations() == SHARED_OPERATIONS


def test_the_store_and_postgres_have_the_same_operations_with_the_same_arguments(
    stack: Stack,
) -> None:
    assert store_operations() == postgres_operations(stack)


def test_the_files_of_both_dialects_contain_the_same_operations_in_the_same_order() -> None:
    sqlite = {
        subject: [
            name
            for name, _ in OPERATION_HEADER.findall(path.read_text())
            if name not in SQLITE_ONLY
        ]
        for subject, path in SQLITE_FILES.items()
    }
    postgres = {
        subject: re.findall(r"create function public\.connector_(\w+)\(", path.read_text())
        for subject, path in FUNCTION_FILES.items()
    }
    assert postgres.pop("access") == []
    assert postgres == sqlite


@pytest.mark.parametrize("name", SHARED_OPERATIONS)
def test_a_sqlite_operation_uses_exactly_its_arguments(name: str) -> None:
    sql = SQLITE_OPERATIONS[name]
    used = set(re.findall(r"(?<!:):(\w+)", ";".join(sql.statements)))
    assert used == set(sql.arguments)


def sqlite_columns(path: Path) -> Iterator[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        query = """
            select m.name, c.name
            from sqlite_master m
            join pragma_table_xinfo(m.name) c
            where m.type in ('table', 'view') and m.name not like 'sqlite_%'
        """
        yield from connection.execute(query)


async def test_both_dialects_have_the_same_tables_views_and_columns(
    stack: Stack, tmp_path: Path
) -> None:
    """Postgres has a function in place of the view `event_snapshots`."""
    async with open_store(SQLite(tmp_path / "connector.db")):
        columns = sqlite_columns(tmp_path / "connector.db")
        sqlite = {column for column in columns if column[0] != "event_snapshots"}
    query = """
        select table_name, column_name
        from information_schema.columns
        where table_schema = 'connector' or table_name = 'user_accounts'
    """
    assert sqlite == {(row["table_name"], row["column_name"]) for row in stack.sql(query)}


# Rules for the text


@pytest.mark.parametrize("path", schema_files(), ids=ids(schema_files()))
def test_postgres_reads_its_clock_only_if_now_is_null(path: Path) -> None:
    assert not CLOCK_READS.search(without_comments(path).replace(DATABASE_CLOCK, ""))


@pytest.mark.parametrize("name", SQLITE_OPERATIONS)
def test_sqlite_reads_its_clock_only_in_the_operation_current_time(name: str) -> None:
    statements = ";".join(SQLITE_OPERATIONS[name].statements)
    assert bool(CLOCK_READS.search(statements)) == (name == "current_time")


def test_a_postgres_operation_with_the_argument_now_reads_the_clock_exactly_once(
    stack: Stack,
) -> None:
    for row in stack.sql(FUNCTIONS):
        takes_now = "p_now" in (row["arguments"] or [])
        assert row["source"].count("p_now") == takes_now, row["name"]
        assert row["source"].count(DATABASE_CLOCK) == takes_now, row["name"]


@pytest.mark.parametrize("path", ALL_FILES, ids=ids(ALL_FILES))
def test_no_sql_selects_all_columns_of_a_table(path: Path) -> None:
    assert set(SELECT_ALL.findall(without_comments(path))) <= WITH_A_COLUMN_LIST


@pytest.mark.parametrize("path", schema_files(), ids=ids(schema_files()))
def test_no_sql_file_begins_or_ends_a_transaction(path: Path) -> None:
    assert not re.search(r"^\s*(begin|commit)\s*;", without_comments(path), re.MULTILINE)


@pytest.mark.parametrize("path", FUNCTION_FILES.values(), ids=FUNCTION_FILES)
def test_a_file_drops_each_function_and_view_that_it_creates(path: Path) -> None:
    """`create` would fail on the second run of the file without a `drop`."""
    text = without_comments(path)
    created = set(re.findall(r"^create (?:function|procedure|view) ([\w.]+)", text, re.MULTILINE))
    dropped = " ".join(re.findall(r"^drop \w+ if exists\s([^;]*);", text, re.MULTILINE))
    assert created <= set(re.findall(r"[\w.]+", dropped))


@pytest.mark.parametrize("path", FUNCTION_FILES.values(), ids=FUNCTION_FILES)
def test_a_file_of_functions_uses_no_view_of_another_file(path: Path) -> None:
    views = {
        view: file
        for file in FUNCTION_FILES.values()
        for view in re.findall(r"^create view ([\w.]+)", without_comments(file), re.MULTILINE)
    }
    used = {view for view in views if re.search(rf"{view}\b", without_comments(path))}
    assert used == {view for view, file in views.items() if file == path}


@pytest.mark.parametrize("path", FUNCTION_FILES.values(), ids=FUNCTION_FILES)
def test_a_file_of_functions_restricts_the_privileges_at_its_end(path: Path) -> None:
    end = without_comments(path).removesuffix("notify pgrst, 'reload schema';\n")
    assert end.endswith("\ncall connector.restrict_privileges();\n")


# Rules for the functions


def test_every_operation_runs_as_its_owner_with_an_empty_search_path(stack: Stack) -> None:
    for row in stack.sql(FUNCTIONS):
        assert 'search_path=""' in row["settings"], row["name"]
        assert row["is_definer"] == row["name"].startswith("public."), row["name"]


def test_no_operation_returns_before_its_commit_is_on_the_disk(stack: Stack) -> None:
    """Postgres syncs each commit unless `synchronous_commit` is changed."""
    for row in stack.sql(FUNCTIONS):
        text = f"{row['settings']} {row['source']}"
        assert "synchronous_commit" not in text, row["name"]


def test_every_operation_checks_the_callers_role_first(stack: Stack) -> None:
    for row in stack.sql(FUNCTIONS):
        if row["name"].startswith("public."):
            _, _, body = row["source"].partition("begin\n")
            first_statement = body.partition(";")[0].strip()
            assert first_statement == "perform connector.require_service_role()", row["name"]


def test_every_table_has_row_level_security(stack: Stack) -> None:
    query = "select relname from pg_class where relkind = 'r' and not relrowsecurity"
    assert stack.sql(f"{query} and relnamespace = 'connector'::regnamespace") == []
    assert stack.sql(f"{query} and relname = 'user_accounts'") == []


# Applying the files


def database_contents(stack: Stack) -> list[str]:
    """Schema, privileges and rows. pg_dump adds a random word to the lines \\restrict and \\unrestrict."""
    lines = stack.dump().splitlines()
    return [line for line in lines if not line.startswith(("\\restrict", "\\unrestrict"))]


def test_applying_all_sql_files_again_changes_nothing(stack: Stack) -> None:
    before = database_contents(stack)
    stack.apply(*schema_files())
    assert database_contents(stack) == before


@pytest.mark.parametrize("path", schema_files(), ids=ids(schema_files()))
def test_applying_one_sql_file_alone_changes_nothing(stack: Stack, path: Path) -> None:
    before = database_contents(stack)
    stack.apply(path)
    assert database_contents(stack) == before


def test_the_function_files_can_be_applied_in_reverse_order(stack: Stack) -> None:
    before = database_contents(stack)
    stack.apply(*sorted(FUNCTION_FILES.values(), reverse=True))
    assert database_contents(stack) == before


def test_tables_of_an_unreleased_version_are_refused_with_the_remedy(stack: Stack) -> None:
    rename = "alter table connector.connections rename column {} to {}"
    stack.script(rename.format("expiry_event_at", "other"))
    try:
        with pytest.raises(RuntimeError, match="drop schema connector cascade"):
            stack.apply(*schema_files())
    finally:
        stack.script(rename.format("other", "expiry_event_at"))
