"""An HTTP request to TikTok and its response, as data.

A `Call` is a request together with the parser of its response, so a family describes both in one
place and never opens a socket. `Response.requested_at` is the time before the request is sent: an
expiry that is computed from this time is slightly too early, never too late. No parser needs a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Request:
    """`url` and `body` may contain secrets and stay out of `repr`; logs name the endpoint only."""

    method: str
    url: str = field(repr=False)
    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Response:
    """The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    requested_at: datetime


@dataclass(frozen=True)
class Call(Generic[T_co]):
    request: Request
    parse: Callable[[Response], T_co]
