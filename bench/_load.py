"""Whoever asks: requests that are bytes already, over connections that stay open.

A process of its own. A job is one line of JSON in, what came of it one line out. Without a rate
each connection asks again as soon as it is answered; with one, requests have a time at which they
are due, and how long they took counts from then: waiting behind a slow one is not forgiven.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any, cast

import uvloop

from ._server import content_length

BETWEEN = b"\0\0"


class Asker(asyncio.Protocol):
    def __init__(self, run: Run) -> None:
        self._run = run
        self._received = b""
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def ask(self) -> None:
        request, self._due = self._run.next()
        if not request:
            self._run.leave(self)
            return
        wait = self._due - time.perf_counter()
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self.transport.write, request)
        else:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0 or len(self._received) < end + 4 + content_length(self._received[:end]):
            return
        self._run.took.append(time.perf_counter() - self._due)
        if not self._received.startswith(b"HTTP/1.1 200"):
            self._run.refused = self._received.decode()
            self._run.failed += 1
        self._received = b""
        self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        self._run.leave(self)


class Run:
    def __init__(self, job: dict[str, Any]) -> None:
        requests = Path(job["requests"]).read_bytes().split(BETWEEN)
        self._requests: Iterator[bytes] = cycle(requests) if job["again"] else iter(requests)
        self._job = job
        self._sent = 0
        self.took: list[float] = []
        self.failed = 0
        self.refused = ""
        self._asking: set[Asker] = set()
        self._over = asyncio.Event()

    def next(self) -> tuple[bytes, float]:
        now = time.perf_counter()
        due = self._began + self._sent / rate if (rate := self._job["rate"]) else now
        self._sent += 1
        if max(due, now) >= self._ends:
            return b"", due
        return next(self._requests, b""), due

    def leave(self, asker: Asker) -> None:
        self._asking.discard(asker)
        if not self._asking:
            self._over.set()

    async def carry_out(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        askers = []
        for _ in range(self._job["connections"]):
            _, asker = await loop.create_connection(
                lambda: Asker(self), "127.0.0.1", self._job["port"]
            )
            askers.append(asker)
        self._asking = set(askers)
        self._began = time.perf_counter()
        self._ends = self._began + self._job["seconds"]
        for asker in askers:
            asker.ask()
        try:
            async with asyncio.timeout(self._job["seconds"] + self._job["patience"]):
                await self._over.wait()
        except TimeoutError:
            self.failed += len(self._asking)
            self.refused = self.refused or "no answer"
        elapsed = time.perf_counter() - self._began
        for asker in askers:
            asker.transport.abort()
        return self._told(elapsed)

    def _told(self, elapsed: float) -> dict[str, Any]:
        took = sorted(self.took) or [0.0]
        return {
            "count": len(self.took),
            "seconds": elapsed,
            "p50": took[len(took) // 2],
            "p99": took[len(took) * 99 // 100],
            "failed": self.failed,
            "refused": self.refused,
        }


def main() -> None:
    gc.disable()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(uvloop.run(Run(json.loads(line)).carry_out())) + "\n")
        sys.stdout.flush()
        gc.collect()


if __name__ == "__main__":
    main()
