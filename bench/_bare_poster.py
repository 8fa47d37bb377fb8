"""A bare aiohttp client that posts signed events from memory: the upper limit of deliveries.

A process of its own: one job as a line of JSON on stdin, its result as a line on stdout.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import hmac
import json
import secrets
import sys
import time
from collections.abc import Iterator

import aiohttp
import uvloop

from ._events import event_data

AT_ONCE = 8
"""As many as the service sends to one endpoint."""

KEY = secrets.token_bytes(32)


async def main(url: str) -> None:
    async with aiohttp.ClientSession() as http:
        gc.freeze()
        for line in iter(sys.stdin.readline, ""):
            count = json.loads(line)["count"]
            requests = iter([_signed_request(number) for number in range(count)])
            started = time.perf_counter()
            await asyncio.gather(*(_post_all(http, url, requests) for _ in range(AT_ONCE)))
            sys.stdout.write(json.dumps({"seconds": time.perf_counter() - started}) + "\n")
            sys.stdout.flush()


async def _post_all(
    http: aiohttp.ClientSession, url: str, requests: Iterator[tuple[bytes, dict[str, str]]]
) -> None:
    for body, headers in requests:
        async with http.post(url, data=body, headers=headers) as response:
            await response.read()
            response.raise_for_status()


def _signed_request(number: int) -> tuple[bytes, dict[str, str]]:
    event_id, timestamp = f"{number:032x}", str(int(time.time()))
    event = {
        "type": "connection.connected",
        "timestamp": "2026-01-01T00:00:00.000000Z",
        "seq": number,
        "data": event_data(number),
    }
    body = json.dumps(event).encode()
    signed = hmac.new(KEY, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return body, {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
