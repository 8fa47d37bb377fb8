"""`connector serve` with a clock that a file sets ahead: python -m tests.tokens.replicas FILE

With the word `wrong` after the file, only this process is ahead: the database uses its own clock.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

from connector.app import Service
from connector.cli.serve import serve_until_stopped
from connector.clock import Clock
from connector.settings import Settings


class FileClock(Clock):
    """The real time plus the number of seconds in the file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=float(self._file.read_text()))

    def database_time(self) -> datetime | None:
        return self.now()

    def set_ahead(self, seconds: float) -> None:
        """Changes the clock of all processes atomically: no process reads half a number."""
        new = self._file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._file)


class WrongClock(FileClock):
    def database_time(self) -> datetime | None:
        return None


if __name__ == "__main__":
    settings = Settings.read(os.environ)
    clock_class = WrongClock if sys.argv[2:] == ["wrong"] else FileClock
    service = Service.build(settings, clock=clock_class(Path(sys.argv[1])))
    asyncio.run(serve_until_stopped(service))
