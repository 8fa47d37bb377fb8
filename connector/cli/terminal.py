"""Writing for people and for pipes.

Names and messages from elsewhere are made harmless first: what TikTok's people call their accounts
must not command anybody's terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

WIDTH_OF_A_PIPE = 200
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def complain(text: str) -> None:
    sys.stderr.write(f"connector: {printable(text)}\n")


def printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def span(delta: timedelta) -> str:
    """The two largest units: 1 d 4 h."""
    left = int(delta.total_seconds())
    parts: list[str] = []
    for unit, seconds in UNITS:
        count, left = divmod(left, seconds)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """The first column is what other commands take, so it is never cut."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        drawn.add_column(column, no_wrap=place == 0, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_PIPE, highlight=False)
    console.print(drawn)


class Bar:
    """How far a long piece of work has come, for whoever is watching; for a log, nothing."""

    def __init__(self, progress: Progress | None, task: TaskID | None) -> None:
        self._progress = progress
        self._task = task

    @property
    def is_watched(self) -> bool:
        return self._progress is not None

    def expect(self, total: int) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, total=total)

    def advance(self, by: int = 1) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, by)


@contextmanager
def bar(label: str) -> Iterator[Bar]:
    if not sys.stderr.isatty():
        yield Bar(None, None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False) as progress:
        yield Bar(progress, progress.add_task(label, total=None))
