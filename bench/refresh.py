"""Sustained refreshes against a TikTok that takes 150 ms, for small and large tables.

TikTok's tokens live less than a second, so each connection is due again as soon as it is saved, and the
background refresh always has work. Saved refreshes are counted in the table: a refresh raises the token
version by one. TikTok reports whether any refresh token was sent to it twice.

The reference is a bare loop (`_bare_refresh.py`) on the same stack: the same calls and one batched update,
without lease, journal or encryption.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from . import _bare_refresh
from ._bench import Bench, Service, StoreName
from ._rows import DUE, insert_into_postgres, make_connections
from ._table import Figures, Report, median, ratio, spread, us, whole

STORES: tuple[StoreName, ...] = ("PostgREST", "Postgres")
BARE = "bare loop, "
GOAL = 0.6
FEW, MANY = 1_000, 1_000_000
VISITS = ((FEW, 1), (100_000, 2), (MANY, 2), (FEW, 1))
"""Numbers of connections, each with its number of rounds. The small table comes first and last: a machine
that slows down or speeds up meanwhile must not look like an effect of the table size."""

DUE_AT_MOST = 20_000
REPLICAS = 2
"""The number of processes in the last run with the largest table."""

LATENCY = 0.150
WARMING, SECONDS = 1.0, 3.0

ATTEMPTS = "select coalesce(max(id), 0) as n from connector.attempts"
"""Each saved refresh writes one attempt; this query is cheap enough to run during a measurement."""

VERSIONS = "select coalesce(sum(token_version - 1), 0) as n from connector.connections"


@dataclass(frozen=True)
class Run:
    figures: Figures
    sent: int
    saved: int


Key = tuple[str, int, int]
"""Store or bare loop, number of connections, number of processes."""


def main() -> None:
    with Bench() as bench:
        bench.tiktok.set(latency=LATENCY, expires_in=0.5)
        bench.stack.script(_bare_refresh.SETUP)
        bench.stack.reload_postgrest()
        runs: dict[Key, list[Run]] = {}
        for visit, (size, rounds) in enumerate(VISITS):
            _fill(bench, visit, size)
            for _ in range(rounds):
                for store in STORES:
                    runs.setdefault((store, size, 1), []).append(_run(bench, store))
            if size == MANY:
                for store in STORES:
                    runs[store, size, REPLICAS] = [_run(bench, store, replicas=REPLICAS)]
        sent_twice = bench.tiktok.refresh_counts().sent_twice
        # Last, because the bare loop spends refresh tokens twice and leaves rows that cannot be decrypted.
        for size in (FEW, MANY):
            _fill_plain(bench, size)
            for store in STORES:
                runs[BARE + store, size, 1] = [_run_bare(bench, store) for _ in range(2)]
    _report(runs, sent_twice)


def _fill(bench: Bench, visit: int, size: int) -> None:
    """Fills the table with `size` connections, of which up to `DUE_AT_MOST` are always due."""
    bench.stack.script("truncate connector.connections")
    due = make_connections(min(size, DUE_AT_MOST), refresh_token=f"rft.{visit}")
    insert_into_postgres(bench.admin_dsn, DUE.rows(due, bench.cipher), filler=size - len(due))


def _fill_plain(bench: Bench, size: int) -> None:
    """Fills the table with unencrypted refresh tokens, for the bare loop."""
    _fill(bench, 9, size)
    bench.stack.script(
        "update connector.connections set encrypted_tokens = 'rft.' || id where due_at < now()"
    )


def _run(bench: Bench, store: StoreName, *, replicas: int = 1) -> Run:
    sent_before = bench.tiktok.refresh_counts().refreshes
    saved_before = _number(bench, VERSIONS)
    services = [bench.start(store) for _ in range(replicas)]
    for service in services:
        service.wait_until_ready()
    time.sleep(WARMING)
    figures = _watch(bench, services)
    for service in services:
        service.stop()
    # After an orderly stop, what was sent to TikTok and what is saved must be the same number.
    return Run(
        figures,
        sent=bench.tiktok.refresh_counts().refreshes - sent_before,
        saved=_number(bench, VERSIONS) - saved_before,
    )


def _watch(bench: Bench, services: list[Service]) -> Figures:
    started, before, cpu = time.perf_counter(), _number(bench, ATTEMPTS), _cpu_seconds(services)
    time.sleep(SECONDS)
    seconds, count = time.perf_counter() - started, _number(bench, ATTEMPTS) - before
    return Figures(
        rate=count / seconds, p50=0, p99=0, cpu=(_cpu_seconds(services) - cpu) / max(count, 1)
    )


def _run_bare(bench: Bench, store: StoreName) -> Run:
    program = bench.run(sys.executable, "-m", "bench._bare_refresh")
    job = {
        "url": bench.supabase_url,
        "key": bench.stack.service_role_key,
        "dsn": bench.stack.dsn if store == "Postgres" else "",
        "tiktok": bench.tiktok.url,
        "warming": WARMING,
        "seconds": SECONDS,
    }
    result = program.request(job)
    program.stop()
    return Run(Figures(rate=result["rate"], p50=0, p99=0, cpu=result["cpu"]), sent=0, saved=0)


def _number(bench: Bench, query: str) -> int:
    return int(bench.stack.sql(query)[0]["n"])


def _cpu_seconds(services: list[Service]) -> float:
    return sum(service.cpu_seconds for service in services)


def _report(runs: dict[Key, list[Run]], sent_twice: int) -> None:
    medians = {key: median([run.figures for run in of_row]) for key, of_row in runs.items()}
    report = Report(
        title="Refresh",
        description=(
            f"Sustained background refreshes against a TikTok that answers in {LATENCY * 1e3:.0f} ms, "
            "counted in the table once they are saved; Postgres runs with fsync and synchronous "
            "commit. `sent` is the number of refreshes at TikTok, `saved` how many of them are in the "
            "table after an orderly stop. The bare loop makes the same calls and one batched update, "
            "without lease, journal or encryption."
        ),
        header=(
            "",
            "connections",
            "processes",
            "refreshes/s",
            "of bare",
            "CPU µs",
            "sent",
            "saved",
        ),
        spreads=[
            spread([run.figures.rate for run in of_row])
            for of_row in runs.values()
            if len(of_row) > 1
        ],
    )
    for (name, size, processes), figures in sorted(medians.items()):
        of_row = runs[name, size, processes]
        sent, saved = sum(run.sent for run in of_row), sum(run.saved for run in of_row)
        bare = medians.get((BARE + name, size, 1))
        report.row(
            name,
            whole(size),
            processes,
            whole(figures.rate),
            ratio(figures.rate, bare.rate) if bare else "",
            us(figures.cpu),
            whole(sent) if sent else "",
            whole(saved) if sent else "",
        )
    for store in STORES:
        _goals(report, store, medians)
    report.goal(
        f"no token sent twice with 1 and {REPLICAS} processes",
        result=f"{sent_twice} refresh tokens sent twice",
        met=sent_twice == 0,
    )
    lost = sum(run.sent - run.saved for of_row in runs.values() for run in of_row)
    report.goal("no response lost", result=f"{lost} sent refreshes not saved", met=lost == 0)
    report.publish()


def _goals(report: Report, store: str, medians: dict[Key, Figures]) -> None:
    few, many = medians[store, FEW, 1].rate, medians[store, MANY, 1].rate
    shares = few / medians[BARE + store, FEW, 1].rate, many / medians[BARE + store, MANY, 1].rate
    report.goal(
        f"{store}: at least {GOAL} of the bare loop's refreshes per second",
        result=f"{shares[0]:.2f} with {FEW:,}, {shares[1]:.2f} with {MANY:,}",
        met=min(shares) >= GOAL,
    )
    report.goal(
        f"{store}: within 15 % the same with {FEW:,} and with {MANY:,}",
        result=f"{many / few - 1:+.0%}",
        met=abs(many / few - 1) <= 0.15,
    )


if __name__ == "__main__":
    main()
