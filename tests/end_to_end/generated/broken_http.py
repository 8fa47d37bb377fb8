"""Changes a valid request into broken HTTP, or into another protocol.

Each function returns what one client sends. What is not HTTP at all gets a 400. A lenient parser may accept the
rest, so that other answers are right too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from . import broken_parts as parts
from .broken_parts import CHUNKED, LONG, VALID
from .message import GeneratedRequest, Header, HttpMessage, Silence, chunks, content_length

Breaker = Callable[[HttpMessage, Random], GeneratedRequest]


def another_protocol(_: HttpMessage, random: Random) -> GeneratedRequest:
    return _rejected("another protocol", random.choice(parts.OTHER_PROTOCOLS))


def random_bytes(_: HttpMessage, random: Random) -> GeneratedRequest:
    """The first byte is that of no method, so the bytes are not the beginning of a request either."""
    return _rejected("random bytes", b"\x80" + random.randbytes(random.randint(1, 2000)))


def bad_request_line(message: HttpMessage, random: Random) -> GeneratedRequest:
    version = random.choice((message.version, *parts.BAD_VERSIONS))
    line = random.choice((b"{method} {target} {version}", *parts.BAD_REQUEST_LINES))
    line = line.replace(b"{method}", message.method).replace(b"{target}", message.target)
    line = line.replace(b"{version}", version)
    rest = message.head().partition(b"\r\n")[2]
    return _answered("bad request line", message, line + b"\r\n" + rest, more=1)


def bad_header(message: HttpMessage, random: Random) -> GeneratedRequest:
    line = random.choice(parts.BAD_HEADER_LINES)
    message = message.without(b"Host") if random.random() < 0.5 else message
    first, _, rest = message.head().partition(b"\r\n")
    return _answered("bad header", message, first + b"\r\n" + line + b"\r\n" + rest, more=1)


def no_host(message: HttpMessage, _: Random) -> GeneratedRequest:
    return _answered("no Host", message, message.without(b"Host").encode(), more=1)


def long_header(message: HttpMessage, random: Random) -> GeneratedRequest:
    extra: tuple[Header, ...] = random.choice(
        (
            ((b"X", LONG),),
            ((b"Cookie", b"a=" + LONG),),
            ((LONG, b"x"),),
            ((b"X", b"y"),) * random.choice((120, 130, 2000)),
            ((b"Authorization", b"Bearer " + LONG[:30_000]),),
        )
    )
    return _answered("long header", message, message.with_headers(*extra).encode(), more=1)


def folded_header(message: HttpMessage, random: Random) -> GeneratedRequest:
    fold = random.choice(parts.FOLDED_LINES)
    first, _, rest = message.head().partition(b"\r\n")
    return _answered("folded header", message, first + b"\r\n" + fold + b"\r\n" + rest, more=1)


def bare_line_feeds(message: HttpMessage, _: Random) -> GeneratedRequest:
    return _answered("bare line feeds", message, message.head().replace(b"\r\n", b"\n"), more=1)


def old_version(message: HttpMessage, random: Random) -> GeneratedRequest:
    method = b"GET" if message.method == b"HEAD" else message.method
    old = replace(message, method=method, version=b"HTTP/1.0")
    if random.random() < 0.5:
        old = old.with_headers((b"Connection", b"keep-alive")).without(b"Host")
    return _answered("HTTP/1.0", old, old.encode(), more=1)


def simple_request(message: HttpMessage, random: Random) -> GeneratedRequest:
    """HTTP/0.9: one line, without a header."""
    ending = random.choice((b"\r\n", b"\r\n\r\n", b"\n"))
    sent = b"GET " + message.target + ending
    return _close("HTTP/0.9", sent, Silence.NO_HEADER, max_answers=2)


def bad_content_length(message: HttpMessage, random: Random) -> GeneratedRequest:
    length = (b"Content-Length", random.choice(parts.BAD_LENGTHS))
    lengths = random.choice(((length,), (content_length(message.body), length), (length, CHUNKED)))
    return _answered("bad Content-Length", message, message.head(*lengths) + message.body, more=3)


def two_framings(message: HttpMessage, random: Random) -> GeneratedRequest:
    """Content-Length and Transfer-Encoding: two programs may disagree where the next request starts."""
    framing = [
        CHUNKED,
        (b"Content-Length", random.choice((b"0", b"3", content_length(message.body)[1]))),
    ]
    random.shuffle(framing)
    sent = message.head(*framing) + chunks(message.body, random) + VALID
    return _answered("two framings", message, sent, more=3)


def bad_transfer_encoding(message: HttpMessage, random: Random) -> GeneratedRequest:
    encoding = (b"Transfer-Encoding", random.choice(parts.BAD_ENCODINGS))
    sent = message.head(encoding) + chunks(message.body, random)
    return _answered("bad Transfer-Encoding", message, sent, more=3)


def bad_chunks(message: HttpMessage, random: Random) -> GeneratedRequest:
    sent = message.head(CHUNKED) + random.choice(parts.BAD_CHUNKS)
    return _answered("bad chunks", message, sent, more=3)


def short_content_length(message: HttpMessage, random: Random) -> GeneratedRequest:
    """The rest of the body looks like the next request."""
    length = str(random.randrange(len(message.body) + 1)).encode()
    sent = message.head((b"Content-Length", length)) + message.body
    return _answered("short Content-Length", message, sent, more=3)


def bad_content_encoding(message: HttpMessage, random: Random) -> GeneratedRequest:
    coded = message.with_headers((b"Content-Encoding", random.choice(parts.BAD_CODINGS)))
    body = random.choice((coded.body, *parts.CODED_BODIES))
    return _answered("bad Content-Encoding", coded, replace(coded, body=body).encode(), more=2)


def expectation(message: HttpMessage, random: Random) -> GeneratedRequest:
    expecting = message.with_headers((b"Expect", random.choice(parts.EXPECTATIONS)))
    return _answered("Expect", expecting, expecting.encode(), more=1)


def upgrade(message: HttpMessage, random: Random) -> GeneratedRequest:
    upgrading = message.with_headers(*random.choice(parts.UPGRADES))
    tail = random.choice((b"", VALID, b"\x81\x85canary-4f1d", LONG))
    return _answered("Upgrade", upgrading, upgrading.encode() + tail, more=2)


def connect(message: HttpMessage, random: Random) -> GeneratedRequest:
    target = random.choice(parts.CONNECT_TARGETS)
    connecting = replace(message, method=b"CONNECT", target=target, body=b"")
    tail = random.choice((b"", VALID, b"\x16\x03\x01canary-4f1d"))
    return _answered("CONNECT", connecting, connecting.head() + tail, more=2)


def pipelined_garbage(message: HttpMessage, random: Random) -> GeneratedRequest:
    count = random.randint(1, 40)
    garbage = random.choice(
        (b"canary-4f1d\r\n\r\n", b"\x00", b"GET /" + LONG + b" HTTP/1.1\r\n\r\n")
    )
    sent = VALID * count + message.encode() + garbage
    methods = (*[b"GET"] * count, message.method)
    return GeneratedRequest("pipelined garbage", (sent,), methods, count, count + 4)


def body_never_complete(message: HttpMessage, random: Random) -> GeneratedRequest:
    framing = random.choice(((b"Content-Length", b"70000"), (b"Content-Length", b"9999"), CHUNKED))
    sent = message.head(framing) + (b"4\r\n{" if framing == CHUNKED else message.body[:50])
    return _answered("body never complete", message, sent)


def header_never_complete(message: HttpMessage, random: Random) -> GeneratedRequest:
    head = message.head()
    sent = random.choice((b"", b"\r\n", head[: random.randrange(len(head) - 1)]))
    return _close("header never complete", sent, Silence.NO_HEADER)


def half_closed(message: HttpMessage, random: Random) -> GeneratedRequest:
    encoded = random.choice((message.encode(), message.encode_chunked(random)))
    sent = encoded[: random.randint(0, len(encoded))]
    return replace(_close("half-closed", sent, Silence.HALF_CLOSED), methods=(message.method,))


def reset(message: HttpMessage, random: Random) -> GeneratedRequest:
    encoded = message.encode()
    return _close("reset", encoded[: random.randint(0, len(encoded))], Silence.RESET)


def _answered(kind: str, message: HttpMessage, sent: bytes, *, more: int = 0) -> GeneratedRequest:
    return GeneratedRequest(kind, (sent,), (message.method,), 1, 1 + more)


def _rejected(kind: str, sent: bytes) -> GeneratedRequest:
    """Bytes that are not HTTP at all get exactly one answer: 400."""
    return GeneratedRequest(kind, (sent,), statuses=(400,))


def _close(kind: str, sent: bytes, silence: Silence, *, max_answers: int = 1) -> GeneratedRequest:
    return GeneratedRequest(kind, (sent,), (), 0, max_answers, silence)


BREAKERS: tuple[Breaker, ...] = (
    another_protocol,
    random_bytes,
    bad_request_line,
    bad_header,
    no_host,
    long_header,
    folded_header,
    bare_line_feeds,
    old_version,
    simple_request,
    bad_content_length,
    two_framings,
    upgrade,
    connect,
    bad_transfer_encoding,
    bad_chunks,
    short_content_length,
    bad_content_encoding,
    expectation,
    pipelined_garbage,
    half_closed,
    reset,
)
SLOW_BREAKERS: tuple[Breaker, ...] = (body_never_complete, header_never_complete)
"""The service answers these, or closes the connection, only after a time limit."""
