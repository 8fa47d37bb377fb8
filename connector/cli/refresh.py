"""`connector refresh`: runs the background refresh of the service as a command for cron.

The command is safe beside a running service and beside other runs, because the command leases connections
like the service: a connection that another process has leased is not due. Every run ends: a run stops if
TikTok does not respond at all, or if a connection of this run is due again. The next run handles both.
"""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from connector import schedule
from connector.app import Service
from connector.connections import Scope
from connector.errors import ConnectorError, InternalError, StoreUnreachable, TikTokUnreachable
from connector.model import Connection, StoredTokens, format_utc
from connector.tokens import RefreshResult, require_active

from .bootstrap import ACTOR, build_service
from .terminal import (
    ProgressBar,
    format_duration,
    print_error,
    print_result,
    progress_bar,
    replace_control_characters,
)

MINUTE = timedelta(minutes=1)
CONCURRENCY = 64
OUTAGE_THRESHOLD = 5
"""This many unanswered calls in a row are an outage."""


def refresh(options: Namespace) -> int:
    if options.every is not None and options.id is not None:
        print_error("--every is how often cron runs the command: use it with --due or --all.")
        return 2
    return asyncio.run(_refresh(build_service(), options))


async def _refresh(service: Service, options: Namespace) -> int:
    interval = timedelta(minutes=options.every or 0)
    with progress_bar("Refreshing") as progress:
        run = RefreshRun(service, progress)
        async with service:
            await run_refresh(service, run, options)
    run.print_summary()
    shortest = run.shortest_lifetime
    if shortest is not None and shortest < interval:
        print_error(_interval_warning(interval, shortest))
    return 1 if run.failures else 0


async def run_refresh(service: Service, run: RefreshRun, options: Namespace) -> None:
    if options.id is not None:
        connection = await service.connections.get(options.id, scope=Scope.everyone())
        await run.refresh_all([connection.id])
        if not run.failures:
            service.audit.record(
                "refresh_token",
                actor=ACTOR,
                connection_id=connection.id,
                user_id=connection.user_id,
            )
    elif options.all:
        await run.refresh_all([found.id async for found in _active_connections(service)])
    else:
        await run.refresh_due(ahead=timedelta(minutes=options.every or 0))


@dataclass(frozen=True)
class ResultLine:
    text: str
    is_failure: bool = False


