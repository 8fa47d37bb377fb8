"""How soon the service is ready, how large it is, and whether it stays so.

Ready means that /readyz answers 200, asked every two milliseconds from before the process exists.
The long run is reads and background refreshes together on SQLite: as many as a busy day of a small
service holds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from ._bench import AUTHORIZATION, STORES, Bench, Service, StoreName, request
from ._programs import ROOT
from ._rows import DUE, FRESH, Seeded, into_postgres, into_sqlite, people
from ._table import Report

STARTS = 5
READS = 10_000
LONG = 12
"""Stretches of the long run after the first, each of a few seconds."""

STRETCH = 3.0
CONNECTIONS, TENDED = 5_000, 2_000
MODULES = ("connector.app", "connector.store.postgres", "connector.store.supabase")


def main() -> None:
    with Bench() as bench:
        seeded = people(CONNECTIONS)
        rows = FRESH.rows(seeded, bench.seal)
        into_sqlite(bench.database(), rows)
        into_postgres(bench.admin, rows)
        report = Report(
            title="Start and size",
            words=(
                f"From before the process exists to `/readyz` answering 200, median of {STARTS}; "
                f"resident memory when ready, and after {READS:,} token reads."
            ),
            head=("", "ready s", "idle MiB", "after reads MiB", "import s"),
        )
        ready = {store: _ready(bench, store) for store in STORES}
        sizes = {store: _sizes(bench, store, seeded) for store in STORES}
        for store, module in zip(STORES, MODULES, strict=True):
            idle, read = sizes[store]
            report.row(store, f"{ready[store]:.2f}", f"{idle:.0f}", f"{read:.0f}", _import(module))
        first, last, lowest, highest = _long_run(bench, seeded)
    report.goal(
        "ready in under 1 s on SQLite", reached=f"{ready['SQLite']:.2f} s", met=ready["SQLite"] < 1
    )
    largest = max(max(each) for each in sizes.values())
    report.goal("under 90 MiB on every store", reached=f"{largest:.0f} MiB", met=largest < 90)
    report.goal(
        "flat over a long run (within 5 %)",
        reached=f"{first:.1f} MiB at first, {last:.1f} at last, between {lowest:.1f} and "
        f"{highest:.1f} over {LONG} stretches of {STRETCH:.0f} s at full load",
        met=last <= first * 1.05,
    )
    report.publish()


def _ready(bench: Bench, store: StoreName) -> float:
    return statistics.median(_one_start(bench, store) for _ in range(STARTS))


def _one_start(bench: Bench, store: StoreName) -> float:
    began = time.perf_counter()
    service = bench.serve(store)
    took = time.perf_counter() - began
    service.stop()
    return took


def _sizes(bench: Bench, store: StoreName, seeded: list[Seeded]) -> tuple[float, float]:
    service = bench.serve(store)
    time.sleep(1)
    idle = service.resident
    left = READS
    while left > 0:
        left -= _read(bench, service, seeded, seconds=1)
    read = service.resident
    service.stop()
    return idle, read


def _read(bench: Bench, service: Service, seeded: list[Seeded], *, seconds: float) -> int:
    requests = [
        request("GET", f"/connections/{each.id}/token", head=AUTHORIZATION) for each in seeded
    ]
    bench.load.begin(service.port, requests, connections=16, seconds=seconds)
    told = bench.load.end()
    assert not told["failed"], told["refused"]
    return int(told["count"])


def _long_run(bench: Bench, seeded: list[Seeded]) -> tuple[float, float, float, float]:
    bench.tiktok.set(latency=0.05, expires_in=0.5)
    tended = people(TENDED, start=CONNECTIONS)
    into_sqlite(bench.database(), DUE.rows(tended, bench.seal))
    service = bench.serve("SQLite")
    _read(bench, service, seeded, seconds=STRETCH)
    sizes = [service.resident]
    for _ in range(LONG):
        _read(bench, service, seeded, seconds=STRETCH)
        sizes.append(service.resident)
    service.stop()
    return sizes[0], sizes[-1], min(sizes), max(sizes)


def _import(module: str) -> str:
    """Beyond what an empty interpreter takes."""
    took = statistics.median(_run(f"import {module}") - _run("pass") for _ in range(STARTS))
    return f"{took:.2f}"


def _run(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
