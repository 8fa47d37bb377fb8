"""`connector serve`: startup, errors at startup, and a shutdown that loses nothing."""

from __future__ import annotations

import asyncio
import json
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession

from tests.running_service import AS_SERVER, Simulator
from tests.supabase_stack import Stack

from .runner import CommandRunner, first_line_with


@asynccontextmanager
async def serving(cli: CommandRunner) -> AsyncIterator[Process]:
    process = await cli.start_process("serve")
    try:
        await first_line_with(process, "Ready at http://localhost:")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def url(cli: CommandRunner) -> str:
    return f"http://127.0.0.1:{cli.environment['CONNECTOR_PORT']}"


async def readiness(cli: CommandRunner) -> int:
    async with ClientSession() as http, http.get(f"{url(cli)}/readyz") as response:
        return response.status


async def test_the_service_is_ready_when_it_prints_its_address(cli: CommandRunner) -> None:
    async with serving(cli) as process:
        assert await readiness(cli) == 200
        process.terminate()
        assert await process.wait() == 0


async def test_serve_with_hold_says_so_at_the_start_and_at_readyz(cli: CommandRunner) -> None:
    process = await cli.start_process("serve", "--hold")
    try:
        await first_line_with(process, "Ready at http://localhost:")
        async with ClientSession() as http, http.get(f"{url(cli)}/readyz") as response:
            body = await response.json()
    finally:
        process.kill()
        _, errors = await process.communicate()
    assert (response.status, body["warnings"][0]["kind"]) == (200, "hold")
    assert "--hold: no token and no code is used." in errors.decode()


async def test_a_start_on_sqlite_imports_no_package_of_another_database_or_command(
    cli: CommandRunner,
) -> None:
    """Each of these packages would delay every start."""
    cli.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    imports = cli.folder / "imports"
    with imports.open("wb") as stderr:
        process = await cli.start_process("serve", stderr=stderr.fileno())
        await first_line_with(process, "Ready")
    process.terminate()
    assert await process.wait() == 0
    await process.communicate()
    modules = {line.rpartition("|")[2].strip() for line in imports.read_text().splitlines()}
    assert "aiohttp" in modules
    assert modules.isdisjoint({"supabase", "asyncpg", "rich", "tiktok_simulator"})


async def test_a_port_in_use_is_reported_without_a_traceback(cli: CommandRunner) -> None:
    async with serving(cli):
        result = await cli.run_process("serve")
    assert (result.code, result.out) == (1, "")
    assert f"Port {cli.environment['CONNECTOR_PORT']} on 127.0.0.1 is in use" in result.err
    assert "Traceback" not in result.err


async def test_an_address_of_another_machine_is_reported_without_a_traceback(
    cli: CommandRunner,
) -> None:
    cli.environment["CONNECTOR_HOST"] = "203.0.113.7"
    result = await cli.run_process("serve")
    assert result.code == 1
    assert result.err.startswith("connector: Cannot listen on 203.0.113.7")


async def test_serve_with_invalid_settings_exits_with_2(cli: CommandRunner) -> None:
    cli.environment["CONNECTOR_LOG_LEVEL"] = "loud"
    assert (await cli.run_process("serve")).code == 2


async def test_a_misspelt_setting_causes_a_warning_at_startup(cli: CommandRunner) -> None:
    cli.environment["CONNECTOR_ALLOWED_ORIGIN"] = "https://app.example.com"
    process = await cli.start_process("serve")
    line = await first_line_with(process, "no such setting", stream="stderr")
    assert "Did you mean CONNECTOR_ALLOWED_ORIGINS?" in line
    process.terminate()
    await process.communicate()


async def test_settings_that_weaken_a_protection_cause_warnings_at_startup(
    cli: CommandRunner,
) -> None:
    cli.environment |= {
        "CONNECTOR_ACCEPT_UNSIGNED_STATE": "true",
        "CONNECTOR_RETURN_ACCESS_TOKEN": "true",
        "CONNECTOR_USER_ACCOUNTS_TOKEN": "plain",
    }
    process = await cli.start_process("serve")
    await first_line_with(process, "Ready")
    process.terminate()
    _, err = await process.communicate()
    warned = [
        line.split()[1] for line in err.decode().splitlines() if line.startswith("connector: ")
    ]
    assert warned == [
        "CONNECTOR_ACCEPT_UNSIGNED_STATE:",
        "CONNECTOR_RETURN_ACCESS_TOKEN:",
        "CONNECTOR_USER_ACCOUNTS_TOKEN:",
    ]


async def test_a_wrong_privilege_in_the_database_is_logged_at_startup(
    cli_on_supabase: CommandRunner, stack: Stack
) -> None:
    stack.script("grant execute on function public.connector_list_connections to anon")
    try:
        process = await cli_on_supabase.start_process("serve")
        line = await first_line_with(process, "problem found", stream="stderr")
        process.terminate()
        await process.communicate()
    finally:
        stack.script("call connector.restrict_privileges()")
    assert "kind=privileges" in line
    assert "anon must not have the privilege execute on public.connector_list_connections" in line
    assert "apply sql/tables/*.sql, then sql/functions/*.sql" in line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_signal_lets_running_requests_finish(
    cli: CommandRunner, tiktok: Simulator, number: signal.Signals
) -> None:
    id = await cli.connect(tiktok, family="login_kit")
    await tiktok.post("/_sim/settings", {"latency_ms": 300})
    async with serving(cli) as process, ClientSession(headers=AS_SERVER) as http:
        response = asyncio.create_task(http.post(f"{url(cli)}/connections/{id}/refresh"))
        while (await tiktok.stats())["refreshes"] == 0 and not response.done():
            pass
        process.send_signal(number)
        process.send_signal(number)
        assert (await response).status == 200
        assert await process.wait() == 0
    assert (await tiktok.stats())["dead_refresh_token_presented"] == 0


async def test_each_line_of_the_json_log_is_an_object_and_none_contains_a_token(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    id = await cli.connect(tiktok, family="login_kit")
    token = await cli.access_token(id)
    cli.environment |= {"CONNECTOR_LOG_LEVEL": "debug", "CONNECTOR_LOG_FORMAT": "json"}
    process = await cli.start_process("serve")
    await first_line_with(process, "Ready")
    async with ClientSession(headers=AS_SERVER) as http:
        await http.post(f"{url(cli)}/connections/{id}/refresh")
    process.terminate()
    _, err = await process.communicate()
    lines = [json.loads(line) for line in err.decode().splitlines()]
    assert lines
    assert all({"at", "level", "logger", "message"} <= set(line) for line in lines)
    refreshed = await cli.access_token(id)
    for secret in (token, refreshed, "canary", AS_SERVER["Authorization"].split()[1]):
        assert secret not in err.decode()
