"""Faults waiting to happen. What each kind does to a call is in `gate`.

A fault names a path: whole, with or without its last slash, or any part of it; nothing or `*` means
every call. Older faults come first, and each is used up after `times` calls (-1: never).
"""

from __future__ import annotations

import asyncio
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, Field, field_validator

Kind = Literal["status", "code", "hang", "drop_after_effect", "garbage"]


class Fault(BaseModel):
    path: str = ""
    kind: Kind
    times: int = 1
    value: int | float | str | None = Field(
        default=None, validation_alias=AliasChoices("value", "status", "code", "seconds")
    )
    message: str | None = None
    served: int = 0

    @field_validator("path")
    @classmethod
    def _only_the_path(cls, path: str) -> str:
        """Whole addresses are taken too, as are lines copied from the log: `POST /v2/…`."""
        words = path.split()
        return urlsplit(words[-1]).path.rstrip("/") if words else ""

    @field_validator("times", mode="before")
    @classmethod
    def _until_cleared(cls, times: object) -> object:
        return -1 if times in (None, "always") else times

    def hits(self, path: str) -> bool:
        return self.times != 0 and (self.path in ("", "*") or self.path in path)


class Faults:
    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self.lifted = asyncio.Event()

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def clear(self, path: str | None = None) -> None:
        """Also lets the calls go that are hanging now."""
        self._waiting = [] if path is None else [f for f in self._waiting if not f.hits(path)]
        self.lifted.set()
        self.lifted = asyncio.Event()

    def take(self, path: str) -> Fault | None:
        for fault in self._waiting:
            if fault.hits(path):
                fault.served += 1
                fault.times -= fault.times > 0
                self._waiting = [f for f in self._waiting if f.times != 0]
                return fault
        return None

    def waiting(self) -> list[Fault]:
        return self._waiting
