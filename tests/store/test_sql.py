"""The operations stand in three places and say the same; and the SQL keeps the house's rules."""

from __future__ import annotations

import ast
import inspect
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

import connector.store
from connector.store.sqlite import SQLite, blocks
from tests.stack import ROOT, Stack

SCRIPTS = sorted((ROOT / "sql").glob("*.sql"))
DIALECT = resources.files(connector.store).joinpath("sqlite.sql").read_text()
TEXTS = {"sqlite.sql": DIALECT} | {script.name: script.read_text() for script in SCRIPTS}
BLOCKS = blocks(DIALECT)

ASKS_THE_TIME = re.compile(
    r"\b(now|\w+_timestamp|timeofday|age)\s*\(|\bcurrent_(date|time)|\blocaltime|'now'",
    re.IGNORECASE,
)
COMMENT = re.compile("--.*")
SELECTS_ALL = re.compile(
    r"(?:\w\.|\bselect\s+)\*(?:\s+from\s+(?:connector\.)?(\w+))?", re.IGNORECASE
)
ITS_OWN = {"tables", "prove"}
"""What SQLite does for itself: the operator lays Postgres's tables."""

EXPLAINED = {
    "shown": "a view with a list of its own",
    "kept": "a view with a list of its own",
    "given": "a part with a list of its own",
    "jsonb_to_recordset": "what it yields is listed right behind it",
}

OPERATIONS = """
    select
        p.oid, n.nspname || '.' || p.proname as name, p.proargnames[:p.pronargs] as arguments,
        p.prosecdef as definer, p.proconfig as settings, p.proacl::text as privileges,
        p.prosrc as source
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'connector'
        or (n.nspname = 'public' and p.proname like 'connector\\_%')
    order by name
"""
TABLES = """
    select c.oid::regclass::text as name, c.relacl::text as privileges, c.relrowsecurity as guarded
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('connector', 'public')
        and c.relkind in ('r', 'v')
    order by name
"""
REST = """
    select polname as name, polrelid::regclass::text as of
    from pg_catalog.pg_policy
    union all
    select 'column ' || attname, attrelid::regclass || ' ' || coalesce(attacl::text, '')
    from pg_catalog.pg_attribute
    where attrelid = 'public.user_accounts'::regclass
        and attnum > 0
    order by 1, 2
"""


def said_by_the_store() -> dict[str, tuple[str, ...]]:
    calls = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(connector.store.Store)))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self._call"
    ]
    return {
        ast.literal_eval(call.args[0]): tuple(str(keyword.arg) for keyword in call.keywords)
        for call in calls
    }


def said_by_sqlite() -> dict[str, tuple[str, ...]]:
    return {name: block.arguments for name, block in BLOCKS.items() if name not in ITS_OWN}


def said_by_postgres(stack: Stack) -> dict[str, tuple[str, ...]]:
    return {
        row["name"].removeprefix("public.connector_"): tuple(
            name.removeprefix("p_") for name in row["arguments"] or []
        )
        for row in stack.sql(OPERATIONS)
        if row["name"].startswith("public.")
    }


def test_the_store_and_sqlite_name_the_same_operations_and_arguments() -> None:
    assert said_by_the_store() == said_by_sqlite()


def test_so_does_postgres(stack: Stack) -> None:
    assert said_by_the_store() == said_by_postgres(stack)


def test_they_stand_in_the_same_order_in_both_dialects() -> None:
    functions = re.findall(r"function public\.connector_(\w+)\(", TEXTS["002_functions.sql"])
    assert [name for name in functions if name != "_"] == list(said_by_sqlite())


@pytest.mark.parametrize("name", said_by_sqlite())
def test_a_block_uses_each_of_its_arguments_and_no_other(name: str) -> None:
    used = set(re.findall(r"(?<!:):(\w+)", ";".join(BLOCKS[name].statements)))
    assert used == set(BLOCKS[name].arguments)


def columns_of(path: Path) -> Iterator[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        query = """
            select m.name, c.name
            from sqlite_master m
            join pragma_table_info(m.name) c
            where m.type in ('table', 'view') and m.name not like 'sqlite_%'
        """
        yield from connection.execute(query)


async def test_both_dialects_have_the_same_tables_views_and_columns(
    stack: Stack, tmp_path: Path
) -> None:
    database = SQLite(tmp_path / "connector.db")
    await database.open()
    await database.close()
    query = """
        select table_name, column_name
        from information_schema.columns
        where table_schema = 'connector' or table_name = 'user_accounts'
    """
    theirs = {(row["table_name"], row["column_name"]) for row in stack.sql(query)}
    assert set(columns_of(tmp_path / "connector.db")) == theirs


@pytest.mark.parametrize("text", TEXTS)
def test_no_sql_asks_what_time_it_is(text: str) -> None:
    assert not ASKS_THE_TIME.search(TEXTS[text])


@pytest.mark.parametrize("text", TEXTS)
def test_no_sql_selects_all_columns_of_a_table(text: str) -> None:
    assert set(SELECTS_ALL.findall(COMMENT.sub("", TEXTS[text]))) <= set(EXPLAINED)


def test_the_scripts_can_be_run_twice(stack: Stack) -> None:
    def catalogue() -> list[Any]:
        operations = [{**row, "oid": None} for row in stack.sql(OPERATIONS)]
        return [operations, *map(stack.sql, (TABLES, REST, "select version from connector.schema"))]

    before = catalogue()
    stack.apply(*SCRIPTS)
    assert catalogue() == before


def test_every_operation_runs_as_its_owner_on_an_empty_search_path(stack: Stack) -> None:
    for row in stack.sql(OPERATIONS):
        assert 'search_path=""' in row["settings"], row["name"]
        assert row["definer"] == row["name"].startswith("public."), row["name"]


def test_every_table_is_guarded_by_row_level_security(stack: Stack) -> None:
    query = "select relname from pg_class where relkind = 'r' and not relrowsecurity"
    ours = f"{query} and relnamespace = 'connector'::regnamespace"
    assert stack.sql(ours) == []
    assert stack.sql(f"{query} and relname = 'user_accounts'") == []
