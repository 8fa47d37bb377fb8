"""How soon the service is ready, how much memory it uses, and whether that grows.

Ready means that /readyz answers 200; it is polled every two milliseconds from before the process exists.
The reference is a Python process that only imports aiohttp, supabase and pydantic. The long run is reads
and background refreshes together on SQLite: as many as on a busy day of a small service.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

from ._bench import AUTHORIZATION, STORES, Bench, Service, StoreName, request
from ._programs import ROOT
from ._rows import (
    DUE,
    FRESH,
    BenchConnection,
    insert_into_postgres,
    insert_into_sqlite,
    make_connections,
)
from ._table import Report

STARTS = 5
READS = 10_000
STRETCHES = 12
"""Stretches of the long run after the first."""

STRETCH_SECONDS = 3.0
CONNECTIONS, DUE_CONNECTIONS = 5_000, 2_000
REFERENCE = "import aiohttp, supabase, pydantic"
PRINT_RESIDENT = (
    "; print(next(line for line in open('/proc/self/status') if 'VmRSS' in line).split()[1])"
)


@dataclass(frozen=True)
class Memory:
    """Resident memory of a service in MiB."""

    idle: float
    after_reads: float


def main() -> None:
    with Bench() as bench:
        connections_in_store = make_connections(CONNECTIONS)
        rows = FRESH.rows(connections_in_store, bench.cipher)
        insert_into_sqlite(bench.sqlite_path(), rows)
        insert_into_postgres(bench.admin_dsn, rows)
        report = Report(
            title="Start and size",
            description=(
                f"From before the process exists to `/readyz` answering 200, median of {STARTS}; "
                f"resident memory when ready, and after {READS:,} token reads."
            ),
            header=("", "ready s", "idle MiB", "after reads MiB"),
        )
        ready = {store: _ready_seconds(bench, store) for store in STORES}
        memory = {store: _memory(bench, store, connections_in_store) for store in STORES}
        imports = statistics.median(_run_seconds(REFERENCE) for _ in range(STARTS))
        resident = _reference_mib()
        for store in STORES:
            idle, after_reads = memory[store].idle, memory[store].after_reads
            report.row(store, f"{ready[store]:.2f}", f"{idle:.0f}", f"{after_reads:.0f}")
        report.row(REFERENCE, f"{imports:.2f}", f"{resident:.0f}", "")
        sizes_over_time = _long_run(bench, connections_in_store)
    first, last = sizes_over_time[0], sizes_over_time[-1]
    slowest = max(ready.values()) / imports
    report.goal(
        "ready on every store within 1.5 times the time of the reference's imports",
        result=f"{slowest:.2f}",
        met=slowest <= 1.5,
    )
    largest = max(max(sizes.idle, sizes.after_reads) for sizes in memory.values()) / resident
    report.goal(
        "at most 1.5 times the memory of the reference on every store",
        result=f"{largest:.2f}",
        met=largest <= 1.5,
    )
    report.goal(
        "flat over a long run (within 5 %)",
        result=f"{first:.1f} MiB at first, {last:.1f} at last, between {min(sizes_over_time):.1f} and "
        f"{max(sizes_over_time):.1f} over {STRETCHES} stretches of {STRETCH_SECONDS:.0f} s at full load",
        met=last <= first * 1.05,
    )
    report.publish()


def _ready_seconds(bench: Bench, store: StoreName) -> float:
    return statistics.median(_start_seconds(bench, store) for _ in range(STARTS))


def _start_seconds(bench: Bench, store: StoreName) -> float:
    started = time.perf_counter()
    service = bench.serve(store)
    seconds = time.perf_counter() - started
    service.stop()
    return seconds


def _memory(bench: Bench, store: StoreName, connections_in_store: list[BenchConnection]) -> Memory:
    service = bench.serve(store)
    time.sleep(1)
    idle = service.resident_mib
    remaining = READS
    while remaining > 0:
        remaining -= _read(bench, service, connections_in_store, seconds=1)
    after_reads = service.resident_mib
    service.stop()
    return Memory(idle, after_reads)


def _read(
    bench: Bench, service: Service, connections_in_store: list[BenchConnection], *, seconds: float
) -> int:
    requests = [
        request("GET", f"/connections/{connection.id}/token", head=AUTHORIZATION)
        for connection in connections_in_store
    ]
    bench.load_generator.start(service.port, requests, connections=16, seconds=seconds)
    result = bench.load_generator.finish()
    assert not result["failed"], result["last_error"]
    return int(result["count"])


def _long_run(bench: Bench, connections_in_store: list[BenchConnection]) -> list[float]:
    """Resident memory in MiB after each stretch."""
    bench.tiktok.set(latency=0.05, expires_in=0.5)
    due = make_connections(DUE_CONNECTIONS, start=CONNECTIONS)
    insert_into_sqlite(bench.sqlite_path(), DUE.rows(due, bench.cipher))
    service = bench.serve("SQLite")
    _read(bench, service, connections_in_store, seconds=STRETCH_SECONDS)
    sizes = [service.resident_mib]
    for _ in range(STRETCHES):
        _read(bench, service, connections_in_store, seconds=STRETCH_SECONDS)
        sizes.append(service.resident_mib)
    service.stop()
    return sizes


def _reference_mib() -> float:
    """Resident memory in MiB of a process that only imported the packages of the reference."""
    command = [sys.executable, "-c", REFERENCE + PRINT_RESIDENT]
    completed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return int(completed.stdout) / 1024


def _run_seconds(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
