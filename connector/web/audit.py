"""Records who read or changed something, and lists these records."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Annotated

from aiohttp import web
from pydantic import Field

from connector.errors import InvalidRequest
from connector.model import UserId, UtcDatetime, format_utc
from connector.store import AuditAction, AuditFilter, AuditPosition

from .app_keys import PRINCIPAL, REQUEST_ID, SERVICES
from .peer import peer_address
from .schemas import Cursor, RequestModel, ResponseModel, ShortText, UserIdField

MAX_PAGE_SIZE = 500
"""PostgREST returns at most 1,000 rows."""

ENTRY_ID = re.compile("[!-~]+")


class AuditQuery(RequestModel, extra="forbid"):
    connection_id: ShortText | None = None
    user_id: UserIdField | None = None
    actor: ShortText | None = None
    after: Cursor | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)] = 100


class AuditEntryResponse(ResponseModel):
    at: UtcDatetime
    actor: str
    action: AuditAction
    connection_id: str | None
    user_id: str | None
    request_id: str | None
    peer: str | None


class AuditList(ResponseModel):
    entries: list[AuditEntryResponse]
    next: str | None


def actor(request: web.Request) -> str:
    principal = request.get(PRINCIPAL)
    return principal.actor if principal else "person"


def record(
    request: web.Request,
    action: AuditAction,
    *,
    connection_id: str | None = None,
    user_id: UserId | None = None,
) -> None:
    """Only puts the entry into a queue, so that no request waits for it."""
    request.app[SERVICES].audit.record(
        action,
        actor=actor(request),
        connection_id=connection_id,
        user_id=user_id,
        request_id=request[REQUEST_ID],
        peer=peer_address(request),
    )


async def list_audit_entries(request: web.Request, query: AuditQuery) -> AuditList:
    """List who read tokens, created tickets, selected, refreshed, disconnected, erased or changed an endpoint.

    The newest is first. An entry appears here within a second. Entries are kept for 90 days.
    """
    matching = AuditFilter(query.connection_id, query.user_id, query.actor)
    entries = await request.app[SERVICES].store.list_audit_entries(
        matching,
        before=None if query.after is None else _parse_cursor(query.after),
        max_rows=query.limit + 1,
    )
    page, has_next = entries[: query.limit], len(entries) > query.limit
    return AuditList(
        entries=[AuditEntryResponse(**dict(entry)) for entry in page],
        next=_cursor(AuditPosition(page[-1].at, page[-1].id)) if has_next else None,
    )


def _cursor(position: AuditPosition) -> str:
    text = f"{format_utc(position.at)} {position.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _parse_cursor(after: str) -> AuditPosition:
    """Refuses everything that `_cursor` does not return, because a database refuses some times and characters."""
    try:
        text = base64.b64decode(after + "=" * (-len(after) % 4), b"-_", validate=True).decode()
        at, _, id = text.partition(" ")
        position = AuditPosition(datetime.fromisoformat(at), id)
        is_own = _cursor(position) == after
    except (ValueError, OverflowError):
        raise _invalid_cursor_error() from None
    if not is_own or not ENTRY_ID.fullmatch(id):
        raise _invalid_cursor_error()
    return position


def _invalid_cursor_error() -> InvalidRequest:
    """A new error each time: an exception that is raised again keeps the frames of every earlier request."""
    return InvalidRequest("after must be the value of next on the previous page.")
