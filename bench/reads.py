"""Reading a fresh token: GET /connections/{id}/token, from a table of many.

What PostgREST can give is measured beside it: a bare aiohttp client, no service around it, making
the very same call.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from ._bench import AUTHORIZATION, STORES, Bench, StoreName, measured, request
from ._programs import Program
from ._rows import FRESH, Seeded, into_postgres, into_sqlite, people
from ._table import Figures, Report, median, ms, ratio, spread, us, whole

BARE = "bare aiohttp"
CONCURRENT = (1, 16, 64)
CONNECTIONS = 20_000
ROUNDS = 3
SECONDS = 1.2

Measure = Callable[[int], Figures]
Key = tuple[str, int]


def main() -> None:
    with Bench() as bench:
        seeded = people(CONNECTIONS)
        rows = FRESH.rows(seeded, bench.seal)
        into_sqlite(bench.database(), rows)
        into_postgres(bench.admin, rows)
        candidates = _candidates(bench, seeded)
        for measure in candidates.values():
            measure(16)  # Not counted: caches fill, compilers compile.
        figures: dict[Key, list[Figures]] = {}
        for _ in range(ROUNDS):
            for connections in CONCURRENT:
                for name, measure in candidates.items():
                    figures.setdefault((name, connections), []).append(measure(connections))
    _report(figures)


def _candidates(bench: Bench, seeded: list[Seeded]) -> dict[str, Measure]:
    requests = [
        request("GET", f"/connections/{each.id}/token", head=AUTHORIZATION) for each in seeded
    ]

    def of_service(store: StoreName) -> Measure:
        service = bench.serve(store)
        return lambda connections: measured(
            service, bench.load, service.port, requests, connections=connections, seconds=SECONDS
        )

    return {**{store: of_service(store) for store in STORES}, BARE: _bare(bench, seeded)}


def _bare(bench: Bench, seeded: list[Seeded]) -> Measure:
    ids = bench.directory / "ids"
    ids.write_text("\n".join(each.id for each in seeded))
    key = bench.stack.service_role_key
    client = bench.run(sys.executable, "-m", "bench._bare", bench.supabase_url, key, ids)

    def measure(connections: int) -> Figures:
        return _asked(client, connections)

    return measure


def _asked(client: Program, connections: int) -> Figures:
    cpu = client.cpu
    told = client.ask({"connections": connections, "seconds": SECONDS})
    count = told["count"]
    return Figures(
        rate=count / told["seconds"],
        p50=told["p50"],
        p99=told["p99"],
        cpu=(client.cpu - cpu) / count,
    )


def _report(rounds: dict[Key, list[Figures]]) -> None:
    figures = {key: median(of) for key, of in rounds.items()}
    report = Report(
        title="Token read",
        words=(
            f"`GET /connections/{{id}}/token`, fresh tokens, {CONNECTIONS:,} connections, one "
            f"worker. `{BARE}` is a client alone, making the same call to the same PostgREST, "
            "one for each read, where the service lets those who wait at the same time share one; its "
            "CPU is the client's."
        ),
        head=("", "at once", "reads/s", "of bare", "p50 ms", "p99 ms", "CPU µs"),
        noise=[spread([each.rate for each in of]) for of in rounds.values()],
    )
    for (name, connections), got in figures.items():
        bare = figures[BARE, connections]
        report.row(
            name,
            connections,
            whole(got.rate) + ("" if not got.failed else f" ({got.failed} failed)"),
            ratio(got.rate, bare.rate) if name == "PostgREST" else "",
            ms(got.p50),
            ms(got.p99),
            us(got.cpu),
        )
    for name in ("SQLite", "Postgres"):
        rate = figures[name, 16].rate
        report.goal(f"{name}: at least 6,000/s at 16", reached=whole(rate), met=rate >= 6000)
    share = figures["PostgREST", 16].rate / figures[BARE, 16].rate
    report.goal(
        "PostgREST: at least 0.8 of bare aiohttp at 16", reached=f"{share:.2f}", met=share >= 0.8
    )
    report.publish()


if __name__ == "__main__":
    main()
