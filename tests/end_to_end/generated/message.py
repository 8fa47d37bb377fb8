"""HTTP requests as bytes: a valid request that a generator can change, and what is sent on one connection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from random import Random

Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class HttpMessage:
    """`headers` does not contain the framing of the body: Content-Length and Transfer-Encoding."""

    method: bytes
    target: bytes
    headers: tuple[Header, ...]
    body: bytes = b""
    version: bytes = b"HTTP/1.1"

    @property
    def request_line(self) -> bytes:
        return b" ".join((self.method, self.target, self.version)) + b"\r\n"

    def with_headers(self, *headers: Header) -> HttpMessage:
        return replace(self, headers=(*self.headers, *headers))

    def without(self, *names: bytes) -> HttpMessage:
        lower = {name.lower() for name in names}
        kept = tuple(header for header in self.headers if header[0].lower() not in lower)
        return replace(self, headers=kept)

    def head(self, *framing: Header) -> bytes:
        lines = (name + b": " + value + b"\r\n" for name, value in (*self.headers, *framing))
        return self.request_line + b"".join(lines) + b"\r\n"

    def encode(self) -> bytes:
        if not self.body and self.method in (b"GET", b"HEAD"):
            return self.head()
        return self.head(content_length(self.body)) + self.body

    def encode_chunked(self, random: Random) -> bytes:
        return self.head((b"Transfer-Encoding", b"chunked")) + chunks(self.body, random)


class Silence(Enum):
    """The only reasons for which the service may close a connection without an answer."""

    HALF_CLOSED = "the client closed its side before it read the answer"
    NO_HEADER = "the client never completed a header, so the service closed the connection in time"
    RESET = "the client reset the connection"


@dataclass(frozen=True)
class GeneratedRequest:
    """What one client sends on one connection, and how many answers it must get."""

    kind: str
    parts: tuple[bytes, ...]
    methods: tuple[bytes, ...] = (b"GET",)
    """One for each request; an answer to HEAD has no body."""

    min_answers: int = 1
    max_answers: int = 1
    silence: Silence | None = None
    statuses: tuple[int, ...] = ()
    """The only right statuses. Empty: the rules of all answers are enough."""

    @property
    def sent(self) -> bytes:
        return b"".join(self.parts)


def content_length(body: bytes) -> Header:
    return b"Content-Length", str(len(body)).encode()


def chunks(body: bytes, random: Random) -> bytes:
    encoded, position = [], 0
    while position < len(body):
        chunk = body[position : position + random.randint(1, 2000)]
        extension = random.choice((b"", b"", b";a=b", b';a="b;c"'))
        encoded.append(f"{len(chunk):x}".encode() + extension + b"\r\n" + chunk + b"\r\n")
        position += len(chunk)
    trailer = random.choice((b"", b"", b"X-Trailer: 1\r\n"))
    return b"".join((*encoded, b"0\r\n", trailer, b"\r\n"))


def split(sent: bytes, random: Random) -> tuple[bytes, ...]:
    """Cuts the bytes at a few random places."""
    places = sorted(random.randrange(len(sent) + 1) for _ in range(random.randint(0, 3)))
    edges = [0, *places, len(sent)]
    return tuple(sent[start:end] for start, end in pairwise(edges))
