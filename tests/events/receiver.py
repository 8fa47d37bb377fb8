"""The server of a customer that receives events, on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from connector.web import listen
from tests.processes import free_port


@dataclass(frozen=True)
class ReceivedEvent:
    id: str
    timestamp: int
    signature: str
    content_type: str
    user_agent: str
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def seq(self) -> int:
        return int(self.json["seq"])


MANY = 10_000


def _always() -> asyncio.Semaphore:
    return asyncio.Semaphore(MANY)


@dataclass
class Receiver:
    """Responds with the next of `statuses`, and with `status` when none is left."""

    url: str
    status: int = 200
    statuses: list[int] = field(default_factory=list)
    response_headers: dict[str, str] = field(default_factory=dict)
    received: list[ReceivedEvent] = field(default_factory=list)
    may_answer: asyncio.Semaphore = field(default_factory=_always)
    open: int = 0
    max_open: int = 0
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.received]

    @property
    def types(self) -> list[str]:
        return [event.json["type"] for event in self.received]

    def stop_answering(self) -> None:
        """Requests wait until `answer` or `answer_one`."""
        self.may_answer = asyncio.Semaphore(0)

    def answer_one(self) -> None:
        self.may_answer.release()

    def answer(self) -> None:
        for _ in range(MANY):
            self.may_answer.release()

    async def until_received(self, count: int) -> None:
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.received) >= count)

    async def handle(self, request: web.Request) -> web.Response:
        self.open += 1
        self.max_open = max(self.max_open, self.open)
        try:
            body = await request.read()
            async with self.arrived:
                self.received.append(_received(request, body))
                self.arrived.notify_all()
            await self.may_answer.acquire()
            status = self.statuses.pop(0) if self.statuses else self.status
            return web.Response(status=status, headers=self.response_headers)
        finally:
            self.open -= 1


def _received(request: web.Request, body: bytes) -> ReceivedEvent:
    return ReceivedEvent(
        id=request.headers["webhook-id"],
        timestamp=int(request.headers["webhook-timestamp"]),
        signature=request.headers["webhook-signature"],
        content_type=request.headers["Content-Type"],
        user_agent=request.headers["User-Agent"],
        body=body,
    )


@asynccontextmanager
async def running_receiver() -> AsyncIterator[Receiver]:
    port = free_port()
    receiver = Receiver(f"http://127.0.0.1:{port}/hook")
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    async with listen(app, "127.0.0.1", port, shutdown_timeout=0.1):
        yield receiver