class RefreshRun:
    """Refreshes connections, prints a line for each, and remembers the results."""

    def __init__(self, service: Service, progress: ProgressBar) -> None:
        self._service = service
        self._progress = progress
        self._results: dict[str, ResultLine] = {}
        self._total = 0
        self._unanswered_in_a_row = 0
        self._seen_again = False
        self.shortest_lifetime: timedelta | None = None
        """The shortest lifetime of the refreshed tokens, and of the tokens that were not due."""

    async def refresh_due(self, *, ahead: timedelta) -> None:
        """Refreshes the due connections, then the connections that will be due by the next run."""
        now = self._service.clock.now()
        due_soon: list[Connection] = []
        if ahead or self._progress.is_visible:
            async for found in _active_connections(self._service):
                if found.due_at and found.due_at <= now + ahead:
                    due_soon.append(found)
                elif found.expires_at and found.verified_at:
                    self._note_lifetime(found.expires_at - found.verified_at)
            self._progress.set_total(len(due_soon))
        more_due = True
        while more_due and not self._outage_detected and not self._seen_again:
            batch = await self._service.background_refresher.run_batch(actor=ACTOR)
            for refresh in batch.started:
                refresh.task.add_done_callback(partial(self._on_done, refresh.stored))
            await self._service.token_refresher.wait_until_idle()
            more_due = batch.more_due
        # A connection that failed waits until its own retry time and is not refreshed earlier.
        await self.refresh_all(
            found.id
            for found in due_soon
            if found.due_at and found.due_at > now and not found.last_failure
        )

    async def refresh_all(self, connection_ids: Iterable[str]) -> None:
        remaining = [id for id in connection_ids if id not in self._results]
        self._total = len(self._results) + len(remaining)
        self._progress.set_total(self._total)
        queue = iter(remaining)
        await asyncio.gather(*(self._work_through(queue) for _ in range(CONCURRENCY)))

    async def _work_through(self, queue: Iterator[str]) -> None:
        for connection_id in queue:
            if self._outage_detected:
                return
            await self._refresh_one(connection_id)

    async def _refresh_one(self, connection_id: str) -> None:
        try:
            before = await self._service.store.get_stored_tokens(connection_id)
            if before is None:
                return
            require_active(before)
            result = await self._service.token_refresher.refresh(before, actor=ACTOR)
        except ConnectorError as error:
            self._record_failure(connection_id, error)
        else:
            self._record_success(before, result.stored)

    def _on_done(self, before: StoredTokens, task: asyncio.Task[RefreshResult]) -> None:
        self._seen_again |= before.connection_id in self._results
        error = task.exception()
        if error is None:
            self._record_success(before, task.result().stored)
        else:
            self._record_failure(before.connection_id, error)

    def _record_success(self, before: StoredTokens, after: StoredTokens) -> None:
        self._unanswered_in_a_row = 0
        event = "refreshed" if after.token_version > before.token_version else "checked"
        if event == "refreshed" and after.expires_at:
            self._note_lifetime(after.expires_at - self._service.clock.now())
        if after.status == "revoked":
            event = "revoked"
        expires_at = format_utc(after.expires_at) if after.expires_at else "never"
        self._record(
            after.connection_id,
            ResultLine(
                f"{event} connection_id={after.connection_id} family={after.family} "
                f"expires_at={expires_at}"
            ),
        )

    def _record_failure(self, connection_id: str, error: BaseException) -> None:
        is_unanswered = isinstance(error, TikTokUnreachable | StoreUnreachable)
        self._unanswered_in_a_row = self._unanswered_in_a_row + 1 if is_unanswered else 0
        code, detail = InternalError.code, "An unexpected error; the log has the details."
        if isinstance(error, ConnectorError):
            code, detail = error.code, replace_control_characters(error.detail)
        line = f"failed connection_id={connection_id} code={code} error={detail}"
        self._record(connection_id, ResultLine(line, is_failure=True))

    def _record(self, connection_id: str, result: ResultLine) -> None:
        self._results[connection_id] = result
        self._progress.advance()
        if not self._progress.is_visible:
            print_result(result.text)

    def _note_lifetime(self, lifetime: timedelta) -> None:
        if self.shortest_lifetime is None or lifetime < self.shortest_lifetime:
            self.shortest_lifetime = lifetime

    @property
    def _outage_detected(self) -> bool:
        return self._unanswered_in_a_row >= OUTAGE_THRESHOLD

    @property
    def failures(self) -> list[ResultLine]:
        return [result for result in self._results.values() if result.is_failure]

    def print_summary(self) -> None:
        failures, finished = self.failures, len(self._results)
        if self._progress.is_visible:
            for failure in failures:
                print_result(failure.text)
        if finished:
            print_result(f"{finished - len(failures)} succeeded, {len(failures)} failed.")
        else:
            print_result("Nothing is due.")
        if self._outage_detected:
            remaining = self._total - finished
            print_error(
                "TikTok or the database does not respond; the next run handles the remaining "
                "connections" + (f" ({remaining})." if remaining > 0 else ".")
            )


async def _active_connections(service: Service) -> AsyncIterator[Connection]:
    async for connection in service.connections.list_connections(scope=Scope.everyone()):
        if connection.is_active:
            yield connection


def _interval_warning(interval: timedelta, shortest: timedelta) -> str:
    # Rounded, because the lifetime does not include the duration of the call to TikTok.
    shortest = max(1, round(shortest / MINUTE)) * MINUTE
    minutes = max(1, int(shortest * schedule.REFRESH_AT_FRACTION[0] / MINUTE))
    return (
        f"An interval of {format_duration(interval)} is too long: the shortest-lived token is valid "
        f"for {format_duration(shortest)}, so some tokens expire between two runs. Run the command "
        f"every {minutes} min, or run `connector serve`."
    )
