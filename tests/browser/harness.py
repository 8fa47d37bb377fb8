"""The service, the simulator and a Chromium window; any error in the window fails the test.

Such an error is a console error, an uncaught exception, a violation of the content security policy, or
a request to an origin of another site. Chromium also logs an error for each HTTP error status, so a
test names the statuses that it causes: `window.expect_statuses(401)`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from aiohttp import ClientSession
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    ViewportSize,
)

from connector.app import Service
from connector.model import UserId, format_utc
from tests import running_service
from tests.credentials import ANNA
from tests.database_views import DatabaseView, sqlite_view
from tests.events.receiver import Receiver, running_receiver
from tests.running_service import AS_SERVER, Json, Simulator

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "screenshots"
BERT = UserId("0b2d6c1e-8f45-4a37-9c61-5d7e3a9f2b14")

ERROR_STATUS = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")
NETWORK_ERROR = re.compile(r"Failed to load resource: net::")
NARROW: ViewportSize = {"width": 360, "height": 740}
WIDE: ViewportSize = {"width": 1280, "height": 860}


@dataclass
class Harness:
    service: Service
    database: DatabaseView
    url: str
    simulator: Simulator
    http: ClientSession = field(repr=False)
    contexts: list[BrowserContext] = field(default_factory=list)
    """The open browsers."""

    exit_stack: AsyncExitStack = field(default_factory=AsyncExitStack, repr=False)

    async def create_ticket(self, user_id: UserId = ANNA, **fields: str) -> Json:
        return await self.call("POST", "/tickets", {"user_id": user_id, **fields})

    async def connect_link(self, user_id: UserId = ANNA, **fields: str) -> str:
        return str((await self.create_ticket(user_id, **fields))["url"])

    async def connect(self, *, user_id: UserId = ANNA, **consent: Any) -> Json:
        """Connect an account without a browser; returns the response of POST /oauth/exchange."""
        return await running_service.connect_account(
            self.http, self.url, self.simulator, user_id=user_id, **consent
        )

    async def consent_callback_url(
        self, *, family: str = "marketing", return_to: str = "", **consent: Any
    ) -> str:
        """Returns the address to which TikTok redirects a person who started in an open browser."""
        ticket = self.service.authenticator.tickets.issue(ANNA).text
        body = {"family": family, "return_to": return_to or None}
        headers = {"Authorization": f"Bearer {ticket}"}
        url = f"{self.url}/oauth/start"
        async with self.http.post(url, json=body, headers=headers) as response:
            state = (await response.json())["state"]
            for name, cookie in response.cookies.items():
                for context in self.contexts:
                    await context.add_cookies(
                        [{"name": name, "value": cookie.value, "url": f"{self.url}/oauth/"}]
                    )
        code = await self.simulator.consent(family, **consent)
        return self.callback_url(auth_code=code, state=state)

    async def callback_url_of_a_server(self, *, family: str = "marketing", **consent: Any) -> str:
        """The same, but the customer's server started, so no browser has a cookie."""
        body = {"user_id": ANNA, "family": family}
        state = (await self.call("POST", "/oauth/start", body))["state"]
        code = await self.simulator.consent(family, **consent)
        return self.callback_url(auth_code=code, state=state)

    def callback_url(self, **query: str) -> str:
        return f"{self.url}/oauth/callback?{urlencode(query)}"

    async def get(self, path: str) -> Json:
        return await self.call("GET", path)

    async def call(
        self, method: str, path: str, body: Json | None = None, *, status: int = 200
    ) -> Json:
        """Call the API as the customer's server."""
        request = self.http.request(method, self.url + path, json=body, headers=AS_SERVER)
        async with request as response:
            assert response.status == status, await response.text()
            payload: Json = await response.json()
            return payload

    def add_a_day_of_attempts(self, connection_id: str) -> None:
        """Write the attempts that background refreshes leave behind within a day."""
        now = self.simulator.clock.now()
        for hour in range(1, 24):
            at = format_utc(now - timedelta(hours=hour, minutes=-5))
            failed = hour in (4, 5, 16)
            result = "tiktok_unreachable" if failed else "ok"
            message = "TikTok does not answer." if failed else ""
            for _ in range(hour * 7 % 5 + 1):
                self.database.script(
                    "insert into attempts "
                    "(connection_id, at, operation, actor, result, message, duration_ms) values "
                    f"('{connection_id}', '{at}', 'refresh', 'background', '{result}', "
                    f"'{message}', 41)"
                )

    async def add_endpoint(self, *, status: int = 200, **fields: Any) -> tuple[Json, Receiver]:
        """Returns an endpoint and the local server that receives its events."""
        receiver = await self.exit_stack.enter_async_context(running_receiver())
        receiver.status = status
        body = {"url": receiver.url, **fields}
        return await self.call("POST", "/endpoints", body, status=201), receiver

    async def deliver_events(self) -> None:
        """Numbers the events, and waits until every delivery that is due was attempted."""
        dispatcher = self.service.events.dispatcher
        while await dispatcher.numbering.run_once():
            dispatcher.request_lease()
            while self._has_open_deliveries():  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0.01)

    def _has_open_deliveries(self) -> bool:
        now = format_utc(self.simulator.clock.now())
        is_open = f"state = 'pending' and (lease_owner is not null or due_at <= '{now}')"
        return bool(self.database.select(f"select id from deliveries where {is_open}"))

    def break_database(self) -> None:
        self.database.script("alter table codes rename to codes_away")

    def repair_database(self) -> None:
        self.database.script("alter table codes_away rename to codes")

    async def only_connection(self) -> Json:
        (connection,) = (await self.get("/connections"))["connections"]
        summary: Json = connection
        return summary


