"""Problems of the settings, each with its remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    name: str
    """The name of the setting."""

    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message} {self.remedy}"


class InvalidSettings(Exception):
    """Contains the warnings too: often another setting is missing because its name is misspelt."""

    def __init__(self, problems: Sequence[Problem], warnings: Sequence[Problem] = ()) -> None:
        super().__init__("\n".join(map(str, (*problems, *warnings))))
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
