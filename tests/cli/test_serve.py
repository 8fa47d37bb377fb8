"""`connector serve` and `connector simulator`: up quickly, down without losing anything."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession

from tests.houses import AS_SERVER, Simulator
from tests.processes import free_port

from .shell import Shell, children, ended, line_of


@asynccontextmanager
async def serving(shell: Shell, *arguments: str) -> AsyncIterator[Process]:
    process = await shell.start("serve", *arguments)
    try:
        await line_of(process, holding="Ready at http://localhost:")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def url(shell: Shell) -> str:
    return f"http://127.0.0.1:{shell.environment['CONNECTOR_PORT']}"


async def health(shell: Shell) -> int:
    async with ClientSession() as http, http.get(f"{url(shell)}/readyz") as answer:
        return answer.status


async def test_it_says_where_it_is_and_is_ready_in_a_moment(shell: Shell) -> None:
    began = time.perf_counter()
    async with serving(shell) as process:
        assert time.perf_counter() - began < 5  # Under a second alone on a machine.
        assert await health(shell) == 200
        process.terminate()
        assert await process.wait() == 0


async def test_a_port_that_is_taken_is_told_in_a_sentence(shell: Shell) -> None:
    async with serving(shell):
        for arguments in ([], ["--workers", "2"]):
            done = await shell.run("serve", *arguments)
            assert (done.code, done.out) == (1, "")
            assert f"Port {shell.environment['CONNECTOR_PORT']} on 127.0.0.1 is taken" in done.err
            assert "Traceback" not in done.err


async def test_an_address_of_another_machine_is_told_in_a_sentence(shell: Shell) -> None:
    shell.environment["CONNECTOR_HOST"] = "203.0.113.7"
    for arguments in ([], ["--workers", "2"]):
        done = await shell.run("serve", *arguments)
        assert done.code == 1
        assert done.err.startswith("connector: Cannot listen on 203.0.113.7")


async def test_wrong_settings_leave_with_2(shell: Shell) -> None:
    shell.environment["CONNECTOR_LOG"] = "loud"
    assert (await shell.run("serve")).code == 2


async def test_a_misspelt_setting_is_warned_of(shell: Shell) -> None:
    shell.environment["CONNECTOR_ALLOWED_ORIGIN"] = "https://app.example.com"
    process = await shell.start("serve")
    line = await line_of(process, holding="no such setting", stream="stderr")
    assert "Did you mean CONNECTOR_ALLOWED_ORIGINS?" in line
    process.terminate()
    await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_told_to_stop_it_answers_what_is_under_way(
    shell: Shell, tiktok: Simulator, number: signal.Signals
) -> None:
    id = await shell.connect(tiktok, family="login_kit")
    await tiktok.post("/_sim/settings", {"latency_ms": 300})
    async with serving(shell) as process, ClientSession(headers=AS_SERVER) as http:
        answer = asyncio.create_task(http.post(f"{url(shell)}/connections/{id}/refresh"))
        while (await tiktok.stats())["refreshes"] == 0 and not answer.done():
            pass
        process.send_signal(number)
        process.send_signal(number)
        assert (await answer).status == 200
        assert await process.wait() == 0
    assert (await tiktok.stats())["dead_refresh_token_presented"] == 0


async def test_the_log_is_one_json_object_a_line_and_holds_no_token(
    shell: Shell, tiktok: Simulator
) -> None:
    id = await shell.connect(tiktok, family="login_kit")
    token = (await shell("token", id)).out.strip()
    shell.environment |= {"CONNECTOR_LOG": "debug", "CONNECTOR_LOG_FORMAT": "json"}
    process = await shell.start("serve")
    await line_of(process, holding="Ready")
    async with ClientSession(headers=AS_SERVER) as http:
        await http.post(f"{url(shell)}/connections/{id}/refresh")
    process.terminate()
    _, err = await process.communicate()
    lines = [json.loads(line) for line in err.decode().splitlines()]
    assert lines
    assert all({"at", "level", "logger", "message"} <= set(line) for line in lines)
    fresh = (await shell("token", id)).out.strip()
    for secret in (token, fresh, "canary", AS_SERVER["Authorization"].split()[1]):
        assert secret not in err.decode()


# Several workers.


async def test_workers_share_one_port_and_stop_together(shell: Shell) -> None:
    async with serving(shell, "--workers", "2") as process:
        workers = children(process.pid)
        assert len(workers) == 2
        assert {await health(shell) for _ in range(8)} == {200}
        process.terminate()
        assert await process.wait() == 0
        for worker in workers:
            await ended(worker)


async def test_a_worker_that_dies_is_replaced(shell: Shell) -> None:
    async with serving(shell, "--workers", "2") as process:
        first, _ = children(process.pid)
        os.kill(first, signal.SIGKILL)
        await line_of(process, holding="worker ended", stream="stderr")
        await line_of(process, holding="worker ready", stream="stderr")
        assert len(children(process.pid)) == 2
        assert first not in children(process.pid)
        assert await health(shell) == 200
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0


async def test_workers_do_not_outlive_their_supervisor(shell: Shell) -> None:
    async with serving(shell, "--workers", "2") as process:
        workers = children(process.pid)
        process.kill()
        for worker in workers:
            await ended(worker)


async def test_workers_that_cannot_start_end_it(shell: Shell) -> None:
    shell.environment["CONNECTOR_DATABASE"] = "nowhere/at/all.db"
    shell.environment["CONNECTOR_ENCRYPTION_KEYS"] = (await shell("keys", "new")).out.strip()
    done = await shell.run("serve", "--workers", "2")
    assert (done.code, done.out) == (1, "")
    assert "The SQLite database does not answer" in done.err


# The simulator alone.


async def test_the_simulator_runs_alone(shell: Shell) -> None:
    shell.environment = {}
    port = str(free_port())
    process = await shell.start("simulator", "--port", port)
    line = await line_of(process, holding="ready")
    assert f"http://127.0.0.1:{port}" in line
    async with ClientSession() as http, http.get(f"http://127.0.0.1:{port}/_sim/stats") as answer:
        assert answer.status == 200
    taken = await shell.run("simulator", "--port", port)
    assert (taken.code, "--port" in taken.err) == (1, True)
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 0
    await process.communicate()
