"""What must be on the disk before a one-time code or a refresh token is sent, and before a caller gets an answer.

The tests record, in one list, each commit to SQLite when it has ended, each call that TikTok receives, and each
response that a caller gets. A commit counts only if SQLite has synced it: the recorder asks the connection for
`pragma synchronous` at that moment. A commit of the journal takes until everything that does not wait for it has
happened, so that a step that should wait and does not is recorded too early.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connector.app import Service
from connector.store.sqlite import SQLite, load_operations
from tests.journal.helpers import until_idle
from tests.running_service import (
    AS_SERVER,
    Simulator,
    connect_account,
    running_simulator,
    serving,
    settings_for,
    state_for,
    stop_background_loops,
)
from tiktok_simulator.call_log import CallLog

FULL = 2
EVENT_LOOP_TURNS = 200
"""Enough for a call to the simulator, which runs in the same event loop."""

WRITTEN_TABLE = re.compile(r"(?:insert into|update|delete from) (\w+)")
TEMPORARY_TABLE = re.compile(r"create temp table if not exists (\w+)")
NOT_ON_DISK = {
    name
    for operation in load_operations().values()
    for statement in operation.statements
    for name in TEMPORARY_TABLE.findall(statement)
}

EXCHANGE = "TikTok: POST /open_api/v1.3/oauth2/access_token/"
ADVERTISERS = "TikTok: GET /open_api/v1.3/oauth2/advertiser/get/"
REFRESH = "TikTok: POST /v2/oauth/token/"
UPSERT = "store: connections, user_accounts, events, attempts, codes"
OUTCOME = "store: attempts, connections, user_accounts, events"


class Recorder:
    def __init__(self) -> None:
        self.events: list[str] = []
        self._loop = asyncio.get_running_loop()
        self.store_thread: Executor | None = None

    def connect(self, database: Any, *args: Any, **options: Any) -> sqlite3.Connection:
        is_journal = "connector.journal" in str(database)
        connection = RecordingConnection(database, *args, **options)
        connection.written = []
        connection.describe = JournalChanges(self).describe if is_journal else self._describe_store
        connection.record = self.events.extend if is_journal else self._record_store
        return connection

    def _describe_store(self, table: str, _parameters: Any) -> list[str]:
        if table in NOT_ON_DISK:
            return []
        if self.store_thread is not None:
            self._run_in_loop(self._pass_turns())
        return [table]

    def _record_store(self, tables: list[str]) -> None:
        self.events.append(f"store: {', '.join(dict.fromkeys(tables))}")

    def let_others_continue(self) -> None:
        """Called in the journal's thread. Returns when only what waits for the journal is left."""
        self._run_in_loop(self._pass_turns_and_writes())

    def _run_in_loop(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _pass_turns(self) -> None:
        for _ in range(EVENT_LOOP_TURNS):
            await asyncio.sleep(0)

    async def _pass_turns_and_writes(self) -> None:
        for _ in range(2):
            await self._pass_turns()
            await self._loop.run_in_executor(self.store_thread, lambda: None)

    def require_order(self, *events: str) -> None:
        positions = [self.events.index(event) for event in events]
        assert positions == sorted(positions), self.events


class RecordingConnection(sqlite3.Connection):
    written: list[str]
    """What the current transaction has written."""

    describe: Callable[[str, Any], list[str]]
    record: Callable[[list[str]], None]

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        match = WRITTEN_TABLE.match(sql)
        changes = self.describe(match[1], parameters) if match else []
        cursor = super().execute(sql, parameters)
        self.written += changes
        if self.written and not self.in_transaction:
            [level] = super().execute("pragma synchronous").fetchone()
            if level == FULL:
                self.record(self.written)
            self.written.clear()
        return cursor


class JournalChanges:
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._kinds: dict[str, str] = {}

    def describe(self, table: str, parameters: Any) -> list[str]:
        if table != "commits":
            return []
        records, removals = map(json.loads, parameters)
        added = {id: record[1] for id, record in records.items() if id != "0"}
        self._kinds.update(added)
        # Recorded when the removal starts, because a removal must not start too early.
        self._recorder.events += [f"journal: removed {self._kinds[str(id)]}" for id in removals]
        if removals and not added:
            return []
        self._recorder.let_others_continue()
        return [f"journal: {kind}" for kind in added.values()] or ["journal: tested"]


class RecordedCalls(CallLog):
    def __init__(self, log: CallLog, events: list[str]) -> None:
        super().__init__()
        self.counts = log.counts
        self._events = events

    def start_call(self, *, method: str, path: str, **fields: Any) -> dict[str, Any]:
        self._events.append(f"TikTok: {method} {path}")
        return super().start_call(method=method, path=path, **fields)


@dataclass(frozen=True)
class Harness:
    url: str
    service: Service
    simulator: Simulator
    recorder: Recorder

    async def record(self, method: str, path: str, **options: Any) -> Recorder:
        """Records one request, and the commits that the request leaves to the journal's timer."""
        await until_idle(self.service.journal)
        self.recorder.events.clear()
        async with self.simulator.http.request(method, self.url + path, **options) as response:
            assert response.status == 200, await response.text()
        self.recorder.events.append("response")
        await until_idle(self.service.journal)
        return self.recorder


@pytest.fixture
async def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Harness]:
    recorder = Recorder()
    monkeypatch.setattr(sqlite3, "connect", recorder.connect)
    # A removal that waits for its timer would hide that it was requested too early.
    monkeypatch.setattr("connector.journal.journal.MAX_REMOVAL_DELAY", 0.0)
    async with running_simulator() as simulator:
        simulator.state.call_log = RecordedCalls(simulator.state.call_log, recorder.events)
        service = Service.build(settings_for(tmp_path, simulator.url), clock=simulator.clock)
        assert isinstance(service.database, SQLite)
        recorder.store_thread = service.database._writing
        async with serving(service) as url:
            stop_background_loops()
            yield Harness(url, service, simulator, recorder)


