"""The load generator: it sends requests that are bytes already, over connections that stay open.

A process of its own: one job as a line of JSON on stdin, its result as a line on stdout. Without a rate,
each connection sends its next request as soon as it has the response. With a rate, each request has a due
time and its latency counts from there, so waiting behind a slow request counts too.
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

SEPARATOR = b"\0\0"


class Client(asyncio.Protocol):
    def __init__(self, run: LoadRun) -> None:
        self._run = run
        self._received = b""
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def send_next(self) -> None:
        request, self._due = self._run.next_request()
        if not request:
            self._run.remove(self)
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
        self._run.latencies.append(time.perf_counter() - self._due)
        if not self._received.startswith(b"HTTP/1.1 200"):
            self._run.last_error = self._received.decode()
            self._run.failed += 1
        self._received = b""
        self.send_next()

    def connection_lost(self, error: Exception | None) -> None:
        self._run.remove(self)


class LoadRun:
    def __init__(self, job: dict[str, Any]) -> None:
        requests = Path(job["requests"]).read_bytes().split(SEPARATOR)
        self._requests: Iterator[bytes] = cycle(requests) if job["repeat"] else iter(requests)
        self._job = job
        self._sent = 0
        self.latencies: list[float] = []
        self.failed = 0
        self.last_error = ""
        self._active: set[Client] = set()
        self._finished = asyncio.Event()

    def next_request(self) -> tuple[bytes, float]:
        """The request and its due time; the request is empty when the run is over."""
        now = time.perf_counter()
        due = self._started_at + self._sent / rate if (rate := self._job["rate"]) else now
        self._sent += 1
        if max(due, now) >= self._ends_at:
            return b"", due
        return next(self._requests, b""), due

    def remove(self, client: Client) -> None:
        self._active.discard(client)
        if not self._active:
            self._finished.set()

    async def execute(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        clients = []
        for _ in range(self._job["connections"]):
            _, client = await loop.create_connection(
                lambda: Client(self), "127.0.0.1", self._job["port"]
            )
            clients.append(client)
        self._active = set(clients)
        self._started_at = time.perf_counter()
        self._ends_at = self._started_at + self._job["seconds"]
        for client in clients:
            client.send_next()
        try:
            async with asyncio.timeout(self._job["seconds"] + self._job["grace"]):
                await self._finished.wait()
        except TimeoutError:
            self.failed += len(self._active)
            self.last_error = self.last_error or "no response"
        elapsed = time.perf_counter() - self._started_at
        for client in clients:
            client.transport.abort()
        return self._result(elapsed)

    def _result(self, elapsed: float) -> dict[str, Any]:
        latencies = sorted(self.latencies) or [0.0]
        return {
            "count": len(self.latencies),
            "seconds": elapsed,
            "p50": latencies[len(latencies) // 2],
            "p99": latencies[len(latencies) * 99 // 100],
            "failed": self.failed,
            "last_error": self.last_error,
        }


def main() -> None:
    gc.disable()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(uvloop.run(LoadRun(json.loads(line)).execute())) + "\n")
        sys.stdout.flush()
        gc.collect()


if __name__ == "__main__":
    main()
