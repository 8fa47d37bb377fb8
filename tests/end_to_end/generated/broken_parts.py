"""The parts of broken HTTP: other protocols, and lines and values that no valid request contains."""

from __future__ import annotations

from .message import Header

LONG = b"canary-4f1d" * 4000
VALID = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED: Header = (b"Transfer-Encoding", b"chunked")

OTHER_PROTOCOLS = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03canary-4f1d" + bytes(range(256)),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x12\x04\x00\x00\x00\x00\x00",
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"EHLO canary-4f1d\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + VALID,
    b"\r\n\r\n\x00\x0d\x0a\x51\x55\x49\x54\x0a canary-4f1d",
    b"{}\r\n\r\n",
    b"canary-4f1d\r\n\r\n",
    b"\x00" * 100,
    b"\xff\xfe\xfd\xfc\r\n\r\n",
    b"RTSP/1.0 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
)
BAD_REQUEST_LINES = (
    *rb"""
G(T {target} {version}
{method} {version}
{method}	{target}	{version}
{method}  {target}  {version}
{method} {target} x {version}
{method}
{method} /a b {version}
 {method} {target} {version}
{method}{target}{version}
""".strip(b"\n").split(b"\n"),
    b" ",
    b"{method} {target} {version} ",
    b"\x00{method} {target} {version}",
    b"GET /\r{version}",
    b"{method} /\x00canary-4f1d {version}",
    b"GET /" + LONG + b" {version}",
    LONG + b" / {version}",
    b"GET / " + LONG,
    b"GET /\xff {version}",
    b"{method} {target} {version}\r",
)
BAD_VERSIONS = b"HTTP/9 HTTP/1.10 HTTP/2.0 http/1.1 HTP/1.1 HTTP/1. HTTP/0.9 HTTP/1.1\x00".split(
    b" "
)
BAD_HEADER_LINES = (
    *rb"""
Host x
: x
X Y: canary-4f1d
X : canary-4f1d
(X): y
X;: y
Host:
Host: a b
Host: http://x/
Host: x:99999999
Host: [::1
Host: @
""".strip().split(b"\n"),
    b"",
    b"\t: x",
    b"\x00: x",
    b"X: a\x00b",
    b"X\xff: y",
    b"X: a\rb",
    b"X: \x01\x02",
    b"X\x7f: y",
    b"Host: a\r\nHost: b",
    b"Host: \xff",
)
FOLDED_LINES = (b"X: a\r\n b", b"X: a\r\n\tb", b"X: a\r\n \r\n b", b" X: a", b"\tX: a")
BAD_LENGTHS = (
    b"",
    b" ",
    b"5, 5",
    b"5, 6",
    b"5 5",
    b"5\x00",
    "\u0665".encode(),
    b"\xb2",
    b"9" * 20,
    b"9" * 400,
    *b"-1 +5 0x5 abc 1e3 5.0 18446744073709551616 -9223372036854775809".split(),
)
BAD_ENCODINGS = (
    b"",
    b"gzip, chunked",
    b"chunked, gzip",
    b"chunked, chunked",
    b"Chunked ",
    b"\x0bchunked",
    b"gzip",
    b"identity",
    b"xchunked",
    b"chunked;a=b",
    b"cHuNkEd",
    b"chunked\r\nTransfer-Encoding: identity",
)
BAD_CHUNKS = (
    b"canary-4f1d\r\n",
    b"-1\r\n{}\r\n0\r\n\r\n",
    b"ffffffffffffffff1\r\n{}",
    b"\r\n\r\n",
    b"g\r\n",
    b"2\r\n{}canary-4f1d\r\n",
    b"2 \r\n{}\r\n0\r\n\r\n",
    b"2\n{}\n0\n\n",
    b"0x2\r\n{}",
    b"2\r\r\n{}",
    b"2;" + LONG + b"\r\n{}\r\n0\r\n\r\n",
    b"2;\x00=\xff\r\n{}\r\n0\r\n\r\n",
    b"2\r\n{}\r\nzz\r\n",
    b"2\r\n{}\r\n0\r\nX canary-4f1d\r\n\r\n",
    b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 500 + b"\r\n",
    b"2\r\n{}\r\n0\r\nX: " + LONG + b"\r\n\r\n",
)
UPGRADES: tuple[tuple[Header, ...], ...] = (
    ((b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"), (b"Sec-WebSocket-Key", b"x")),
    (
        (b"Upgrade", b"h2c"),
        (b"Connection", b"Upgrade, HTTP2-Settings"),
        (b"HTTP2-Settings", b"AAM"),
    ),
    ((b"Upgrade", b"TLS/1.0"), (b"Connection", b"upgrade")),
    ((b"Upgrade", b"canary-4f1d"), (b"Connection", b"close, upgrade")),
    ((b"Connection", b"Upgrade"),),
)
EXPECTATIONS = (
    b"100-continue",
    b"100-Continue",
    b"100-continue, x",
    b"canary-4f1d",
    b"",
    b"\xff",
    b"200-ok",
)
BAD_CODINGS = (
    b"gzip",
    b"deflate",
    b"br",
    b"zstd",
    b"identity",
    b"canary-4f1d",
    b"gzip, gzip",
    b"\xff",
    b"",
)
CODED_BODIES = (b"\x1f\x8b\x08\x00canary-4f1d", b"\x78\x9c\x00", b"\x28\xb5\x2f\xfd\x00")
CONNECT_TARGETS = b"example.com:443 /healthz * example.com :1 [::1]:99999".split()
