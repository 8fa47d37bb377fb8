"""`connector audit`: lists who read or changed what."""

from __future__ import annotations

import asyncio
import json
from argparse import Namespace

from connector.app import Service
from connector.model import parse_user_id
from connector.store import AuditEntry, AuditFilter, AuditPosition

from .bootstrap import build_service, open_store_only
from .terminal import print_error, print_result, print_table

PAGE_SIZE = 500


def audit(options: Namespace) -> int:
    user_id = parse_user_id(options.user, field="--user") if options.user else None
    matching = AuditFilter(options.connection, user_id, options.key)
    found = asyncio.run(_list_entries(build_service(), matching, options.limit))
    if options.json:
        as_json = [entry.model_dump(mode="json", exclude={"id"}) for entry in found]
        print_result(json.dumps(as_json, indent=2))
    elif not found:
        print_error("There are no such entries.")
    else:
        columns = ("at", "actor", "action", "connection", "user", "peer", "request id")
        print_table(columns, map(_row, found))
    return 0


async def _list_entries(service: Service, matching: AuditFilter, limit: int) -> list[AuditEntry]:
    found: list[AuditEntry] = []
    async with open_store_only(service):
        while len(found) < limit:
            before = AuditPosition(found[-1].at, found[-1].id) if found else None
            max_rows = min(PAGE_SIZE, limit - len(found))
            page = await service.store.list_audit_entries(
                matching, before=before, max_rows=max_rows
            )
            found += page
            if len(page) < max_rows:
                break
    return found


def _row(entry: AuditEntry) -> tuple[str, ...]:
    return (
        f"{entry.at:%Y-%m-%d %H:%M:%S}Z",
        entry.actor,
        entry.action,
        entry.connection_id or "-",
        entry.user_id or "-",
        entry.peer or "-",
        entry.request_id or "-",
    )
