"""The state of the simulated TikTok: its clock, its apps, and everything else that it stores.

Only this module reads the time. The simulator's clock is the time source passed to the constructor
plus an offset, which `/_sim/clock` advances.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from .call_log import CallLog
from .faults import Faults
from .model import App, PendingWebhook, SimulatorSettings, TimeSource
from .posts import Posts
from .token_registry import TokenRegistry

_EVENT_TYPE_BY_PREFIX = {
    "post": "VIDEO",
    "comment": "COMMENT",
    "brand": "BRAND_MENTION",
    "im": "DIRECT_MESSAGE",
}
EVENT_TYPES = tuple(_EVENT_TYPE_BY_PREFIX.values())
"""The event types that the Accounts API accepts in `business/webhook/update/`."""

# The limits of the Accounts API.
_CALLS_PER_MINUTE_AND_ENDPOINT = 40
_CALLS_PER_MINUTE_OF_APP = 600
_POSTS_PER_MINUTE, _POSTS_PER_DAY = 6, 15


@dataclass(frozen=True)
class _CallsInWindow:
    window: int
    count: int


class SimulatorState:
    def __init__(self, *, now: TimeSource | None = None, apps: Iterable[App] = ()) -> None:
        self._time_source = now or time.time
        self.apps = {app.id: app for app in apps}
        self.settings = SimulatorSettings()
        self.call_log = CallLog()
        self.faults = Faults()
        self.webhook_urls: dict[tuple[str, str], str] = {}
        """URLs by app id and event type, as the app configured them through the Accounts API."""
        self.pending_webhooks: deque[PendingWebhook] = deque()
        self._reset_clock_and_tokens()

    def _reset_clock_and_tokens(self) -> None:
        self.clock_offset = 0.0
        self.tokens = TokenRegistry(
            now=self.now, settings=self.settings, counts=self.call_log.counts
        )
        self.posts = Posts(now=self.now, settings=self.settings)
        self._recent_calls: dict[tuple[str, int], _CallsInWindow] = {}

    def reset(self) -> None:
        """Restores the initial state. The apps stay registered."""
        for name, value in SimulatorSettings():
            setattr(self.settings, name, value)
        self.faults.clear()
        self.call_log.clear_calls()
        self.call_log.clear_counts()
        self.webhook_urls.clear()
        self.pending_webhooks.clear()
        self._reset_clock_and_tokens()

    def now(self) -> float:
        return self._time_source() + self.clock_offset

    def real_time(self) -> float:
        """The time without the offset: a receiver compares a signature's age with this clock."""
        return self._time_source()

    def monotonic(self) -> float:
        return time.perf_counter()

    def webhook_url(self, app: App, event: str) -> str | None:
        """The app's own URL has priority over the simulator's setting."""
        event_type = _EVENT_TYPE_BY_PREFIX.get(re.split(r"[._]", event)[0], "")
        configured = self.webhook_urls.get((app.id, event_type)) or app.webhook_url
        return configured or self.settings.webhook_url

    def exceeds_rate_limit(self, app_id: str) -> bool:
        """Counts this call. Returns True if the call exceeds the app's limit for the current second."""
        if self.settings.qps is None:
            return False
        return self._exceeds(self.settings.qps, app_id, seconds=1)

    def exceeds_accounts_limit(self, user_id: str, *, app_id: str, path: str) -> bool:
        """Counts a call to the Accounts API by its account and endpoint, and by its app."""
        if not self.settings.accounts_limits:
            return False
        by_account = self._exceeds(_CALLS_PER_MINUTE_AND_ENDPOINT, f"{user_id} {path}", seconds=60)
        return by_account or self._exceeds(
            _CALLS_PER_MINUTE_OF_APP, f"{app_id} accounts", seconds=60
        )

    def exceeds_posting_limit(self, user_id: str) -> bool:
        if not self.settings.accounts_limits:
            return False
        by_minute = self._exceeds(_POSTS_PER_MINUTE, f"{user_id} posts", seconds=60)
        return by_minute or self._exceeds(_POSTS_PER_DAY, f"{user_id} posts", seconds=86_400)

    def _exceeds(self, limit: float, key: str, *, seconds: int) -> bool:
        window = int(self.now()) // seconds
        recent = self._recent_calls.get((key, seconds))
        count = recent.count + 1 if recent and recent.window == window else 1
        self._recent_calls[key, seconds] = _CallsInWindow(window, count)
        exceeded = count > limit
        self.call_log.counts["throttled"] += exceeded
        return exceeded


def is_allowed_redirect(app: App, redirect_uri: str) -> bool:
    """Returns True for a registered URI. If the app registered no URI, every absolute URL is allowed.

    Of the URIs of an Accounts app, only the first is active.
    """
    if app.redirect_uris:
        return redirect_uri in app.redirect_uris[: 1 if app.family == "accounts" else None]
    parts = urlsplit(redirect_uri)
    return parts.scheme in ("http", "https") and bool(parts.netloc)
