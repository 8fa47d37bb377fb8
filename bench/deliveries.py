"""Delivering events to a customer's server, and what the deliveries cost others.

The ceiling is a bare aiohttp client that posts the same signed events from memory. Events are written into the table
past the service, so the service notices them when it looks for new ones, every second.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ._bench import API_KEY, AUTHORIZATION, STORES, Bench, Service, StoreName, measure_load, request
from ._events import EventWriter
from ._programs import Program, call, get
from ._rows import FRESH, insert_into_postgres, insert_into_sqlite, make_connections
from ._table import Report, ms, ratio, spread, whole

EVENTS = 10_000
WAITING = 1_000
ROUNDS = 3
SECONDS = 3.0
WARM_UP_SECONDS = 1.5
READS_PER_SECOND = 300
CONNECTIONS = 1_000
TIMEOUT_SECONDS = 60.0
SHARES: dict[StoreName, float] = {"SQLite": 0.5, "PostgREST": 0.35, "Postgres": 0.5}
MAX_P50, MAX_P99 = 1.0, 3.0
MAX_READ_RATIO = 2.0
MAX_HANGING_RATIO = 1.2


@dataclass(frozen=True)
class Round:
    rate: float
    quiet_reads_p99: float
    busy_reads_p99: float
    p50: float
    p99: float
    hanging_p99: float


class Sink:
    """The customer's server."""

    def __init__(self, bench: Bench) -> None:
        self._server = bench.start_server("_sink")
        self.url = self._server.url

    def wait_for(self, count: int) -> list[tuple[float, float]]:
        """Returns the arrivals: the time, and the delay since the event."""
        give_up_at = time.monotonic() + TIMEOUT_SECONDS
        while int(get(self._server.port, "/_count")[1]) < count:
            if time.monotonic() > give_up_at:
                raise RuntimeError("Not all events arrived.")
            time.sleep(0.05)
        return [(at, delay) for at, delay in json.loads(get(self._server.port, "/_arrivals")[1])]


class Candidate:
    def __init__(self, bench: Bench, store: StoreName, sink: Sink) -> None:
        self.bench, self.sink = bench, sink
        self.service: Service = bench.serve(store, CONNECTOR_PRIVATE_NETWORKS="127.0.0.0/8")
        self._writer = EventWriter(
            bench.sqlite_path() if store == "SQLite" else None, bench.admin_dsn
        )
        self._reads: list[bytes] = []
        connections = make_connections(CONNECTIONS, refresh_token=f"rft.{store}")
        rows = FRESH.rows(connections, bench.cipher)
        if store == "SQLite":
            insert_into_sqlite(bench.sqlite_path(), rows)
        else:
            insert_into_postgres(bench.admin_dsn, rows)
        self._reads = [
            request("GET", f"/connections/{connection.id}/token", head=AUTHORIZATION)
            for connection in connections
        ]

    @contextmanager
    def endpoint(self, url: str) -> Iterator[None]:
        created = self._call("POST", "/endpoints", {"url": url})
        yield
        self._call("DELETE", f"/endpoints/{created['id']}")

    def measure(self, rate: float) -> Round:
        """`rate` is the number of events per second for everything but the highest rate."""
        quiet = self._measure_reads()
        with self.endpoint(f"{self.sink.url}/ok"):
            # Deliveries are slower for a second after the last read.
            time.sleep(WARM_UP_SECONDS)
            self._writer.write(EVENTS)
            arrivals = sorted(at for at, _ in self.sink.wait_for(EVENTS))
            reads: list[float] = []
            reader = threading.Timer(WARM_UP_SECONDS, lambda: reads.append(self._measure_reads()))
            reader.start()
            delays = self._delays(rate)
            reader.join()
            with self.endpoint(f"{self.sink.url}/hang"):
                self._writer.write(WAITING)
                self.sink.wait_for(WAITING)
                hanging = self._delays(rate)
        return Round(
            rate=(EVENTS - 1) / (arrivals[-1] - arrivals[0]),
            quiet_reads_p99=quiet,
            busy_reads_p99=reads[0],
            p50=statistics.median(delays),
            p99=_p99(delays),
            hanging_p99=_p99(hanging),
        )

    def _delays(self, rate: float) -> list[float]:
        """The first events wait for a service that looks for new ones once a second, so they do not count."""
        counted_from = time.time() + WARM_UP_SECONDS
        written = self._writer.write_at_rate(rate, WARM_UP_SECONDS + SECONDS)
        return [delay for at, delay in self.sink.wait_for(written) if at >= counted_from]

    def _measure_reads(self) -> float:
        figures = measure_load(
            self.service,
            self.bench.load_generator,
            self.service.port,
            self._reads,
            connections=16,
            seconds=SECONDS,
            rate=READS_PER_SECOND,
        )
        if figures.failed:
            raise RuntimeError(f"{figures.failed} reads failed: {figures.last_error}")
        return figures.p99

    def _call(self, method: str, path: str, body: dict[str, str] | None = None) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        status, text = call(self.service.port, method, path, body, headers=headers)
        if status >= 300:
            raise RuntimeError(f"{method} {path} responded with {status}: {text}")
        answer: dict[str, str] = json.loads(text)
        return answer


