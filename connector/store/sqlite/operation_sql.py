"""Reads the operations from the SQL files beside this module.

An operation starts with a line `-- name (argument, argument)` and ends before the next such line. The
arguments may continue on the next comment lines. The statements of an operation run in one transaction; the
rows of the last statement are the result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from importlib import resources

OPERATION_HEADER = re.compile(r"^-- (\w+) \(((?:[\w, ]|\n--)*)\)$", re.MULTILINE)


@dataclass(frozen=True)
class OperationSql:
    arguments: tuple[str, ...]
    statements: tuple[str, ...]

    @cached_property
    def only_reads(self) -> bool:
        return all(statement.startswith("select") for statement in self.statements)


def load_operations() -> dict[str, OperationSql]:
    operations: dict[str, OperationSql] = {}
    for file in resources.files(__package__).iterdir():
        if file.name.endswith(".sql"):
            operations |= _parse(file.read_text(encoding="utf-8"))
    return operations


def _parse(text: str) -> dict[str, OperationSql]:
    _, *parts = OPERATION_HEADER.split(text)
    return {
        name: OperationSql(tuple(re.findall(r"\w+", arguments)), _statements(body))
        for name, arguments, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    }


def _statements(body: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in body.split(";\n") if part.strip())
