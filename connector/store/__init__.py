"""The memory: typed operations over one seam.

A `Database` has one method, `call(operation, **arguments)`: all of it or nothing. Each operation's
name and arguments stand in three places, here, in `sqlite.sql` and in `sql/002_functions.sql`, and
a test compares them. Arguments are plain values: text, numbers, aware times, and JSON. What is
written down about tokens is sealed before it comes here.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, Protocol

from connector.errors import ConnectorError, StoreUnreachable
from connector.model import Account, Attempt, Connection, Kept, Sealed, UserId, stamp

from .fitting import alone, every, first, storable
from .refusals import misconfigured
from .rows import (
    Answer,
    Census,
    Claim,
    Connected,
    Id,
    Known,
    Outcome,
    Pulse,
    Saved,
    SealedRow,
    Tidied,
)
from .together import Together

log = logging.getLogger(__name__)

SCHEMA_VERSION = 2
PAGE = 200
AT_A_TIME = 5000

Fields = dict[str, Any]

__all__ = [
    "SCHEMA_VERSION",
    "Answer",
    "Census",
    "Claim",
    "Connected",
    "Database",
    "Known",
    "Outcome",
    "Pulse",
    "SealedRow",
    "Store",
]


class Database(Protocol):
    name: str

    async def open(self) -> None: ...

    async def call(self, operation: str, **arguments: Any) -> list[dict[str, Any]]: ...

    async def close(self) -> None: ...


class Store:
    def __init__(self, database: Database) -> None:
        self._database = database
        self.name = database.name
        self._trouble: str | None = None
        self._claims = Together(self._claim_codes, apart=itemgetter("key"))
        self._saves = Together(self._save_connections, apart=itemgetter("user_id"))
        self._reads = Together(self._read_tokens)

    async def _call(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        fit = {name: storable(value) for name, value in arguments.items()}
        try:
            rows = await self._database.call(operation, **fit)
        except ConnectorError as error:
            self._note(error)
            raise
        self._trouble = None
        return rows

    def _note(self, error: ConnectorError) -> None:
        """What people are not told, once for as long as it lasts."""
        if error.detail != self._trouble:
            log.warning("store in trouble code=%s because=%s", error.code, error.detail)
        self._trouble = error.detail

    async def ready(self) -> None:
        rows = await self._call("ready")
        version = rows[0].get("version") if rows else None
        if version != SCHEMA_VERSION:
            error = misconfigured(
                f"The database has schema {version}, this service needs {SCHEMA_VERSION}: "
                "apply sql/001_tables.sql and sql/002_functions.sql."
            )
            self._note(error)
            raise error

    # Codes: one exchange per authorization code, however often it is posted.

    async def claim_code(
        self, key: str, *, user_id: UserId, family: str, holder: str, now: datetime, until: datetime
    ) -> Claim:
        """Where another replica is claiming it at this moment: neither ours nor answered yet."""
        return await self._claims.call(
            {
                "key": key,
                "user_id": user_id,
                "family": family,
                "holder": holder,
                "at": stamp(now),
                "until": stamp(until),
            }
        )

    async def _claim_codes(self, claims: Sequence[Fields]) -> list[Claim | StoreUnreachable]:
        rows = await self._call("claim_codes", claims=sorted(claims, key=itemgetter("key")))
        found = {row.get("key"): [row] for row in rows}
        return [alone(Claim, found.get(claim["key"], [])) for claim in claims]

    async def settle_code(
        self,
        key: str,
        *,
        holder: str,
        sealed: Sealed | None,
        answer: Answer | None,
        attempt: Attempt | None,
        now: datetime,
    ) -> None:
        await self._call(
            "settle_code",
            key=key,
            holder=holder,
            sealed=sealed,
            answer=answer,
            attempt=attempt and attempt.model_dump(mode="json"),
            now=now,
        )

    async def restore_code(
        self,
        key: str,
        *,
        user_id: UserId,
        family: str,
        holder: str,
        sealed: Sealed,
        now: datetime,
        until: datetime,
    ) -> Claim | None:
        """None when the code already led to a connection: there is nothing to go on with."""
        rows = await self._call(
            "restore_code",
            key=key,
            user_id=user_id,
            family=family,
            holder=holder,
            sealed=sealed,
            now=now,
            until=until,
        )
        ours = {"mine": True, "sealed": sealed}
        return first(Claim, [{**rows[0], **ours}]) if rows else None

    async def save_connection(self, connected: Connected) -> Answer:
        """The answer names the connection, which may be an earlier one."""
        return await self._saves.call(connected.model_dump(mode="json"))

    async def _save_connections(self, connections: Sequence[Fields]) -> list[Answer]:
        # All in one order: two batches that overlap would else wait for each other's rows.
        ordered = sorted(connections, key=itemgetter("user_id"))
        rows = await self._call("save_connections", connections=ordered)
        told = {saved.key: saved.answer for saved in every(Saved, rows)}
        return [told[c["key"]] if c["key"] in told else c["answer"] for c in connections]

    # Connections, as they are shown.

    async def choose(
        self, id: str, *, chosen: Account, account_token: str | None, now: datetime
    ) -> bool:
        rows = await self._call(
            "choose", id=id, chosen=chosen.model_dump(), account_token=account_token, now=now
        )
        return bool(rows)

    async def connection(self, id: str) -> Connection | None:
        rows = await self._call("connection", id=id)
        return first(Connection, rows) if rows else None

    async def connections(
        self,
        *,
        user_id: UserId | None = None,
        family: str | None = None,
        after: str | None = None,
    ) -> AsyncIterator[Connection]:
        """Without their accounts, which can be thousands; `connection` has those."""
        while True:
            rows = await self._call(
                "connections", user_id=user_id, family=family, after=after, most=PAGE
            )
            page = every(Connection, rows)
            for connection in page:
                yield connection
            if len(page) < PAGE:
                return
            after = page[-1].id

    async def begin_revoke(self, id: str, *, now: datetime) -> Kept | None:
        rows = await self._call("begin_revoke", id=id, now=now)
        return first(Kept, rows) if rows else None

    # Tokens, as they are kept.

    async def read_token(self, id: str) -> Kept | None:
        return await self._reads.call(id)

    async def _read_tokens(self, ids: Sequence[str]) -> list[Kept | StoreUnreachable | None]:
        rows = await self._call("read_tokens", ids=list(dict.fromkeys(ids)))
        found = {key.id: alone(Kept, [row]) for key, row in zip(every(Id, rows), rows, strict=True)}
        return [found.get(id) for id in ids]

    async def find_token(self, user_id: UserId, family: str) -> Kept | None:
        rows = await self._call("find_token", user_id=user_id, family=family)
        return first(Kept, rows) if rows else None

    async def claim_refresh(
        self, id: str, *, version: int, holder: str, now: datetime, until: datetime
    ) -> Kept | None:
        """None when somebody else holds it, or its tokens are no longer those of `version`."""
        rows = await self._call(
            "claim_refresh", id=id, version=version, holder=holder, now=now, until=until
        )
        return first(Kept, rows) if rows else None

    async def claim_due(
        self, *, holder: str, most: int, now: datetime, until: datetime
    ) -> list[Kept]:
        rows = await self._call("claim_due", holder=holder, most=most, now=now, until=until)
        return every(Kept, rows)

    async def release(self, holders: Sequence[str], *, now: datetime, until: datetime) -> int:
        """How many connections these held and are due now. No lease ends later than `until`."""
        rows = await self._call("release", holders=list(holders), now=now, until=until)
        return len(every(Id, rows))

    async def save_outcomes(self, outcomes: Sequence[Outcome], *, now: datetime) -> set[str]:
        """The ids that were saved; an outcome that came too late is refused."""
        ordered = sorted(outcomes, key=lambda outcome: outcome.id)
        rows = await self._call(
            "save_outcomes", outcomes=[outcome.written for outcome in ordered], now=now
        )
        return {saved.id for saved in every(Id, rows)}

    # The log.

    async def attempts(self, id: str, *, most: int = 50) -> list[Attempt]:
        rows = await self._call("attempts", id=id, most=most)
        return every(Attempt, rows)

    async def pulse(self, *, user_id: UserId | None, since: datetime) -> list[Pulse]:
        rows = await self._call("pulse", user_id=user_id, since=since)
        return every(Pulse, rows)

    async def census(self) -> list[Census]:
        return every(Census, await self._call("census"))

    async def tidy(
        self, *, before: datetime, keep: int, told_before: datetime, most: int = AT_A_TIME
    ) -> bool:
        """Whether there is more to tidy away than was done in one go."""
        rows = await self._call(
            "tidy", before=before, keep=keep, told_before=told_before, most=most
        )
        return bool(first(Tidied, rows).unfinished)

    # Re-sealing, when a key is replaced.

    async def sealed(self, place: str, *, after: str | None) -> list[SealedRow]:
        rows = await self._call("sealed", place=place, after=after, most=PAGE)
        return every(SealedRow, rows)

    async def save_resealed(self, place: str, rows: Sequence[tuple[str, str, str]]) -> None:
        """Each row is key, old, new; one whose old text is no longer there is left alone."""
        await self._call(
            "save_resealed",
            place=place,
            rows=[{"key": key, "old": old, "new": new} for key, old, new in sorted(rows)],
        )
