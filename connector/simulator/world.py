"""The state of the simulated TikTok: its clock, its apps, and everything that hangs on them.

Nobody but the world asks what time it is. Its clock is the one it was given, moved by an offset
that `/_sim/clock` turns.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from urllib.parse import urlsplit

from .faults import Faults
from .ledger import Ledger
from .nouns import App, Mail, Now, Settings
from .posts import Posts
from .record import Record


class World:
    def __init__(self, *, now: Now | None = None, apps: Iterable[App] = ()) -> None:
        self._base = now or time.time
        self.apps = {app.id: app for app in apps}
        self.settings = Settings()
        self.record = Record()
        self.faults = Faults()
        self.callbacks: dict[tuple[str, str], str] = {}
        self.mail: deque[Mail] = deque()
        self._begin()

    def _begin(self) -> None:
        self.offset = 0.0
        self.ledger = Ledger(now=self.now, settings=self.settings, counts=self.record.counts)
        self.posts = Posts(now=self.now, settings=self.settings)
        self._second: dict[str, tuple[int, int]] = {}

    def reset(self) -> None:
        """As on the first day, except that the apps stay registered."""
        for name, value in Settings():
            setattr(self.settings, name, value)
        self.faults.clear()
        self.record.clear_log()
        self.record.clear_counts()
        self.callbacks.clear()
        self.mail.clear()
        self._begin()

    def now(self) -> float:
        return self._base() + self.offset

    def wire_time(self) -> float:
        """The clock without the offset: what a receiver compares a signature's age with."""
        return self._base()

    def ticks(self) -> float:
        return time.perf_counter()

    def callback(self, app: App, event_type: str = "DEFAULT") -> str | None:
        """Where this app's webhooks go; the app's own wish outranks the simulator's setting."""
        chosen = self.callbacks.get((app.id, event_type)) or app.webhook_url
        return chosen or self.settings.webhook_url

    def throttled(self, app_id: str) -> bool:
        """Whether this call is one too many for the app in the current second."""
        if self.settings.qps is None:
            return False
        second = int(self.now())
        seen, calls = self._second.get(app_id, (second, 0))
        calls = calls + 1 if seen == second else 1
        self._second[app_id] = (second, calls)
        over = calls > self.settings.qps
        self.record.counts["throttled"] += over
        return over


def redirect_fits(app: App, redirect_uri: str) -> bool:
    """Registered, or, where the app registered none, at least an absolute address."""
    if app.redirect_uris:
        return redirect_uri in app.redirect_uris
    parts = urlsplit(redirect_uri)
    return parts.scheme in ("http", "https") and bool(parts.netloc)
