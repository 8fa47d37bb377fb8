"""Thousands of generated requests, among them broken HTTP: each one is answered, and none causes a defect.

The service may close a connection without an answer only for the reasons in `Silence` of `generated.message`.

The seed decides all requests, except for ids and credentials, which are new in each run. `make drill` sends
10,000 requests with a random seed to each kind of store. A failure prints the seed and the bytes that were sent.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from math import ceil
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession, DummyCookieJar

from connector.web import ROUTES
from tests.database_views import supabase_view
from tests.events.receiver import running_receiver
from tests.running_service import AS_SERVER, Simulator

from .generated import impatient_service
from .generated.broken_http import BREAKERS, SLOW_BREAKERS
from .generated.client import Exchange, exchange
from .generated.composer import Composer, World
from .generated.message import GeneratedRequest, HttpMessage, split
from .generated.rules import Rules
from .generated.world import API_KEY_SETTING, WorldBuilder, new_user, signed_in_user
from .service_process import ROOT, ServiceProcess, wait_until

DRILL = int(os.environ.get("CONNECTOR_GENERATED_REQUESTS", "0"))
COUNT = DRILL or 1200
SEED = int(os.environ.get("CONNECTOR_GENERATED_SEED") or (secrets.randbelow(10**9) if DRILL else 1))
STORES = ("sqlite", "supabase", "postgres") if DRILL else ("sqlite",)
BATCH = ceil(COUNT / ceil(COUNT / 5000))
"""Each batch is one test, because a test has a time limit."""

SECRET_SETTINGS = {
    "SUPABASE_SERVICE_ROLE_KEY",
    "SUPABASE_JWT_SECRET",
    "SUPABASE_DB_URL",
    "CONNECTOR_ENCRYPTION_KEYS",
}

CLIENTS = 24
MAX_REPORTED = 5
MAX_MEMORY_GROWTH = 32 * 2**20
MAX_NEW_FILES = 40
"""The service keeps connections to TikTok and to the database open."""

MIN_HANDLED_SHARE = 0.4
MAX_LIMITED_SHARE = 0.05
METRIC = re.compile(
    r'connector_http_request_duration_seconds_count{method="(.*)",route="(.*)",status="(.*)"} (.*)'
)
RouteStatus = tuple[str, str, int]


@dataclass
class Generator:
    world: World
    seed: int

    def generate(self, number: int) -> GeneratedRequest:
        random = Random(f"{self.seed}:{number}")
        composer = Composer(self.world, random)
        message = composer.compose(ROUTES[number % len(ROUTES)])
        share = random.random()
        if share < 0.30:
            return random.choice(BREAKERS)(message, random)
        if share < 0.31:
            return random.choice(SLOW_BREAKERS)(message, random)
        if share < 0.40:
            others = [composer.compose(random.choice(ROUTES)) for _ in range(random.randint(1, 5))]
            return pipelined([message, *others], random)
        return single(message, random)


def single(message: HttpMessage, random: Random) -> GeneratedRequest:
    encoded = message.encode_chunked(random) if random.random() < 0.15 else message.encode()
    return GeneratedRequest("one request", split(encoded, random), (message.method,))


def pipelined(messages: list[HttpMessage], random: Random) -> GeneratedRequest:
    sent = b"".join(message.encode() for message in messages)
    methods = tuple(message.method for message in messages)
    return GeneratedRequest("pipelined", split(sent, random), methods, len(methods), len(methods))


@dataclass
class Report:
    rules: Rules | None = None
    problems: list[str] = field(default_factory=list)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    requests: dict[str, str] = field(default_factory=dict)
    """What was sent, by the request id of the answer."""

    def add(self, number: int, exchanged: Exchange) -> None:
        assert self.rules is not None
        request = exchanged.request
        sent = f"request {number} ({request.kind}), sent in parts: {request.parts!r}"
        self.kinds[request.kind] += 1
        for answer in exchanged.answers:
            self.statuses[request.kind, answer.status] += 1
            self.requests[answer.headers.get("x-request-id", "")] = sent
        self.problems += [f"{problem}\n{sent}" for problem in self.rules.problems(exchanged)]

    def check_log(self, path: Path) -> None:
        log = path.read_text(errors="replace")
        for problem in () if self.rules is None else self.rules.log_problems(log):
            found = re.search(r"request_id=(\S+)", problem)
            sent = self.requests.get(found[1], "") if found else ""
            self.problems.append(f"{problem}\n{sent}")

    def fail(self, test: str) -> None:
        """Fails if there are problems."""
        if self.problems:
            shown = "\n\n".join(self.problems[:MAX_REPORTED])
            pytest.fail(
                f"{len(self.problems)} problems, the first ones:\n\n{shown}\n\nRepeat with "
                f"CONNECTOR_GENERATED_REQUESTS={COUNT} CONNECTOR_GENERATED_SEED={SEED} "
                f"python -m pytest {Path(__file__).relative_to(ROOT)} -k {test}",
                pytrace=False,
            )

    def summary(self) -> str:
        rows: dict[str, list[str]] = {}
        for (kind, status), count in sorted(self.statuses.items()):
            rows.setdefault(kind, []).append(f"{status}: {count}")
        lines = [f"  {kind} ({self.kinds[kind]}): {', '.join(row)}" for kind, row in rows.items()]
        return "\n".join(lines)


@pytest.mark.parametrize("first", range(0, COUNT, BATCH))
@pytest.mark.parametrize("kind", STORES)
async def test_every_generated_request_is_answered_and_causes_no_defect(
    request: pytest.FixtureRequest,
    tiktok: Simulator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    first: int,
) -> None:
    numbers = range(first, min(first + BATCH, COUNT))
    environ, user = {}, new_user()
    user_token = signed_in_user(user)
    if kind != "sqlite":
        stack = request.getfixturevalue("stack")
        environ, user_token = supabase_view(stack, kind).environ, stack.user_token(user)
    service = ServiceProcess(tmp_path, tiktok.url, module=impatient_service.__name__, **environ)
    await service.start(
        CONNECTOR_API_KEYS=API_KEY_SETTING,
        CONNECTOR_LOG_LEVEL="debug",
        CONNECTOR_PRIVATE_NETWORKS="127.0.0.0/8",
    )
    report = Report()
    try:
        async with (
            ClientSession(cookie_jar=DummyCookieJar()) as http,
            running_receiver() as receiver,
        ):
            secrets_of_store = tuple(environ[name] for name in SECRET_SETTINGS & environ.keys())
            builder = WorldBuilder(
                service, http, tiktok, user, user_token, receiver.url, secrets_of_store
            )
            world = await builder.build()
            report.rules = builder.rules(world)
            before = await routes_reached(builder)
            await send_all(numbers, Generator(world, SEED), service, report)
            reached = await routes_reached(builder) - before
            await assert_ready(builder)
    finally:
        service.stop()
        if DRILL:
            with capsys.disabled():
                sys.stdout.write(f"\n{kind}, seed {SEED}, {numbers}:\n{report.summary()}\n")
        report.check_log(service.log)
        report.fail(f"{kind}-{first}")
    assert_requests_reached_the_handlers(reached)
    assert report.kinds.keys() >= {"one request", "pipelined", "half-closed", "another protocol"}


async def send_all(
    numbers: range, generator: Generator, service: ServiceProcess, report: Report
) -> None:
    """The second half of the requests may not need more memory, and no connection may stay open."""
    files, memory = open_files(service.pid), []
    half = len(numbers) // 2
    for part in (numbers[:half], numbers[half:]):
        left = iter(part)
        await asyncio.gather(*(send(left, generator, service, report) for _ in range(CLIENTS)))
        memory.append(resident_bytes(service.pid))
    await wait_until(lambda: open_files(service.pid) <= files + MAX_NEW_FILES)
    assert memory[1] <= memory[0] + MAX_MEMORY_GROWTH, memory


async def send(
    numbers: Iterator[int], generator: Generator, service: ServiceProcess, report: Report
) -> None:
    port = urlsplit(service.url).port
    assert port is not None
    for number in numbers:
        # Each request comes from another address, because the service limits wrong credentials by peer.
        peer = str(IPv4Address("127.1.0.0") + number)
        exchanged = await exchange(generator.generate(number), port=port, peer=peer)
        report.add(number, exchanged)


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def resident_bytes(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


async def routes_reached(builder: WorldBuilder) -> Counter[RouteStatus]:
    """Counts the answers of the service by method, route and status, as its metrics show them."""
    url = f"{builder.service.url}/metrics"
    async with builder.http.get(url, headers=AS_SERVER) as response:
        found = METRIC.findall(await response.text())
    return Counter(
        {(method, route, int(status)): int(float(count)) for method, route, status, count in found}
    )


async def assert_ready(builder: WorldBuilder) -> None:
    async with builder.http.get(f"{builder.service.url}/readyz") as response:
        assert (response.status, (await response.json())["warnings"]) == (200, [])


def assert_requests_reached_the_handlers(reached: Counter[RouteStatus]) -> None:
    """Otherwise the requests would show nothing about the handlers."""
    total = reached.total()
    handled = Counter[tuple[str, str]]()
    succeeded = set()
    for (method, route, status), count in reached.items():
        if route != "unknown" and status not in (401, 403, 429):
            handled[method, route] += count
        if status < 400:
            succeeded.add((method, route))
    limited = sum(count for (_, _, status), count in reached.items() if status == 429)
    assert {(route.method, route.canonical) for route in ROUTES} - succeeded == set()
    assert handled.total() >= MIN_HANDLED_SHARE * total, (handled, total)
    assert limited <= MAX_LIMITED_SHARE * total, (limited, total)
