"""`connector demo`: connects an account without credentials, and leaves no files behind."""

from __future__ import annotations

import re
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import ClientSession

from tests.processes import free_port

from .runner import CommandRunner

Headers = dict[str, str]

LABELS = {
    "connect": "Connect an account",
    "status": "Status page",
    "tiktok": "TikTok simulator",
    "curl": "API call of a server",
}


@asynccontextmanager
async def demo(
    cli: CommandRunner, *arguments: str
) -> AsyncIterator[tuple[Process, dict[str, str]]]:
    """Returns the process, and the values that the process prints by label."""
    cli.environment = {"TMPDIR": str(cli.folder)}
    process = await cli.start_process("demo", *arguments)
    assert process.stdout is not None
    output = ""
    try:
        while "Ctrl-C" not in output:
            line = (await process.stdout.readline()).decode()
            assert line, output
            output += line
        lines = {n: output.split(label)[1].split("\n")[0].strip() for n, label in LABELS.items()}
        yield process, lines
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_printed_links_work_and_no_file_is_left(
    cli: CommandRunner, number: signal.Signals
) -> None:
    async with demo(cli, "--port", str(free_port())) as (process, lines), ClientSession() as http:
        base = lines["connect"].split("/connect#")[0]
        for address in (f"{base}/healthz", lines["connect"], lines["status"], lines["tiktok"]):
            async with http.get(address) as response:
                assert response.status == 200, address
        assert [path.name[:15] for path in cli.folder.iterdir()] == ["connector-demo-"]
        process.send_signal(number)
        assert await process.wait() == 0
    assert list(cli.folder.iterdir()) == []


async def connect(http: ClientSession, lines: dict[str, str], family: str) -> tuple[str, Headers]:
    """Returns the address of the new connection, and the headers with the ticket of the connect link."""
    base, ticket = lines["connect"].split("/connect#ticket=")
    headers = {"Authorization": f"Bearer {ticket}"}
    body = {"family": family}
    async with http.post(f"{base}/oauth/start", json=body, headers=headers) as response:
        consent = (await response.json())["url"]
    assert consent.startswith(lines["tiktok"])
    query = {name: values[0] for name, values in parse_qs(urlsplit(consent).query).items()}
    app = query.get("app_id") or query["client_key"]
    body = {"family": family, "app": app}
    async with http.post(f"{lines['tiktok']}/_sim/consent", json=body) as response:
        code = (await response.json())["code"]
    body = {"code": code, "state": query["state"]}
    async with http.post(f"{base}/oauth/exchange", json=body) as response:
        reply = await response.json()
    assert reply["success"], reply
    return f"{base}/connections/{reply['connection_id']}", headers


@pytest.mark.parametrize("family", ["marketing", "accounts", "login_kit"])
async def test_the_connect_link_connects_an_account_of_every_family(
    cli: CommandRunner, family: str
) -> None:
    async with demo(cli, "--port", str(free_port())) as (_, lines), ClientSession() as http:
        _, headers = await connect(http, lines, family)
        base = lines["connect"].split("/connect#")[0]
        async with http.get(f"{base}/session", headers=headers) as response:
            assert (await response.json())["demo"]


async def test_a_person_who_disconnects_in_the_simulator_ends_the_connection(
    cli: CommandRunner,
) -> None:
    async with demo(cli, "--port", str(free_port())) as (_, lines), ClientSession() as http:
        connection, headers = await connect(http, lines, "login_kit")
        async with http.get(connection, headers=headers) as response:
            open_id = (await response.json())["tiktok_user_id"]
        body = {"open_id": open_id}
        async with http.post(f"{lines['tiktok']}/_sim/revoke", json=body) as response:
            [webhook] = (await response.json())["webhooks"]
            assert webhook["status"] == 200
        async with http.get(connection, headers=headers) as response:
            assert (await response.json())["status"] == "reconnect_required"


async def test_the_printed_curl_command_works(cli: CommandRunner) -> None:
    async with demo(cli, "--port", str(free_port())) as (_, lines), ClientSession() as http:
        command = re.fullmatch(r"curl -H 'Authorization: (Bearer \S+)' (\S+)", lines["curl"])
        assert command is not None
        async with http.get(command[2], headers={"Authorization": command[1]}) as response:
            assert (await response.json())["connections"] == []


async def test_two_demos_can_run_at_the_same_time(cli: CommandRunner) -> None:
    async with demo(cli) as (_, first), demo(cli) as (_, second):
        urls = [lines[label] for lines in (first, second) for label in ("connect", "tiktok")]
        assert len({urlsplit(url).port for url in urls}) == 4


async def test_a_requested_port_that_is_in_use_is_reported(cli: CommandRunner) -> None:
    port = str(free_port())
    async with demo(cli, "--port", port):
        result = await cli.run_process("demo", "--port", port)
        assert result.code == 1
        assert f"Port {port} on 127.0.0.1 is in use" in result.err
        assert len(list(cli.folder.iterdir())) == 1
