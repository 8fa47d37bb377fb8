"""Sustained refreshes against a TikTok that takes 150 ms, however many connections there are.

TikTok's answers live less than a second, so each connection is due again as soon as it is saved
and the keeper never runs out of work. What counts is what stands in the table: the versions, which
a refresh raises by one when it is saved for good. TikTok tells whether any refresh token was shown
to it twice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from ._bench import Bench, Service, StoreName
from ._rows import DUE, into_postgres, people
from ._table import Figures, Report, median, spread, us, whole

GOALS: dict[StoreName, int] = {"PostgREST": 1000, "Postgres": 2500}
FEW, MANY = 1_000, 1_000_000
VISITS = ((FEW, 1), (100_000, 2), (MANY, 2), (FEW, 1))
"""How many connections, and how many rounds with them. Few come first and last: a machine that slows
down or speeds up meanwhile must not pass for a difference between few and many."""

DUE_AT_MOST = 20_000
CREWS = (2, 4)
LATENCY = 0.150
WARMING, SECONDS = 1.0, 3.0

LOGGED = "select coalesce(max(id), 0) as n from connector.attempts"
"""Each save writes one line of the log with it; this much can be asked without being noticed."""

VERSIONS = "select coalesce(sum(version - 1), 0) as n from connector.connections"


def main() -> None:
    with Bench() as bench:
        bench.tiktok.set(latency=LATENCY, expires_in=0.5)
        runs: dict[Key, list[Run]] = {}
        for visit, (size, rounds) in enumerate(VISITS):
            _fill(bench, visit, size)
            crews = CREWS if size == MANY else ()
            for workers in (*(1 for _ in range(rounds)), *crews):
                for store in GOALS:
                    run = _run(bench, store, workers=workers)
                    runs.setdefault((store, size, workers), []).append(run)
        twice = bench.tiktok.told()["twice"]
    _report(runs, twice)


def _fill(bench: Bench, visit: int, size: int) -> None:
    """So many connections, of which some thousands are due and stay so."""
    bench.stack.script("truncate connector.connections")
    due = people(min(size, DUE_AT_MOST), refresh_token=f"rft.{visit}")
    into_postgres(bench.admin, DUE.rows(due, bench.seal), filler=size - len(due))


@dataclass(frozen=True)
class Run:
    figures: Figures
    sent: int
    saved: int


Key = tuple[StoreName, int, int]


def _run(bench: Bench, store: StoreName, *, workers: int) -> Run:
    asked, kept = bench.tiktok.told()["refreshes"], _number(bench, VERSIONS)
    crew = [bench.start(store) for _ in range(workers)]
    for service in crew:
        service.ready()
    time.sleep(WARMING)
    figures = _watched(bench, crew)
    for service in crew:
        service.stop()
    # Stopped in peace: what TikTok was asked for and what is saved must be the same number.
    return Run(
        figures,
        sent=bench.tiktok.told()["refreshes"] - asked,
        saved=_number(bench, VERSIONS) - kept,
    )


def _watched(bench: Bench, crew: list[Service]) -> Figures:
    began, before, cpu = time.perf_counter(), _number(bench, LOGGED), _cpu(crew)
    time.sleep(SECONDS)
    seconds, count = time.perf_counter() - began, _number(bench, LOGGED) - before
    return Figures(rate=count / seconds, p50=0, p99=0, cpu=(_cpu(crew) - cpu) / max(count, 1))


def _number(bench: Bench, query: str) -> int:
    return int(bench.stack.sql(query)[0]["n"])


def _cpu(crew: list[Service]) -> float:
    return sum(service.cpu for service in crew)


def _report(runs: dict[Key, list[Run]], twice: int) -> None:
    figures = {key: median([run.figures for run in of]) for key, of in runs.items()}
    report = Report(
        title="Refresh",
        words=(
            f"Sustained background refreshes against a TikTok that answers in {LATENCY * 1e3:.0f} "
            "ms, counted in the table once they are saved; Postgres keeps its promises about the "
            "disk. `sent` is how often TikTok was asked, `saved` how many of those answers stand in "
            "the table after the workers were stopped."
        ),
        head=("", "connections", "workers", "refreshes/s", "CPU µs", "sent", "saved"),
        noise=[spread([run.figures.rate for run in of]) for of in runs.values() if len(of) > 1],
    )
    for (store, size, workers), got in sorted(figures.items()):
        of = runs[store, size, workers]
        sent, saved = sum(run.sent for run in of), sum(run.saved for run in of)
        cells = whole(got.rate), us(got.cpu), whole(sent), whole(saved)
        report.row(store, whole(size), workers, *cells)
    for store in GOALS:
        _goals(report, store, figures)
    report.goal(
        "none claimed twice with 1, 2 and 4 workers",
        reached=f"{twice} refresh tokens shown twice",
        met=twice == 0,
    )
    lost = sum(run.sent - run.saved for of in runs.values() for run in of)
    report.goal("no answer lost", reached=f"{lost} of those sent not saved", met=lost == 0)
    report.publish()


def _goals(report: Report, store: StoreName, figures: dict[Key, Figures]) -> None:
    few, many = figures[store, FEW, 1].rate, figures[store, MANY, 1].rate
    report.goal(
        f"{store}: at least {GOALS[store]:,} per second with one worker",
        reached=f"{few:,.0f} with {FEW:,}, {many:,.0f} with {MANY:,}",
        met=min(few, many) >= GOALS[store],
    )
    report.goal(
        f"{store}: within 15 % the same with {FEW:,} and with {MANY:,}",
        reached=f"{many / few - 1:+.0%}",
        met=abs(many / few - 1) <= 0.15,
    )


if __name__ == "__main__":
    main()
