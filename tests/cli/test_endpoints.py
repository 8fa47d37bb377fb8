"""`connector endpoints` manages the addresses to which events are sent."""

from __future__ import annotations

import json
import os
import pty
from collections.abc import AsyncIterator

import pytest

from connector.events import CONFIGURED_ENDPOINT_ID
from tests.events.receiver import Receiver, running_receiver
from tests.running_service import Simulator

from .runner import CommandRunner

UNKNOWN_ID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def allowed_loopback(cli: CommandRunner) -> None:
    cli.environment["CONNECTOR_PRIVATE_NETWORKS"] = "127.0.0.0/8"


async def endpoint_id(cli: CommandRunner) -> str:
    [endpoint] = json.loads((await cli.run("endpoints", "list", "--json")).out)
    return str(endpoint["id"])


async def add(cli: CommandRunner, receiver: Receiver) -> str:
    """Returns the id of a new endpoint."""
    result = await cli.run("endpoints", "add", receiver.url)
    assert result.code == 0, result.err
    return await endpoint_id(cli)


async def test_the_secret_of_a_new_endpoint_is_all_that_is_printed(
    cli: CommandRunner, receiver: Receiver
) -> None:
    result = await cli.run("endpoints", "add", receiver.url, "--description", "shop")
    assert result.code == 0
    assert result.out.startswith("whsec_")
    assert result.out.count("\n") == 1
    assert await endpoint_id(cli) in result.err
    assert result.out.strip() not in result.err
    for arguments in (("list",), ("list", "--json"), ("show", await endpoint_id(cli))):
        shown = await cli.run("endpoints", *arguments)
        assert receiver.url in shown.out
        assert "whsec_" not in shown.out + shown.err


async def test_a_new_endpoint_is_printed_as_json_with_its_secret(
    cli: CommandRunner, receiver: Receiver
) -> None:
    types = "connection.connected, endpoint.*"
    result = await cli.run("endpoints", "add", receiver.url, "--events", types, "--json")
    created = json.loads(result.out)
    assert created["events"] == ["connection.connected", "endpoint.*"]
    assert created["secret"].startswith("whsec_")
    shown = json.loads((await cli.run("endpoints", "show", created["id"], "--json")).out)
    assert shown == {name: value for name, value in created.items() if name != "secret"}


async def test_endpoints_are_managed_on_supabase(
    cli_on_supabase: CommandRunner, receiver: Receiver
) -> None:
    id = await add(cli_on_supabase, receiver)
    assert (await cli_on_supabase.run("endpoints", "rotate", id)).out.startswith("whsec_")
    assert (await cli_on_supabase.run("endpoints", "delete", id, "--yes")).code == 0
    assert (await cli_on_supabase.run("endpoints", "list", "--json")).out == "[]\n"


