"""Reading a fresh token: GET /connections/{id}/token, from a large table.

Two references are measured in the same run: a bare aiohttp handler that returns a constant, and a bare
aiohttp client, no service around it, that makes the same call to PostgREST.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from ._bench import AUTHORIZATION, STORES, Bench, StoreName, measure_load, request
from ._programs import Program
from ._rows import (
    FRESH,
    BenchConnection,
    insert_into_postgres,
    insert_into_sqlite,
    make_connections,
)
from ._table import Figures, Report, median, ms, ratio, spread, us, whole

HANDLER, CLIENT = "bare handler", "bare client"
CONCURRENT = (1, 16, 64)
CONNECTIONS = 20_000
ROUNDS = 3
SECONDS = 1.2
GOALS: dict[str, tuple[str, float]] = {
    "SQLite": (HANDLER, 0.35),
    "Postgres": (HANDLER, 0.30),
    "PostgREST": (CLIENT, 1.5),
}
"""The reference of each store, and the share of the reference's rate to reach at 16 at once."""

Measure = Callable[[int], Figures]
Key = tuple[str, int]


def main() -> None:
    with Bench() as bench:
        connections = make_connections(CONNECTIONS)
        rows = FRESH.rows(connections, bench.cipher)
        insert_into_sqlite(bench.sqlite_path(), rows)
        insert_into_postgres(bench.admin_dsn, rows)
        candidates = _candidates(bench, connections)
        for measure in candidates.values():
            measure(16)  # Warm-up, not counted.
        rounds: dict[Key, list[Figures]] = {}
        for _ in range(ROUNDS):
            for concurrent in CONCURRENT:
                for name, measure in candidates.items():
                    rounds.setdefault((name, concurrent), []).append(measure(concurrent))
    _report(rounds)


def _candidates(bench: Bench, connections: list[BenchConnection]) -> dict[str, Measure]:
    requests = [
        request("GET", f"/connections/{connection.id}/token", head=AUTHORIZATION)
        for connection in connections
    ]

    def of_program(program: Program, port: int) -> Measure:
        return lambda concurrent: measure_load(
            program, bench.load_generator, port, requests, connections=concurrent, seconds=SECONDS
        )

    def of_service(store: StoreName) -> Measure:
        service = bench.serve(store)
        return of_program(service, service.port)

    handler = bench.start_server("_constant")
    return {
        **{store: of_service(store) for store in STORES},
        HANDLER: of_program(handler, handler.port),
        CLIENT: _bare_client(bench, connections),
    }


def _bare_client(bench: Bench, connections: list[BenchConnection]) -> Measure:
    ids = bench.directory / "ids"
    ids.write_text("\n".join(connection.id for connection in connections))
    key = bench.stack.service_role_key
    client = bench.run(sys.executable, "-m", "bench._bare", bench.supabase_url, key, ids)

    def measure(concurrent: int) -> Figures:
        cpu_before = client.cpu_seconds
        result = client.request({"connections": concurrent, "seconds": SECONDS})
        count = result["count"]
        return Figures(
            rate=count / result["seconds"],
            p50=result["p50"],
            p99=result["p99"],
            cpu=(client.cpu_seconds - cpu_before) / count,
        )

    return measure


def _report(rounds: dict[Key, list[Figures]]) -> None:
    medians = {key: median(figures) for key, figures in rounds.items()}
    report = Report(
        title="Token read",
        description=(
            f"`GET /connections/{{id}}/token`, fresh tokens, {CONNECTIONS:,} connections, one "
            f"process. `{HANDLER}` is an aiohttp handler that returns a constant: SQLite and Postgres "
            f"are compared with it. `{CLIENT}` is a client alone that makes the same call to the same "
            "PostgREST, one call for each read, where concurrent reads of the service share one: "
            "PostgREST is compared with it, and its CPU is the client's."
        ),
        header=("", "at once", "reads/s", "of reference", "p50 ms", "p99 ms", "CPU µs"),
        spreads=[spread([figures.rate for figures in of_row]) for of_row in rounds.values()],
    )
    for (name, concurrent), figures in medians.items():
        reference = GOALS[name][0] if name in GOALS else None
        report.row(
            name,
            concurrent,
            whole(figures.rate) + ("" if not figures.failed else f" ({figures.failed} failed)"),
            ratio(figures.rate, medians[reference, concurrent].rate) if reference else "",
            ms(figures.p50),
            ms(figures.p99),
            us(figures.cpu),
        )
    failed = sum(figures.failed for figures in medians.values())
    report.goal("no request failed", result=f"{failed} failed", met=failed == 0)
    for name, (reference, goal) in GOALS.items():
        share = medians[name, 16].rate / medians[reference, 16].rate
        report.goal(
            f"{name}: at least {goal} of the {reference}'s reads per second at 16",
            result=f"{share:.2f}",
            met=share >= goal,
        )
    report.publish()


if __name__ == "__main__":
    main()