@pytest.fixture
async def exchange(harness: Harness) -> Recorder:
    state = await state_for(harness.simulator.http, harness.url)
    body = {"code": await harness.simulator.consent(), "state": state}
    return await harness.record("POST", "/oauth/exchange", json=body)


@pytest.fixture
async def refresh(harness: Harness) -> Recorder:
    connected = await connect_account(
        harness.simulator.http, harness.url, harness.simulator, family="login_kit"
    )
    harness.simulator.clock.advance(2 * 3600)
    path = f"/connections/{connected['connection_id']}/token"
    return await harness.record("GET", path, headers=AS_SERVER)


async def test_the_claim_of_a_code_is_on_the_disk_before_the_code_is_sent(
    exchange: Recorder,
) -> None:
    exchange.require_order("store: codes", "journal: code", EXCHANGE)


async def test_a_grant_is_on_the_disk_before_it_is_used(exchange: Recorder) -> None:
    exchange.require_order(EXCHANGE, "journal: grant", ADVERTISERS)


async def test_a_connection_is_on_the_disk_before_the_exchange_is_answered(
    exchange: Recorder,
) -> None:
    exchange.require_order("journal: grant", UPSERT, "response")


async def test_a_grant_stays_in_the_journal_until_its_connection_is_on_the_disk(
    exchange: Recorder,
) -> None:
    exchange.require_order(UPSERT, "journal: removed grant")


async def test_a_lease_and_a_reservation_are_on_the_disk_before_a_refresh_token_is_sent(
    refresh: Recorder,
) -> None:
    refresh.require_order("store: connections", "journal: tested", REFRESH)


async def test_new_tokens_are_in_the_journal_before_they_are_sent_to_the_store(
    refresh: Recorder,
) -> None:
    refresh.require_order(REFRESH, "journal: refresh", OUTCOME)


async def test_new_tokens_are_on_the_disk_before_a_caller_gets_them(refresh: Recorder) -> None:
    refresh.require_order("journal: refresh", OUTCOME, "response")


async def test_new_tokens_stay_in_the_journal_until_the_store_has_them_on_the_disk(
    refresh: Recorder,
) -> None:
    refresh.require_order(OUTCOME, "journal: removed refresh")
