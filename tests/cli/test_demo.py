"""`connector demo`: from nothing to a connected account, and nothing left behind."""

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

from .shell import Shell

LABELS = {
    "connect": "Connect an account",
    "status": "See how it is doing",
    "tiktok": "TikTok's side of it",
    "curl": "As your server would",
}


@asynccontextmanager
async def demo(shell: Shell, *arguments: str) -> AsyncIterator[tuple[Process, dict[str, str]]]:
    """It, and what its first screen says."""
    shell.environment = {"TMPDIR": str(shell.home)}
    process = await shell.start("demo", *arguments)
    assert process.stdout is not None
    shown = ""
    try:
        while "Ctrl-C" not in shown:
            line = (await process.stdout.readline()).decode()
            assert line, shown
            shown += line
        yield (
            process,
            {n: shown.split(label)[1].split("\n")[0].strip() for n, label in LABELS.items()},
        )
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_prints_its_links_answers_and_leaves_nothing(
    shell: Shell, number: signal.Signals
) -> None:
    async with demo(shell, "--port", str(free_port())) as (process, shown), ClientSession() as http:
        base = shown["connect"].split("/connect#")[0]
        for address in (f"{base}/healthz", shown["connect"], shown["status"], shown["tiktok"]):
            async with http.get(address) as answer:
                assert answer.status == 200, address
        assert [path.name[:15] for path in shell.home.iterdir()] == ["connector-demo-"]
        process.send_signal(number)
        assert await process.wait() == 0
    assert list(shell.home.iterdir()) == []


@pytest.mark.parametrize("family", ["marketing", "accounts", "login_kit"])
async def test_its_link_connects_an_account_of_every_family(shell: Shell, family: str) -> None:
    async with demo(shell, "--port", str(free_port())) as (_, shown), ClientSession() as http:
        base, ticket = shown["connect"].split("/connect#ticket=")
        as_person = {"Authorization": f"Bearer {ticket}"}
        asked = {"family": family}
        async with http.post(f"{base}/oauth/start", json=asked, headers=as_person) as answer:
            consent = (await answer.json())["url"]
        assert consent.startswith(shown["tiktok"])
        query = {name: values[0] for name, values in parse_qs(urlsplit(consent).query).items()}
        app = query.get("app_id") or query["client_key"]
        given = {"family": family, "app": app}
        async with http.post(f"{shown['tiktok']}/_sim/consent", json=given) as answer:
            code = (await answer.json())["code"]
        back = {"code": code, "state": query["state"]}
        async with http.post(f"{base}/oauth/exchange", json=back) as answer:
            told = await answer.json()
        assert told["success"], told
        async with http.get(f"{base}/session", headers=as_person) as answer:
            assert (await answer.json())["demo"]


async def test_its_curl_line_works_as_it_stands(shell: Shell) -> None:
    async with demo(shell, "--port", str(free_port())) as (_, shown), ClientSession() as http:
        found = re.fullmatch(r"curl -H 'Authorization: (Bearer \S+)' (\S+)", shown["curl"])
        assert found is not None
        async with http.get(found[2], headers={"Authorization": found[1]}) as answer:
            assert await answer.json() == {"connections": [], "next": None}


async def test_two_demos_run_side_by_side(shell: Shell) -> None:
    async with demo(shell) as (_, one), demo(shell) as (_, other):
        assert (
            len({urlsplit(a).port for d in (one, other) for a in (d["connect"], d["tiktok"])}) == 4
        )


async def test_a_port_that_was_asked_for_and_is_taken_is_told(shell: Shell) -> None:
    port = str(free_port())
    async with demo(shell, "--port", port):
        done = await shell.run("demo", "--port", port)
        assert done.code == 1
        assert f"Port {port} on 127.0.0.1 is taken" in done.err
        assert len(list(shell.home.iterdir())) == 1
