"""What is wrong with the settings, told all at once, each with the way out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    name: str
    sentence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}: {self.sentence} {self.remedy}"


class SettingsWrong(Exception):
    """`warnings` come along because a misspelt name is often why another one is missing."""

    def __init__(self, problems: Sequence[Problem], warnings: Sequence[Problem] = ()) -> None:
        super().__init__("\n".join(map(str, (*problems, *warnings))))
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
