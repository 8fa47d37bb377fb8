"""Those who are well must not feel the trouble of others.

Healthy tokens are read at a steady rate, well below what the service can do, and how long each took
counts from when it was due: waiting behind a slow one is not forgiven. Meanwhile there is trouble,
of one kind after another. Each store is quiet once in every round, and that is what its own troubles
are held against.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ._bench import AUTHORIZATION, STORES, Bench, StoreName, measured, request
from ._rows import (
    DUE,
    FRESH,
    STALE,
    Seeded,
    State,
    calm_postgres,
    calm_sqlite,
    into_postgres,
    into_sqlite,
    people,
)
from ._table import Figures, Report, median, ms, ratio, spread, whole

HEALTHY = 5_000
PER_SECOND = 500
SECONDS = 1.3
UNDER_WAY = 0.3
ROUNDS = 3
LATENCY = 0.150
BACKLOG = 10_000
SUFFERING = 64
TIMES_QUIET = 3

Trouble = Callable[["Ground"], Iterator[None]]


class Ground:
    """One store, the service on it, and the means to make trouble."""

    def __init__(self, bench: Bench, store: StoreName, healthy: Sequence[Seeded]) -> None:
        self.bench = bench
        self._store = store
        self._made = 0
        self.service = bench.serve(store)
        self._healthy = _reads(healthy)
        self._sufferers = bench.another_load()

    def add(self, count: int, state: State, *, refresh_token: str = "rft") -> list[Seeded]:
        self._made += count
        name = f"{refresh_token}.{self._store}"
        added = people(count, start=HEALTHY + self._made, refresh_token=name)
        rows = state.rows(added, self.bench.seal)
        if self._store == "SQLite":
            into_sqlite(self.bench.database(), rows)
        else:
            into_postgres(self.bench.admin, rows)
        return added

    def calm(self) -> None:
        """The rest of a backlog is not waited for."""
        if self._store == "SQLite":
            calm_sqlite(self.bench.database())
        else:
            calm_postgres(self.bench.admin)
        self.bench.tiktok.rest()

    @contextmanager
    def asking(self, seeded: Sequence[Seeded]) -> Iterator[None]:
        """Others wait for these all the while. Left once they do."""
        self._sufferers.begin(
            self.service.port,
            _reads(seeded),
            connections=len(seeded),
            seconds=SECONDS + UNDER_WAY,
            patience=0.1,
        )
        time.sleep(UNDER_WAY)
        try:
            yield
        finally:
            self._sufferers.end()

    def read(self) -> Figures:
        return measured(
            self.service,
            self.bench.load,
            self.service.port,
            self._healthy,
            connections=32,
            seconds=SECONDS,
            rate=PER_SECOND,
        )


def _reads(seeded: Sequence[Seeded]) -> list[bytes]:
    return [request("GET", f"/connections/{each.id}/token", head=AUTHORIZATION) for each in seeded]


def quiet(ground: Ground) -> Iterator[None]:
    yield


def hanging(ground: Ground) -> Iterator[None]:
    """Some are due, and some others are asked for although they want a refresh first."""
    ground.add(SUFFERING, DUE)
    stale = ground.add(SUFFERING, STALE)
    ground.bench.tiktok.set(hangs=True)
    with ground.asking(stale):
        yield
    ground.bench.tiktok.set(hangs=False)
    ground.bench.tiktok.rest()


def slow(ground: Ground) -> Iterator[None]:
    with ground.asking(ground.add(1, STALE, refresh_token="slow") * 8):
        yield


def busy(ground: Ground) -> Iterator[None]:
    ground.add(BACKLOG, DUE)
    yield
    ground.calm()


TROUBLES: dict[str, Trouble] = {
    "quiet": quiet,
    "TikTok hangs": hanging,
    "one refresh takes 10 s": slow,
    f"{BACKLOG:,} are due": busy,
}


def main() -> None:
    with Bench() as bench:
        bench.tiktok.set(latency=LATENCY)
        healthy = people(HEALTHY)
        rows = FRESH.rows(healthy, bench.seal)
        into_sqlite(bench.database(), rows)
        into_postgres(bench.admin, rows)
        rounds: dict[tuple[str, str], list[Figures]] = {}
        for store in STORES:
            ground = Ground(bench, store, healthy)
            ground.read()  # Not counted: caches fill.
            for _ in range(ROUNDS):
                for name, trouble in TROUBLES.items():
                    with contextmanager(trouble)(ground):
                        rounds.setdefault((store, name), []).append(ground.read())
            ground.service.stop()
    _report(rounds)


def _report(rounds: dict[tuple[str, str], list[Figures]]) -> None:
    figures = {key: median(of) for key, of in rounds.items()}
    report = Report(
        title="Tail under trouble",
        words=(
            f"{PER_SECOND} token reads per second of healthy connections, TikTok at "
            f"{LATENCY * 1e3:.0f} ms. While it hangs, {SUFFERING} are due and {SUFFERING} others "
            "are waited for; the one slow refresh has eight who wait for it."
        ),
        head=("", "trouble", "reads/s", "p50 ms", "p99 ms", "of quiet", "failed"),
        noise=[spread([each.p99 for each in of]) for of in rounds.values()],
    )
    worst: dict[str, tuple[float, str]] = {}
    for (store, name), got in figures.items():
        times = got.p99 / figures[store, "quiet"].p99
        worst[name] = max(worst.get(name, (0.0, "")), (times, store))
        cells = whole(got.rate), ms(got.p50), ms(got.p99), ratio(times, 1), got.failed
        report.row(store, name, *cells)
    for name, (times, store) in list(worst.items())[1:]:
        report.goal(
            f"{name}: p99 of the healthy within {TIMES_QUIET} times the quiet",
            reached=f"{times:.1f} at worst, on {store}",
            met=times <= TIMES_QUIET,
        )
    report.publish()


if __name__ == "__main__":
    main()
