"""Faults that wait for a call. `middleware` applies a fault to the call.

A fault matches by path: the whole path, with or without its last slash, or any part of it; an empty
path or `*` matches every call. The oldest matching fault is applied first. Each fault is applied to
`times` calls (-1: until it is cleared).
"""

from __future__ import annotations

import asyncio
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, Field, field_validator

FaultKind = Literal["status", "code", "hang", "drop_after_effect", "garbage"]


class Fault(BaseModel):
    path: str = ""
    kind: FaultKind
    times: int = 1
    value: int | float | str | None = Field(
        default=None, validation_alias=AliasChoices("value", "status", "code", "seconds")
    )
    message: str | None = None
    served: int = 0

    @field_validator("path")
    @classmethod
    def _extract_path(cls, path: str) -> str:
        """Accepts whole URLs and lines copied from the log too, for example `POST /v2/…`."""
        words = path.split()
        return urlsplit(words[-1]).path.rstrip("/") if words else ""

    @field_validator("times", mode="before")
    @classmethod
    def _accept_always(cls, times: object) -> object:
        return -1 if times in (None, "always") else times

    def matches(self, path: str) -> bool:
        return self.times != 0 and (self.path in ("", "*") or self.path in path)


class Faults:
    def __init__(self) -> None:
        self._pending: list[Fault] = []
        self.cleared = asyncio.Event()

    def add(self, fault: Fault) -> None:
        self._pending.append(fault)

    def clear(self, path: str | None = None) -> None:
        """Also continues the calls that hang at this moment."""
        self._pending = (
            [] if path is None else [fault for fault in self._pending if not fault.matches(path)]
        )
        self.cleared.set()
        self.cleared = asyncio.Event()

    def take(self, path: str) -> Fault | None:
        for fault in self._pending:
            if fault.matches(path):
                fault.served += 1
                fault.times -= fault.times > 0
                self._pending = [fault for fault in self._pending if fault.times != 0]
                return fault
        return None

    def pending(self) -> list[Fault]:
        return self._pending
