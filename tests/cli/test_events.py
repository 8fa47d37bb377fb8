"""`connector events` prints the events, also where no service runs."""

from __future__ import annotations

import asyncio
import json
import signal

import pytest

from tests.credentials import ANNA
from tests.running_service import Simulator

from .runner import CommandRunner, first_line_with

TIMEOUT_SECONDS = 30.0


async def test_an_event_is_one_line_with_number_time_type_connection_user_and_status(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    id = await cli.connect(tiktok)
    await cli.run("disconnect", id)
    result = await cli.run("events")
    assert (result.code, result.err) == (0, "")
    first, second = [line.split("  ") for line in result.out.splitlines()]
    assert (first[0], *first[2:]) == ("1", "connection.connected", id, ANNA, "active")
    assert (second[0], *second[2:]) == ("2", "connection.disconnected", id, ANNA, "revoked")
    assert first[1].endswith("Z")


async def test_events_are_printed_on_supabase(
    cli_on_supabase: CommandRunner, tiktok: Simulator
) -> None:
    await cli_on_supabase.connect(tiktok)
    assert "connection.connected" in (await cli_on_supabase.run("events")).out


async def test_the_events_are_filtered(cli: CommandRunner, tiktok: Simulator) -> None:
    first, second = await cli.connect(tiktok), await cli.connect(tiktok, family="login_kit")
    await cli.run("disconnect", first)
    for arguments, numbers in (
        ((), [1, 2, 3]),
        (("--after", "1"), [2, 3]),
        (("--types", "connection.connected, endpoint.*"), [1, 2]),
        (("--connection", first), [1, 3]),
        (("--connection", second, "--types", "connection.*"), [2]),
    ):
        lines = (await cli.run("events", "--json", *arguments)).out.splitlines()
        assert [json.loads(line)["seq"] for line in lines] == numbers


async def test_no_event_is_reported(cli: CommandRunner) -> None:
    result = await cli.run("events")
    assert (result.code, result.out) == (0, "")
    assert "There are no such events." in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--types", "conection.*"), "types contains conection.*"),
        (("--connection", "1"), "connection_id must be the id of a connection."),
        (("--after", "-1"), "usage"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_a_wrong_option_is_wrong_usage(
    cli: CommandRunner, arguments: tuple[str, ...], message: str
) -> None:
    result = await cli.run("events", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


async def test_new_events_are_printed_as_they_come_until_ctrl_c(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await cli.connect(tiktok)
    process = await cli.start_process("events", "--follow", "--after", "0")
    async with asyncio.timeout(TIMEOUT_SECONDS):
        assert "connection.connected" in await first_line_with(process, "1  ")
        id = await cli.connect(tiktok, family="login_kit")
        assert id in await first_line_with(process, "2  ")
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err


async def test_without_a_number_only_new_events_are_followed(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await cli.connect(tiktok)
    process = await cli.start_process("events", "--follow", "--json")
    async with asyncio.timeout(TIMEOUT_SECONDS):
        assert process.stderr is not None
        assert "Waiting for new events" in (await process.stderr.readline()).decode()
        id = await cli.connect(tiktok, family="login_kit")
        assert id in await first_line_with(process, "{")
        process.send_signal(signal.SIGINT)
        await process.wait()
