"""A bare refresh loop: the calls of the service's background refresh, without its safety.

It selects due rows, sends each refresh token to TikTok and writes the responses back, many rows in one
update: no lease, no journal, no encryption. It goes through PostgREST with aiohttp, or directly with
asyncpg, like the service. A process of its own: one line of JSON in, one line out.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import aiohttp
import asyncpg
import uvloop

SETUP = """
    create schema if not exists bench;

    create or replace function public.bench_due(p_max_rows integer, p_except jsonb)
    returns table (id uuid, token text)
    language plpgsql security definer set search_path = '' set enable_seqscan = off
    as $$
    begin
        return query
        select c.id, c.encrypted_tokens
        from connector.connections c
        where c.due_at <= clock_timestamp()
            and not p_except ? c.id::text
        order by c.due_at
        limit p_max_rows;
    end
    $$;

    create or replace function public.bench_save(p_rows jsonb)
    returns table (id uuid)
    language plpgsql security definer set search_path = '' set enable_seqscan = off
    as $$
    #variable_conflict use_column
    begin
        return query
        update connector.connections c
        set
            encrypted_tokens = r.token,
            expires_at = clock_timestamp() + interval '0.35 s',
            due_at = clock_timestamp() + interval '0.2 s',
            token_version = c.token_version + 1
        from jsonb_to_recordset(p_rows) as r (id uuid, token text)
        where c.id = r.id
            and c.id = any (array (select (w ->> 'id')::uuid from jsonb_array_elements(p_rows) w))
        returning c.id;
    end
    $$;

    grant execute on function public.bench_due, public.bench_save to service_role;
    notify pgrst, 'reload schema';
"""

BATCH, MAX_RUNNING, SAVE_BATCH = 32, 768, 250
"""The same limits as in the service."""

Call = Callable[[str, dict[str, Any]], Awaitable[list[dict[str, Any]]]]


class Loop:
    def __init__(self, call: Call, http: aiohttp.ClientSession, tiktok: str) -> None:
        self._call = call
        self._http = http
        self._tiktok = tiktok
        self._running: set[str] = set()
        self._finished: list[dict[str, str]] = []
        self._saving: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.saved = 0

    async def run(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        while True:
            self._changed.clear()
            free = MAX_RUNNING - len(self._running)
            rows = []
            if free >= BATCH:
                rows = await self._call("due", {"max_rows": BATCH, "except": sorted(self._running)})
            for row in rows:
                self._running.add(str(row["id"]))
                task = asyncio.create_task(self._refresh(str(row["id"]), row["token"]))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            if len(rows) < BATCH:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.02)

    async def _refresh(self, id: str, token: str) -> None:
        form = {
            "client_key": "bench-key",
            "client_secret": "bench-secret",
            "grant_type": "refresh_token",
            "refresh_token": token,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with self._http.post(
            f"{self._tiktok}/v2/oauth/token/", data=urlencode(form), headers=headers
        ) as response:
            payload = json.loads(await response.read())
        self._finished.append({"id": id, "token": payload["refresh_token"]})
        if self._saving is None:
            self._saving = asyncio.create_task(self._save())

    async def _save(self) -> None:
        while self._finished:
            batch, self._finished = self._finished[:SAVE_BATCH], self._finished[SAVE_BATCH:]
            self.saved += len(await self._call("save", {"rows": batch}))
            self._running.difference_update(row["id"] for row in batch)
            self._changed.set()
        self._saving = None


async def main(job: dict[str, Any]) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        if job["dsn"]:
            pool = await asyncpg.create_pool(job["dsn"], min_size=1, max_size=16)
            call = _over_postgres(pool)
        else:
            call = _over_postgrest(http, job["url"], job["key"])
        loop = Loop(call, http, job["tiktok"])
        running = asyncio.create_task(loop.run())
        await asyncio.sleep(job["warming"])
        before, cpu, started = loop.saved, time.process_time(), time.perf_counter()
        await asyncio.sleep(job["seconds"])
        count, seconds = loop.saved - before, time.perf_counter() - started
        result = {"rate": count / seconds, "cpu": (time.process_time() - cpu) / max(count, 1)}
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()
        running.cancel()


def _over_postgrest(http: aiohttp.ClientSession, url: str, key: str) -> Call:
    headers = {
        "apikey": key,
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
    }

    async def call(function: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        body = json.dumps({f"p_{name}": value for name, value in arguments.items()}).encode()
        address = f"{url}/rest/v1/rpc/bench_{function}"
        async with http.post(address, data=body, headers=headers) as response:
            response.raise_for_status()
            rows: list[dict[str, Any]] = json.loads(await response.read())
            return rows

    return call


def _over_postgres(pool: Any) -> Call:
    async def call(function: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        values = [
            json.dumps(value) if isinstance(value, list) else value for value in arguments.values()
        ]
        names = ", ".join(
            f"p_{name} => ${position}" + ("::jsonb" if isinstance(value, list) else "")
            for position, (name, value) in enumerate(arguments.items(), 1)
        )
        return [
            dict(row)
            for row in await pool.fetch(f"select * from public.bench_{function}({names})", *values)
        ]

    return call


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.stdin.readline())))
