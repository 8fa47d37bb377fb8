"""The TikTok client after its process was stopped: SIGSTOP, a suspended laptop, a container without CPU."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from connector.clock import Clock
from connector.tiktok import Request
from connector.tiktok_client import TikTokClient

from .raw_servers import http_server, ok_response, respond_with


@pytest.mark.parametrize("size", [100, 500_000])
async def test_a_response_that_arrived_while_the_process_was_stopped_is_not_lost(size: int) -> None:
    """The server runs in its own thread. The test blocks the client's event loop past the deadline,
    which has the same effect as SIGSTOP."""
    serving, requested, resume, responded, done = (threading.Event() for _ in range(5))
    ports: list[int] = []

    async def respond_on_resume(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requested.set()
        await asyncio.to_thread(resume.wait)
        await respond_with(ok_response(b"x" * size))(reader, writer)
        responded.set()

    async def serve() -> None:
        async with http_server(respond_on_resume) as origin:
            ports.append(int(origin.rpartition(":")[2]))
            serving.set()
            await asyncio.to_thread(done.wait)

    server_thread = threading.Thread(target=asyncio.run, args=(serve(),))
    server_thread.start()
    try:
        await asyncio.to_thread(serving.wait)
        async with TikTokClient(Clock(), deadline=0.5) as client:
            request = Request("GET", f"http://127.0.0.1:{ports[0]}", "oauth2/advertiser/get")
            sending = asyncio.create_task(client.send(request))
            await asyncio.to_thread(requested.wait)
            blocked_until = time.perf_counter() + 0.5
            resume.set()
            assert responded.wait(10)
            while time.perf_counter() < blocked_until:
                pass
            assert len((await sending).body) == size
    finally:
        done.set()
        resume.set()
        server_thread.join()
