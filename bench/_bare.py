"""A bare aiohttp client that reads tokens through PostgREST: what the service is held against.

A process of its own; a job is one line of JSON in, what came of it one line out.
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


async def main(url: str, key: str, ids: list[str]) -> None:
    headers = {
        "apikey": key,
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
    }
    connector = aiohttp.TCPConnector(limit=64)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:
        gc.freeze()
        turn = cycle(ids)
        for line in iter(sys.stdin.readline, ""):
            job = json.loads(line)
            took: list[float] = []
            began = time.perf_counter()
            ends = began + job["seconds"]

            async def ask(ends: float = ends, took: list[float] = took) -> None:
                while (asked := time.perf_counter()) < ends:
                    body = json.dumps({"p_ids": [next(turn)]}).encode()
                    address = f"{url}/rest/v1/rpc/connector_read_tokens"
                    async with http.post(address, data=body) as answer:
                        json.loads(await answer.read())
                        answer.raise_for_status()
                    took.append(time.perf_counter() - asked)

            await asyncio.gather(*(ask() for _ in range(job["connections"])))
            _tell(sorted(took), time.perf_counter() - began)


def _tell(took: list[float], seconds: float) -> None:
    told: dict[str, Any] = {
        "count": len(took),
        "seconds": seconds,
        "p50": took[len(took) // 2],
        "p99": took[len(took) * 99 // 100],
    }
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_text().split()))