def main() -> None:
    with Bench() as bench:
        sink = Sink(bench)
        poster = bench.run(sys.executable, "-m", "bench._bare_poster", f"{sink.url}/ok")
        ceilings = [_measure_ceiling(poster, sink) for _ in range(2)]
        rounds: dict[StoreName, list[Round]] = {}
        for store in STORES:
            candidate = Candidate(bench, store, sink)
            for _ in range(ROUNDS):
                ceilings.append(_measure_ceiling(poster, sink))
                rounds.setdefault(store, []).append(
                    candidate.measure(statistics.median(ceilings) / 10)
                )
            candidate.service.stop()
    _report(rounds, ceilings)


def _measure_ceiling(poster: Program, sink: Sink) -> float:
    seconds = poster.request({"count": EVENTS})["seconds"]
    sink.wait_for(EVENTS)
    return float(EVENTS / seconds)


def _p99(values: list[float]) -> float:
    return sorted(values)[len(values) * 99 // 100]


def _report(rounds: dict[StoreName, list[Round]], ceilings: list[float]) -> None:
    ceiling = statistics.median(ceilings)
    report = Report(
        title="Deliveries of events",
        description=(
            f"{EVENTS:,} events written at once, to one endpoint on loopback that responds at once, at most eight "
            f"requests at a time; the bare client posts as many signed events from memory, also eight at a time. "
            "Delays are from the time of the event to its arrival, at a tenth of the bare client's rate, written by "
            f"another process. Token reads are measured at {READS_PER_SECOND} per second without and with these "
            f"deliveries. `other hangs`: a second endpoint never responds, and {WAITING:,} events wait there."
        ),
        header=(
            "",
            "events/s",
            "of bare",
            "p50 ms",
            "p99 ms",
            "p99, other hangs",
            "reads p99 ms",
            "quiet",
            "ratio",
        ),
        spreads=[spread([figures.rate for figures in of_store]) for of_store in rounds.values()],
    )
    medians: dict[StoreName, Round] = {}
    for store, of_store in rounds.items():
        figures = medians[store] = Round(
            *(
                statistics.median(getattr(one, name) for one in of_store)
                for name in Round.__dataclass_fields__
            )
        )
        report.row(
            store,
            whole(figures.rate),
            ratio(figures.rate, ceiling),
            ms(figures.p50),
            ms(figures.p99),
            ms(figures.hanging_p99),
            ms(figures.busy_reads_p99),
            ms(figures.quiet_reads_p99),
            ratio(figures.busy_reads_p99, figures.quiet_reads_p99),
        )
    report.row("bare client", whole(ceiling), "1.00", "", "", "", "", "", "")
    for store, figures in medians.items():
        share = figures.rate / ceiling
        report.goal(
            f"{store}: at least {SHARES[store]} of the bare client's events per second",
            result=f"{share:.2f}",
            met=share >= SHARES[store],
        )
        report.goal(
            f"{store}: p50 under {MAX_P50:.0f} s and p99 under {MAX_P99:.0f} s at a tenth of that rate",
            result=f"{figures.p50:.2f} s and {figures.p99:.2f} s",
            met=figures.p50 < MAX_P50 and figures.p99 < MAX_P99,
        )
        reads = figures.busy_reads_p99 / figures.quiet_reads_p99
        report.goal(
            f"{store}: p99 of token reads meanwhile at most {MAX_READ_RATIO:.0f} times the quiet one",
            result=f"{reads:.2f}",
            met=reads <= MAX_READ_RATIO,
        )
        hanging = figures.hanging_p99 / figures.p99
        report.goal(
            f"{store}: p99 of one endpoint within 20 % while another hangs",
            result=f"{hanging:.2f}",
            met=hanging <= MAX_HANGING_RATIO,
        )
    report.publish()


if __name__ == "__main__":
    main()
