"""Figures of a measurement, their medians, and reports with goals, stored in RESULTS.md."""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "RESULTS.md"
PREFACE = """# The last run

Written by `make bench`, one section for each part. All processes share one machine, so read the ratios.
"""

K = TypeVar("K")


@dataclass(frozen=True)
class Figures:
    """One measurement: operations per second, latencies in seconds, CPU seconds per operation."""

    rate: float
    p50: float
    p99: float
    cpu: float
    failed: int = 0
    last_error: str = ""


def median(rounds: Sequence[Figures]) -> Figures:
    return Figures(
        rate=statistics.median(figures.rate for figures in rounds),
        p50=statistics.median(figures.p50 for figures in rounds),
        p99=statistics.median(figures.p99 for figures in rounds),
        cpu=statistics.median(figures.cpu for figures in rounds),
        failed=sum(figures.failed for figures in rounds),
        last_error=next((figures.last_error for figures in rounds if figures.last_error), ""),
    )


def spread(values: Sequence[float]) -> float:
    return (max(values) - min(values)) / statistics.median(values)


@dataclass
class Report:
    title: str
    description: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    goals: list[str] = field(default_factory=list)
    spreads: list[float] = field(default_factory=list)
    """For each row with several rounds, how far the rounds differ."""

    def row(self, *cells: object) -> None:
        self.rows.append(tuple(map(str, cells)))

    def goal(self, sentence: str, *, result: str, met: bool) -> None:
        self.goals.append(f"{'ok' if met else 'MISSED'}: {sentence} ({result})")

    def publish(self) -> None:
        """Prints the report and replaces the section with the same title in RESULTS.md."""
        text = self._text()
        print(text)
        stored = RESULTS.read_text() if RESULTS.exists() else PREFACE
        heading = f"## {self.title}\n"
        sections = re.split(r"^(?=## )", stored, flags=re.MULTILINE)
        others = [section for section in sections if not section.startswith(heading)]
        RESULTS.write_text("\n".join(section.strip() + "\n" for section in [*others, text]))

    def _text(self) -> str:
        goals = "\n".join(f"- {goal}" for goal in self.goals)
        return f"## {self.title}\n\n{self.description}\n\n{self._table()}\n\n{goals}\n\n{self._conditions()}\n"

    def _table(self) -> str:
        lines = [self.header, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]
        rule = tuple("-" * width for width in widths)
        return "\n".join(
            "| " + " | ".join(map(_align, line, widths, range(len(line)))) + " |"
            for line in (self.header, rule, *self.rows)
        )

    def _conditions(self) -> str:
        spread_text = ""
        if self.spreads:
            spread_text = (
                f" The rounds of one row differed by {statistics.median(self.spreads):.0%} "
                f"(half of the rows) to {max(self.spreads):.0%} (the worst)."
            )
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        return (
            f"{now}, commit {_commit()}, {os.cpu_count()} cores shared by all processes, load "
            f"{os.getloadavg()[2]:.1f} over the last 15 minutes, "
            f"Python {platform.python_version()}.{spread_text}"
        )


def _align(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column == 0 else cell.rjust(width)


def _commit() -> str:
    commit = _git("rev-parse", "--short", "HEAD") or "unknown"
    changed = _git("status", "--porcelain", "--", "connector", "sql", "bench/*.py")
    return f"{commit} and uncommitted changes" if changed else commit


def _git(*arguments: str) -> str:
    completed = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return completed.stdout.strip()


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}"


def us(seconds: float) -> str:
    return f"{seconds * 1e6:.0f}"


def whole(number: float) -> str:
    return f"{number:,.0f}"


def ratio(value: float, reference: float) -> str:
    return f"{value / reference:.2f}" if reference else ""
