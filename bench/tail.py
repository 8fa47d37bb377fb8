"""Token reads must stay fast while other connections have problems.

Tokens of healthy connections are read at a steady rate, well below the capacity of the service. The
latency of a read counts from its due time, so waiting behind a slow read counts too. Meanwhile one kind of
fault after another is active. Each round also has a baseline without a fault, and the faults on the same
store are compared with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ._bench import AUTHORIZATION, STORES, Bench, StoreName, measure_load, request
from ._rows import (
    DUE,
    FRESH,
    STALE,
    BenchConnection,
    TokenState,
    clear_due_in_postgres,
    clear_due_in_sqlite,
    insert_into_postgres,
    insert_into_sqlite,
    make_connections,
)
from ._table import Figures, Report, median, ms, ratio, spread, whole

HEALTHY = 5_000
READS_PER_SECOND = 500
SECONDS = 1.3
FAULT_LEAD_SECONDS = 0.3
ROUNDS = 3
LATENCY = 0.150
BACKLOG = 10_000
AFFECTED = 64
MAX_RATIO = 3
BASELINE = "baseline"

Fault = Callable[["Candidate"], Iterator[None]]


class Candidate:
    """One store with a service on it, and the functions that cause faults there."""

    def __init__(self, bench: Bench, store: StoreName, healthy: Sequence[BenchConnection]) -> None:
        self.bench = bench
        self._store = store
        self._added = 0
        self.service = bench.serve(store)
        self._healthy = _read_requests(healthy)
        self._affected_readers = bench.start_load_generator()

    def add(
        self, count: int, state: TokenState, *, refresh_token: str = "rft"
    ) -> list[BenchConnection]:
        self._added += count
        prefix = f"{refresh_token}.{self._store}"
        connections = make_connections(count, start=HEALTHY + self._added, refresh_token=prefix)
        rows = state.rows(connections, self.bench.cipher)
        if self._store == "SQLite":
            insert_into_sqlite(self.bench.sqlite_path(), rows)
        else:
            insert_into_postgres(self.bench.admin_dsn, rows)
        return connections

    def drop_backlog(self) -> None:
        """The rest of a backlog is cancelled rather than refreshed."""
        if self._store == "SQLite":
            clear_due_in_sqlite(self.bench.sqlite_path())
        else:
            clear_due_in_postgres(self.bench.admin_dsn)
        self.bench.tiktok.wait_until_idle()

    @contextmanager
    def waiting_readers(self, connections_in_store: Sequence[BenchConnection]) -> Iterator[None]:
        """Other clients read these connections the whole time; the block starts once they wait."""
        self._affected_readers.start(
            self.service.port,
            _read_requests(connections_in_store),
            connections=len(connections_in_store),
            seconds=SECONDS + FAULT_LEAD_SECONDS,
            grace=0.1,
        )
        time.sleep(FAULT_LEAD_SECONDS)
        try:
            yield
        finally:
            self._affected_readers.finish()

    def measure_healthy_reads(self) -> Figures:
        return measure_load(
            self.service,
            self.bench.load_generator,
            self.service.port,
            self._healthy,
            connections=32,
            seconds=SECONDS,
            rate=READS_PER_SECOND,
        )


def _read_requests(connections_in_store: Sequence[BenchConnection]) -> list[bytes]:
    return [
        request("GET", f"/connections/{connection.id}/token", head=AUTHORIZATION)
        for connection in connections_in_store
    ]


def no_fault(candidate: Candidate) -> Iterator[None]:
    yield


def tiktok_hangs(candidate: Candidate) -> Iterator[None]:
    """Some connections are due, and clients read some others that need a refresh first."""
    candidate.add(AFFECTED, DUE)
    stale = candidate.add(AFFECTED, STALE)
    candidate.bench.tiktok.set(hangs=True)
    with candidate.waiting_readers(stale):
        yield
    candidate.bench.tiktok.set(hangs=False)
    candidate.bench.tiktok.wait_until_idle()


def slow_refresh(candidate: Candidate) -> Iterator[None]:
    with candidate.waiting_readers(candidate.add(1, STALE, refresh_token="slow") * 8):
        yield


def backlog(candidate: Candidate) -> Iterator[None]:
    candidate.add(BACKLOG, DUE)
    yield
    candidate.drop_backlog()


FAULTS: dict[str, Fault] = {
    BASELINE: no_fault,
    "TikTok hangs": tiktok_hangs,
    "one refresh takes 10 s": slow_refresh,
    f"{BACKLOG:,} are due": backlog,
}


def main() -> None:
    with Bench() as bench:
        bench.tiktok.set(latency=LATENCY)
        healthy = make_connections(HEALTHY)
        rows = FRESH.rows(healthy, bench.cipher)
        insert_into_sqlite(bench.sqlite_path(), rows)
        insert_into_postgres(bench.admin_dsn, rows)
        rounds: dict[tuple[str, str], list[Figures]] = {}
        for store in STORES:
            candidate = Candidate(bench, store, healthy)
            candidate.measure_healthy_reads()  # Warm-up, not counted.
            for _ in range(ROUNDS):
                for name, fault in FAULTS.items():
                    with contextmanager(fault)(candidate):
                        figures = candidate.measure_healthy_reads()
                    rounds.setdefault((store, name), []).append(figures)
            candidate.service.stop()
    _report(rounds)


def _report(rounds: dict[tuple[str, str], list[Figures]]) -> None:
    medians = {key: median(figures) for key, figures in rounds.items()}
    report = Report(
        title="Tail latency under faults",
        description=(
            f"{READS_PER_SECOND} token reads per second of healthy connections, TikTok at "
            f"{LATENCY * 1e3:.0f} ms. While TikTok hangs, {AFFECTED} connections are due and clients "
            f"wait for {AFFECTED} others; eight clients wait for the one slow refresh."
        ),
        header=("", "fault", "reads/s", "p50 ms", "p99 ms", "of baseline", "failed"),
        spreads=[spread([figures.p99 for figures in of_row]) for of_row in rounds.values()],
    )
    worst: dict[str, tuple[float, str]] = {}
    for (store, name), figures in medians.items():
        factor = figures.p99 / medians[store, BASELINE].p99
        worst[name] = max(worst.get(name, (0.0, "")), (factor, store))
        cells = whole(figures.rate), ms(figures.p50), ms(figures.p99), ratio(factor, 1)
        report.row(store, name, *cells, figures.failed)
    for name, (factor, store) in list(worst.items())[1:]:
        report.goal(
            f"{name}: p99 of healthy reads at most {MAX_RATIO} times the baseline",
            result=f"{factor:.1f} at worst, on {store}",
            met=factor <= MAX_RATIO,
        )
    report.publish()


if __name__ == "__main__":
    main()