@asynccontextmanager
async def running_harness(folder: Path, **settings: str) -> AsyncIterator[Harness]:
    async with running_service.running_simulator() as simulator:
        settings = {"CONNECTOR_PRIVATE_NETWORKS": "127.0.0.0/8"} | settings
        parsed = running_service.settings_for(folder, simulator.url, **settings)
        service = Service.build(parsed, clock=simulator.clock)
        async with running_service.serving(service) as url, ClientSession() as http:
            harness = Harness(service, sqlite_view(parsed.database), url, simulator, http)
            async with harness.exit_stack:
                yield harness
            simulator.state.faults.clear()  # A call that hangs would delay the shutdown.


@dataclass
class Window:
    page: Page = field(repr=False)
    allowed_origins: set[str]
    errors: list[str] = field(default_factory=list)
    expected_statuses: set[str] = field(default_factory=set)
    expects_network_errors: bool = False

    def expect_statuses(self, *statuses: int) -> None:
        self.expected_statuses |= {str(status) for status in statuses}

    async def sync_clock(self, harness: Harness) -> None:
        """Set the browser's clock to the time of the service."""
        await self.page.clock.set_fixed_time(harness.simulator.clock.now())

    def record_errors(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))
        self.page.context.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        status = ERROR_STATUS.match(message.text)
        if status and status[1] in self.expected_statuses:
            return
        if not (self.expects_network_errors and NETWORK_ERROR.match(message.text)):
            self.errors.append(f"{message.text} ({message.location.get('url')})")

    def _on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if f"{parts.scheme}://{parts.netloc}" not in self.allowed_origins:
            self.errors.append(f"request to another origin: {request.url}")


@asynccontextmanager
async def open_window(
    browser: Browser, harness: Harness, *more_origins: str
) -> AsyncIterator[Window]:
    """Opens a window with its own cookies, whose clock shows the time of the service."""
    context = await browser.new_context(viewport=WIDE, locale="en-GB", timezone_id="Europe/Berlin")
    context.set_default_timeout(10_000)
    harness.contexts.append(context)
    page = await context.new_page()
    window = Window(page, {harness.url, harness.simulator.url, *more_origins})
    await window.sync_clock(harness)
    window.record_errors()
    try:
        yield window
        assert window.errors == []
    finally:
        harness.contexts.remove(context)
        await context.close()
