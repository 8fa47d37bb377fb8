"""Output for terminals and for pipes.

Control characters in names and messages from TikTok are replaced before they are printed, because they
could otherwise send commands to the terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

NON_TTY_WIDTH = 200
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def print_result(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def print_error(text: str) -> None:
    sys.stderr.write(f"connector: {replace_control_characters(text)}\n")


def replace_control_characters(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def format_duration(duration: timedelta) -> str:
    """Formats a duration in its two largest units: 1 d 4 h."""
    remaining = int(duration.total_seconds())
    parts: list[str] = []
    for unit, seconds in UNITS:
        count, remaining = divmod(remaining, seconds)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """The first column is never wrapped, because other commands take its values as arguments."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, no_wrap=index == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(replace_control_characters(cell)) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else NON_TTY_WIDTH, highlight=False)
    console.print(table)


class ProgressBar:
    """Progress of a long command. Shown on a terminal only; in a log every method does nothing."""

    def __init__(self, progress: Progress | None, task: TaskID | None) -> None:
        self._progress = progress
        self._task = task

    @property
    def is_visible(self) -> bool:
        return self._progress is not None

    def set_total(self, total: int) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, total=total)

    def advance(self, by: int = 1) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, by)


@contextmanager
def progress_bar(label: str) -> Iterator[ProgressBar]:
    if not sys.stderr.isatty():
        yield ProgressBar(None, None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False) as progress:
        yield ProgressBar(progress, progress.add_task(label, total=None))
