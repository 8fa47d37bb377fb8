"""One page of a list of connections, and the cursor that names the start of the next page.

A cursor is the position of the last connection of a page. It stays valid if connections change, end or are
added. Its checksum only detects a damaged cursor: a cursor gives no access, so it needs no signature.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from connector.errors import InvalidRequest
from connector.model import Connection, format_utc
from connector.store import SEVERITIES, ConnectionFilter, ListPosition, Store

CHECKSUM_BYTES = 4


@dataclass(frozen=True)
class ConnectionPage:
    connections: list[Connection]
    next: str | None
    """The cursor of the next page, or None on the last page."""


async def read_page(
    store: Store, filter: ConnectionFilter, *, after: str | None, limit: int
) -> ConnectionPage:
    position = None if after is None else decode_cursor(after)
    # One row more than the page shows whether there is a next page.
    found = await store.search_connections(filter, after=position, max_rows=limit + 1)
    page = found[:limit]
    is_last = len(found) <= limit
    return ConnectionPage(page, None if is_last else encode_cursor(ListPosition.of(page[-1])))


def encode_cursor(position: ListPosition) -> str:
    content = f"{position.severity} {format_utc(position.connected_at)} {position.id}".encode()
    return base64.urlsafe_b64encode(_checksum(content) + content).decode().rstrip("=")


def decode_cursor(cursor: str) -> ListPosition:
    try:
        decoded = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise _damaged() from None
    checksum, content = decoded[:CHECKSUM_BYTES], decoded[CHECKSUM_BYTES:]
    if checksum != _checksum(content):
        raise _damaged()
    try:
        severity, connected_at, id = content.decode().split()
        position = ListPosition(int(severity), datetime.fromisoformat(connected_at), str(UUID(id)))
        expected = encode_cursor(position)
    except (ValueError, OverflowError):  # A time near the year 1 or 9999 may have no equal in UTC.
        raise _damaged() from None
    # Also refuses a cursor whose last character has other bits that base64 ignores.
    if expected != cursor or position.severity not in SEVERITIES.values():
        raise _damaged()
    return position


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(CHECKSUM_BYTES)


def _damaged() -> InvalidRequest:
    return InvalidRequest("after must be the value of next on the previous page.")
