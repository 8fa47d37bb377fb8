"""`connector serve`, with a clock that a file sets ahead: python -m tests.keeper.replica FILE"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

from connector.app import House
from connector.cli.serve import _serve
from connector.clock import Clock
from connector.settings import Settings


class Ahead(Clock):
    """The time of day, and as many seconds more as the file says."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=float(self._file.read_text()))

    def set(self, seconds: float) -> None:
        """At once for everybody, and never half of it."""
        new = self._file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._file)


if __name__ == "__main__":
    settings = Settings.read(os.environ)
    house = House.build(settings, clock=Ahead(Path(sys.argv[1])))
    asyncio.run(_serve(house, is_worker=False))
