"""Values that a careless or hostile client may send: in a path, a query, a header or JSON.

Most of them contain `CANARY`. No error and no line of the log may repeat a value of a request.
"""

from __future__ import annotations

import base64
from random import Random
from typing import Any
from urllib.parse import quote

Json = dict[str, Any]

CANARY = b"canary-4f1d"
WORD = "canary-4f1d-word"

ODD_URL_TEXT = (
    b"",
    b"9" * 40,
    b"x" * 65,
    b"x" * 300,
    b"canary-4f1d" * 800,
    "й".encode(),
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\x7f",
    *rb"""
    %00 canary-4f1d%00 %ff%fe %ed%a0%80 %c0%ae %zz % %u0041 %F0%9F%98%80 %e2%80%ae %25%30%30 %0a %09 %20 %22
    .. %2e%2e ..%2f..%2fetc%2fpasswd a%2fb %2f %5c a%5cb %3f %23 + %2b %26 %3d canary-4f1d'%20or%201=1--
    canary-4f1d%0d%0aX-Injected:%201 {id} [] $(id) null -1 0 1e9 2026-13-45 11111111222233334444555555555555
    00000000-0000-0000-0000-000000000000 11111111-2222-3333-4444-55555555555X
    {11111111-2222-3333-4444-555555555555} urn:uuid:11111111-2222-3333-4444-555555555555
    """.split(),
)
ODD_PATHS = (
    b"",
    b"/" * 500,
    b"{path}%20",
    *rb"""
    {path}/ /{path} /.{path} /x/..{path} /%2e%2e{path} {path};a=b {path}#canary-4f1d {path}%00 .{path} * ? #
    http://{authority}{path} http://evil.example{path} http://[::1{path} //{authority}{path} {authority}
    http:{path} file://{path}
    """.split(),
)
ODD_HEADER_VALUES = (
    b"",
    b" ",
    b"x" * 2000,
    b"\xff\xfe",
    "й".encode(),
    b"\x80",
    b"\xf0\x9f\x98\x80",
    b"a\tb",
    *rb"""
    * canary-4f1d "canary-4f1d" W/"x" "a","b",, " %00 -1 99999999999999999999 1.5 0x10 NaN bytes=0- bytes=9-1,x
    a=b;c =;=; null {} a,b,,c q=2;q=; */*;q=canary ::1 [::1 http://[::1 http://evil.example null,null
    1.2.3.4,canary-4f1d
    """.split(),
    b"Thu, 32 Foo 9999 25:61:61 GMT",
    b"Thu, 01 Jan 0001 00:00:00 GMT",
)
ODD_HEADER_NAMES = b"""
    If-Match If-None-Match If-Modified-Since If-Unmodified-Since If-Range Range Idempotency-Key Upload-Offset
    Tus-Resumable Origin Referer Sec-Fetch-Site X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host Forwarded
    X-Real-IP Via Accept Accept-Encoding Accept-Language Accept-Charset TE Trailer Date Cookie User-Agent
    Access-Control-Request-Method Access-Control-Request-Headers Prefer Max-Forwards X-HTTP-Method-Override
    Content-Language Content-Location Keep-Alive Proxy-Authorization Access-Token traceparent Digest DNT
    """.split()
