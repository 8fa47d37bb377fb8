"""Figures, their medians, the goals they are held against, and where the last run is kept."""

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

Written by `make bench`, each part for itself. Everything shares one machine, so read the ratios.
"""

K = TypeVar("K")


@dataclass(frozen=True)
class Figures:
    """Of one stretch of work: operations per second, seconds, CPU seconds per operation."""

    rate: float
    p50: float
    p99: float
    cpu: float
    failed: int = 0
    refused: str = ""


def median(of: Sequence[Figures]) -> Figures:
    return Figures(
        rate=statistics.median(each.rate for each in of),
        p50=statistics.median(each.p50 for each in of),
        p99=statistics.median(each.p99 for each in of),
        cpu=statistics.median(each.cpu for each in of),
        failed=sum(each.failed for each in of),
        refused=next((each.refused for each in of if each.refused), ""),
    )


def spread(of: Sequence[float]) -> float:
    return (max(of) - min(of)) / statistics.median(of)


@dataclass
class Report:
    title: str
    words: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    goals: list[str] = field(default_factory=list)
    noise: list[float] = field(default_factory=list)

    def row(self, *cells: object) -> None:
        self.rows.append(tuple(map(str, cells)))

    def goal(self, sentence: str, *, reached: str, met: bool) -> None:
        self.goals.append(f"{'ok' if met else 'MISSED'}: {sentence} ({reached})")

    def publish(self) -> None:
        """Printed, and in RESULTS.md in the place of what stood there under the same title."""
        text = self._text()
        print(text)
        kept = RESULTS.read_text() if RESULTS.exists() else PREFACE
        sections = [
            s for s in re.split(r"^(?=## )", kept, flags=re.MULTILINE) if not self._is_mine(s)
        ]
        RESULTS.write_text("\n".join(section.strip() + "\n" for section in [*sections, text]))

    def _is_mine(self, section: str) -> bool:
        return section.startswith(f"## {self.title}\n")

    def _text(self) -> str:
        goals = "\n".join(f"- {goal}" for goal in self.goals)
        return f"## {self.title}\n\n{self.words}\n\n{self._table()}\n\n{goals}\n\n{self._where()}\n"

    def _table(self) -> str:
        lines = [self.head, *self.rows]
        widths = [max(len(line[place]) for line in lines) for place in range(len(self.head))]
        rule = tuple("-" * width for width in widths)
        return "\n".join(
            "| " + " | ".join(map(_set, line, widths, range(len(line)))) + " |"
            for line in (self.head, rule, *self.rows)
        )

    def _where(self) -> str:
        noise = ""
        if self.noise:
            noise = (
                f" The rounds of one row differed by {statistics.median(self.noise):.0%} "
                f"(half of the rows) to {max(self.noise):.0%} (the worst)."
            )
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        return (
            f"{now}, commit {_commit()}, {os.cpu_count()} cores shared by everything, load "
            f"{os.getloadavg()[2]:.1f} over the last quarter of an hour, "
            f"Python {platform.python_version()}.{noise}"
        )


def _set(cell: str, width: int, place: int) -> str:
    return cell.ljust(width) if place == 0 else cell.rjust(width)


def _commit() -> str:
    commit = _git("rev-parse", "--short", "HEAD") or "unknown"
    changed = _git("status", "--porcelain", "--", "connector", "sql", "bench/*.py")
    return f"{commit} and what is not committed yet" if changed else commit


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}"


def us(seconds: float) -> str:
    return f"{seconds * 1e6:.0f}"


def whole(number: float) -> str:
    return f"{number:,.0f}"


def ratio(of: float, to: float) -> str:
    return f"{of / to:.2f}" if to else ""