async def test_an_empty_list_is_reported(cli: CommandRunner) -> None:
    result = await cli.run("endpoints", "list")
    assert (result.code, result.out) == (0, "")
    assert "There are no endpoints yet." in result.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("add", "https://10.0.0.1/hook"), 1, "not public"),
        (("add", "https://example.com", "--events", "conection.*"), 2, "conection.*"),
        (("show", UNKNOWN_ID), 1, "There is no such endpoint."),
        (("rotate", UNKNOWN_ID, "--grace-hours", "169"), 2, "grace_hours"),
        (("delete", UNKNOWN_ID, "--yes"), 1, "There is no such endpoint."),
        (("replay", UNKNOWN_ID, "--since", "yesterday"), 2, "--since must be a time"),
        (("replay", UNKNOWN_ID, "--since", "2026-11-21"), 2, "--since must be a time"),
        (("replay", UNKNOWN_ID, "--since", "1h", "--until", "x"), 2, "--until must be a time"),
        (("show",), 2, "usage"),
        (("deliveries", UNKNOWN_ID, "--state", "x"), 2, "usage"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_an_error_is_one_sentence_with_its_exit_code(
    cli: CommandRunner, arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = await cli.run("endpoints", *arguments)
    assert (result.code, result.out) == (code, "")
    assert message in result.err


async def test_an_endpoint_is_disabled_and_enabled(cli: CommandRunner, receiver: Receiver) -> None:
    id = await add(cli, receiver)
    for action, state in (("disable", "disabled"), ("enable", "enabled")):
        result = await cli.run("endpoints", action, id)
        assert (result.code, result.out) == (0, f"{state.capitalize()} {id}.\n")
        shown = json.loads((await cli.run("endpoints", "show", id, "--json")).out)
        assert shown["state"] == state
    await cli.run("endpoints", "disable", id)
    result = await cli.run("endpoints", "replay", id, "--since", "1h")
    assert (result.code, result.out) == (1, "")
    assert "disabled" in result.err


async def test_the_result_of_a_test_decides_the_exit_code(
    cli: CommandRunner, receiver: Receiver
) -> None:
    id = await add(cli, receiver)
    delivered = await cli.run("endpoints", "test", id)
    assert (delivered.code, delivered.out[:22]) == (0, "Delivered: status 200 ")
    assert receiver.types == ["endpoint.test"]
    receiver.status = 500
    failed = await cli.run("endpoints", "test", id)
    assert (failed.code, failed.out) == (1, "")
    assert "500" in failed.err


async def test_a_new_secret_replaces_the_old_one(cli: CommandRunner, receiver: Receiver) -> None:
    id = await add(cli, receiver)
    first, second = [
        (await cli.run("endpoints", "rotate", id, "--grace-hours", hours)).out
        for hours in ("24", "0")
    ]
    assert first.startswith("whsec_")
    assert second.startswith("whsec_")
    assert first != second
    await cli.run("endpoints", "test", id)
    assert len(receiver.received[0].signature.split(" ")) == 1


async def test_missed_events_are_replayed_and_listed(
    cli: CommandRunner, tiktok: Simulator, receiver: Receiver
) -> None:
    await cli.connect(tiktok)
    await cli.run("events")
    id = await add(cli, receiver)
    nothing = await cli.run("endpoints", "deliveries", id)
    assert (nothing.code, nothing.out) == (0, "")
    replayed = await cli.run("endpoints", "replay", id, "--since", "1h")
    assert (replayed.code, replayed.out) == (0, "Queued 1 event.\n")
    assert (await cli.run("endpoints", "replay", id, "--since", "1h")).out == "Queued 0 events.\n"
    [delivery] = json.loads((await cli.run("endpoints", "deliveries", id, "--json")).out)
    assert (delivery["type"], delivery["state"]) == ("connection.connected", "pending")
    table = (await cli.run("endpoints", "deliveries", id, "--state", "pending")).out
    assert delivery["event_id"] in table
    assert (await cli.run("endpoints", "deliveries", id, "--state", "dropped")).out == ""


async def test_nothing_is_deleted_without_a_terminal_or_yes(
    cli: CommandRunner, receiver: Receiver
) -> None:
    id = await add(cli, receiver)
    result = await cli.run_process("endpoints", "delete", id)
    assert (result.code, result.out) == (2, "")
    assert "Add --yes" in result.err
    assert await endpoint_id(cli) == id


async def test_nothing_is_deleted_if_the_question_is_not_answered_with_yes(
    cli: CommandRunner, receiver: Receiver
) -> None:
    id = await add(cli, receiver)
    for answer, code in ((b"n\n", 1), (b"y\n", 0)):
        ours, theirs = pty.openpty()
        os.write(ours, answer)
        process = await cli.start_process("endpoints", "delete", id, stdin=theirs)
        _, err = await process.communicate()
        os.close(ours)
        os.close(theirs)
        assert process.returncode == code
        assert "its secret and its deliveries" in err.decode()
        left = json.loads((await cli.run("endpoints", "list", "--json")).out)
        assert len(left) == code


async def test_every_change_is_in_the_audit(cli: CommandRunner, receiver: Receiver) -> None:
    id = await add(cli, receiver)
    for arguments in (
        ("disable", id),
        ("enable", id),
        ("rotate", id),
        ("test", id),
        ("replay", id, "--since", "1h"),
        ("delete", id, "--yes"),
    ):
        assert (await cli.run("endpoints", *arguments)).code == 0
    entries = json.loads((await cli.run("audit", "--json")).out)
    assert {entry["actor"] for entry in entries} == {"command line"}
    assert [entry["action"] for entry in reversed(entries)] == [
        "create_endpoint",
        "update_endpoint",
        "update_endpoint",
        "rotate_endpoint_secret",
        "test_endpoint",
        "replay_events",
        "delete_endpoint",
    ]


async def test_the_endpoint_of_the_settings_is_not_created_by_a_command(cli: CommandRunner) -> None:
    cli.environment["CONNECTOR_WEBHOOK_URL"] = "http://127.0.0.1:9/hook"
    cli.environment["CONNECTOR_WEBHOOK_SECRET"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert (await cli.run("endpoints", "list", "--json")).out == "[]\n"
    assert (await cli.run("endpoints", "show", CONFIGURED_ENDPOINT_ID)).code == 1
