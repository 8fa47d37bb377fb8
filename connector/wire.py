"""One HTTP exchange as data.

A `Call` is a request together with the way to read its answer, so the protocol can say both in one
place and never touch a socket. `Response.asked_at` is stamped before sending: an expiry computed
from it errs early, and no parser needs a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Request:
    """`url` and `body` may carry secrets, so they stay out of `repr`; logs name `method label`."""

    method: str
    url: str = field(repr=False)
    label: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    asked_at: datetime


@dataclass(frozen=True)
class Call(Generic[T_co]):
    request: Request
    read: Callable[[Response], T_co]
