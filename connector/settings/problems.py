"""Problems of the settings, each with its remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    name: str
    """Of the setting."""

    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message} {self.remedy}"


class InvalidSettings(Exception):
    """Carries the warnings too, because a misspelt name is often why another setting is missing."""

    def __init__(self, problems: Sequence[Problem], warnings: Sequence[Problem] = ()) -> None:
        super().__init__("\n".join(map(str, (*problems, *warnings))))
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
