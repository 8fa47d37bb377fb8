"""`connector audit` lists who read or changed what, on the command line too."""

from __future__ import annotations

import json

import pytest

from tests.credentials import ANNA
from tests.running_service import Simulator

from .runner import CommandRunner


async def test_a_token_that_a_command_printed_is_listed(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    id = await cli.connect(tiktok)
    await cli.access_token(id)
    [entry] = json.loads((await cli.run("audit", "--json")).out)
    assert (entry["actor"], entry["action"]) == ("command line", "read_token")
    assert (entry["connection_id"], entry["user_id"]) == (id, ANNA)
    table = (await cli.run("audit")).out
    assert "command line" in table
    assert id in table


async def test_a_link_and_a_refresh_by_a_command_are_listed(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    id = await cli.connect(tiktok)
    await cli.run("ticket", "--user", ANNA)
    await cli.run("refresh", id)
    refreshed, created = json.loads((await cli.run("audit", "--json")).out)
    assert (created["action"], created["connection_id"]) == ("create_ticket", None)
    assert (refreshed["action"], refreshed["connection_id"]) == ("refresh_token", id)
    for entry in (created, refreshed):
        assert (entry["actor"], entry["user_id"]) == ("command line", ANNA)


async def test_an_erasure_is_listed_without_the_person(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    id = await cli.connect(tiktok)
    await cli.access_token(id)
    await cli.run("erase", "--user", ANNA, "--yes")
    entries = json.loads((await cli.run("audit", "--json")).out)
    assert [(entry["actor"], entry["action"]) for entry in entries] == [
        ("command line", "erase_user"),
        ("command line", "read_token"),
    ]
    assert {entry["user_id"] for entry in entries} == {"erased"}


async def test_the_list_is_filtered_and_limited(cli: CommandRunner, tiktok: Simulator) -> None:
    id = await cli.connect(tiktok)
    await cli.access_token(id)
    await cli.run("disconnect", id)
    for arguments, actions in (
        (("--connection", id), ["disconnect", "read_token"]),
        (("--user", ANNA, "--key", "command line"), ["disconnect", "read_token"]),
        (("--limit", "1"), ["disconnect"]),
        (("--key", "nobody"), []),
    ):
        result = await cli.run("audit", "--json", *arguments)
        assert [entry["action"] for entry in json.loads(result.out)] == actions


@pytest.mark.usefixtures("tiktok")
async def test_an_empty_audit_is_reported(cli: CommandRunner) -> None:
    result = await cli.run("audit")
    assert (result.code, result.out) == (0, "")
    assert "There are no such entries." in result.err
