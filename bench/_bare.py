"""A bare aiohttp client that reads tokens through PostgREST: the reference for the service's reads.

A process of its own: one job as a line of JSON on stdin, its result as a line on stdout.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import Any

import aiohttp
import uvloop


async def main(url: str, key: str, connection_ids: list[str]) -> None:
    headers = {
        "apikey": key,
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
    }
    connector = aiohttp.TCPConnector(limit=64)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:
        gc.freeze()
        next_ids = cycle(connection_ids)
        for line in iter(sys.stdin.readline, ""):
            job = json.loads(line)
            latencies: list[float] = []
            started = time.perf_counter()
            ends = started + job["seconds"]

            async def read(ends: float = ends, latencies: list[float] = latencies) -> None:
                while (sent_at := time.perf_counter()) < ends:
                    body = json.dumps({"p_connection_ids": [next(next_ids)]}).encode()
                    address = f"{url}/rest/v1/rpc/connector_get_stored_tokens"
                    async with http.post(address, data=body) as response:
                        json.loads(await response.read())
                        response.raise_for_status()
                    latencies.append(time.perf_counter() - sent_at)

            await asyncio.gather(*(read() for _ in range(job["connections"])))
            _write_result(sorted(latencies), time.perf_counter() - started)


def _write_result(latencies: list[float], seconds: float) -> None:
    result: dict[str, Any] = {
        "count": len(latencies),
        "seconds": seconds,
        "p50": latencies[len(latencies) // 2],
        "p99": latencies[len(latencies) * 99 // 100],
    }
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_text().split()))