ODD_CONTENT_TYPES = (
    b"",
    b"application/json; charset=utf-16",
    b"application/json; charset=\xff",
    b"application/json; charset",
    b'application/json; charset="',
    b"application/json, text/plain",
    b"application/json; charset=canary-4f1d",
    b"application/json;" * 200,
    b"application/json; =; a*=utf-8''%ff",
    "application/jsoй".encode(),
    *b"""
    text/plain application/x-www-form-urlencoded application/xml json / ;;; */* multipart/form-data
    multipart/form-data;boundary=x application/problem+json APPLICATION/JSON application/json;charset=idna
    """.split(),
)
ODD_METHODS = (
    b"X" * 300,
    *b"""
    PUT PATCH OPTIONS TRACE PROPFIND MKCALENDAR M-SEARCH QUERY LINK DELETE POST GET HEAD get Get CANARY SOURCE
    """.split(),
)
ODD_JSON = (
    b"9" * 400,
    b"9" * 5000,
    b'"canary-4f1d' + b"x" * 5000 + b'"',
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"a\nb"',
    b"[" * 300,
    b"[" * 5000 + b"]" * 5000,
    b'{"a":' * 2000 + b"1" + b"}" * 2000,
    b'" "',
    b"/* */ 1",
    *rb"""
    null true 0 -1 1.5 1e400 -1e-400 NaN Infinity -Infinity -999999999999999999999999999999 01 +1 .5 1. 0x10 1e
    --1 "" "\u0000" "canary-4f1d\u0000" "\ud800" "canary-4f1d\udc00\ud800" "\ud83d\ude00" "\u202e" "\x41"
    'canary' "canary-4f1d "\r\nX:1" "canary-4f1d%s{}" "\u12" [] {} ["canary-4f1d"] {"a":"canary-4f1d"} [1,]
    {"a":1,} undefined {"__proto__":{}}
    """.split(),
)
ODD_BODIES = (
    b"",
    b" ",
    b"\n",
    b"\x00",
    b"\xff\xfe\xfd",
    b"--x\r\n",
    b"\xef\xbb\xbf{}",
    b'{"state":"\xff"}',
    '{"state":"x"}'.encode("utf-16"),
    b"{} canary-4f1d",
    b"x" * 70_000,
    b'{"a":"' + b"x" * 64_000 + b'"}',
    *rb"""
    canary-4f1d <canary-4f1d/> code=canary-4f1d&state=x {}{} {"state" {"state":"x" {"\u0000":1} {"":""}
    {"user_id":"a","user_id":"b"}
    """.split(),
)
ODD_TICKETS = ("ct_", "ct_canary", "ct_" + "A" * 200, "ct_\xff", "ct_====", "ct_" + "A" * 9000)
ODD_JWTS = [
    "..",
    "a.b.c",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjYW5hcnkifQ.",
    "eyJhbGciOiJIUzI1NiJ9.e30.AA",
    "eyJhbGciOjF9.e30.AA",
    "W10.e30.AA",
    "bnVsbA.bnVsbA.AA",
    "eyJhbGciOiJIUzI1NiIsImtpZCI6W119.e30.AA",
]


def odd_cursor(cursor: str, random: Random) -> str:
    """Changes the content of a page's cursor, and encodes it again."""
    content = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    first, _, last = content.rpartition(b" ")
    times = (b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59-23:59", b"2026-01-01", b"now")
    lasts = (b"\x00", b"\xff", b"", b"canary-4f1d", last + b" " + last)
    changed = [time + b" " + last for time in times]
    changed += [first + b" " + last for last in lasts]
    changed += [content * 3, content[:-1], b"\x00"]
    return base64.urlsafe_b64encode(random.choice(changed)).decode().rstrip("=")


def odd_state(now: int, random: Random) -> str:
    """Returns a state without a signature, whose content is odd."""
    fields = {"user_id": b'"6f1c2a9e-3b7d-4c55-9a0e-2f4b8d1c7e60"', "ts": str(now).encode()}
    names = (*fields, "family", "sig", "nonce", "redirect_uri", "return_to", "browser")
    for name in random.sample(names, random.randint(1, 4)):
        fields[name] = random.choice(ODD_JSON)
    body = b",".join(f'"{name}":'.encode() + value for name, value in fields.items())
    content = random.choice((b"{" + body + b"}", b"{" + body + b"}", random.choice(ODD_JSON)))
    return base64.urlsafe_b64encode(content[:3000]).decode().rstrip("=")


def example(schema: Json, definitions: Json, random: Random) -> Any:
    """Returns a value of the schema of a request model."""
    if "$ref" in schema:
        return example(definitions[schema["$ref"].rpartition("/")[2]], definitions, random)
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return example(random.choice(schema[word]), definitions, random)
    if "enum" in schema:
        return random.choice(schema["enum"])
    return schema["const"] if "const" in schema else _example_of_type(schema, definitions, random)


def _example_of_type(schema: Json, definitions: Json, random: Random) -> Any:
    match schema.get("type"):
        case "integer" | "number":
            low = int(schema.get("minimum", 0))
            return random.randint(low, int(schema.get("maximum", low + 100)))
        case "boolean":
            return random.random() < 0.5
        case "array":
            items = schema.get("items", {})
            return [example(items, definitions, random) for _ in range(random.randint(0, 2))]
        case "object":
            fields = schema.get("properties", {}).items()
            return {name: example(field, definitions, random) for name, field in fields}
        case "null":
            return None
    return WORD


def url_encoded(text: str) -> bytes:
    return quote(text, safe="").encode()
