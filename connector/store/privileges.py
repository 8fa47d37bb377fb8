"""Reads what is wrong with the privileges of the database."""

from __future__ import annotations

from .operations import Operations, parse_rows
from .records import PrivilegeProblem


class PrivilegeOperations(Operations):
    async def list_privilege_problems(self) -> list[PrivilegeProblem]:
        return parse_rows(PrivilegeProblem, await self._call("list_privilege_problems"))
