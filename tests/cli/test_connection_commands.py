"""`connector connections`, `attempts`, `token` and `disconnect`."""

from __future__ import annotations

import json

import pytest

from connector.model import UserId
from connector.web.schemas import ConnectionSummary
from tests.credentials import ANNA
from tests.running_service import Simulator

from .runner import CommandRunner

BEN = "0f0e0d0c-0b0a-4908-8706-050403020100"
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("family", ["marketing", "accounts", "login_kit"])
async def test_the_token_of_a_connection_made_by_hand_works(
    cli: CommandRunner, tiktok: Simulator, family: str
) -> None:
    id = await cli.connect(tiktok, family=family)
    token = await cli.run("token", id)
    assert (token.code, token.err) == (0, "")
    assert tiktok.state.tokens.find_access_token(token.out.strip()).grant.is_active


async def test_all_commands_work_on_supabase(
    cli_on_supabase: CommandRunner, tiktok: Simulator
) -> None:
    cli = cli_on_supabase
    id = await cli.connect(tiktok, family="login_kit")
    before = (await cli.run("token", id)).out
    assert (await cli.run("refresh", id)).code == 0
    after = (await cli.run("token", id)).out
    assert before != after
    assert tiktok.state.tokens.find_access_token(after.strip()).grant.is_active
    assert "refresh" in (await cli.run("attempts", id)).out
    assert (await cli.run("disconnect", id)).code == 0
    assert (await cli.connection(id))["status"] == "revoked"


async def test_the_table_shows_each_connection_and_when_its_token_expires(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    ads = await cli.connect(tiktok, advertisers=[{"id": "7", "name": "Northwind"}])
    kit = await cli.connect(tiktok, family="login_kit")
    lines = (await cli.run("connections")).out.splitlines()
    assert lines[0].split()[:3] == ["id", "user", "family"]
    rows = {line.split()[0]: line for line in lines[1:]}
    assert "Northwind" in rows[ads]
    assert "never" in rows[ads]
    assert " 1 h 59 min" in rows[kit]


async def test_a_name_cannot_change_the_direction_or_the_lines_of_the_table(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    name = "North\u202edniw\u2066\u2028\u2029x"
    id = await cli.connect(tiktok, advertisers=[{"id": "7", "name": name}])
    table = await cli.run("connections")
    assert all(char.isprintable() for line in table.out.split("\n") for char in line)
    assert len(table.out.split("\n")) == 3
    assert (await cli.connection(id))["advertiser"]["name"] == name


async def test_connections_can_be_limited_to_one_user(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    id = await cli.connect(tiktok)
    assert id in (await cli.run("connections", "--user", ANNA)).out
    result_of_ben = await cli.run("connections", "--user", BEN)
    assert (result_of_ben.out, result_of_ben.err) == (
        "",
        "connector: No connection matches.\n",
    )


async def test_connections_are_filtered_by_status_family_and_search(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    ads = await cli.connect(tiktok, advertisers=[{"id": "70", "name": "Northwind"}])
    kit = await cli.connect(tiktok, family="login_kit")
    ended = await cli.connect(tiktok, user=UserId(BEN), advertisers=[{"id": "71", "name": "Nord"}])
    await cli.run("disconnect", ended)
    for arguments, expected in (
        (("--status", "revoked"), [ended]),
        (("--family", "login_kit"), [kit]),
        (("--q", "NOR", "--status", "active"), [ads]),
        (("--q", "70"), [ads]),
        (("--q", BEN), [ended]),
        (("--user", ANNA, "--q", BEN), []),
        ((), [kit, ads, ended]),
    ):
        result = await cli.run("connections", *arguments)
        assert [line.split()[0] for line in result.out.splitlines()[1:]] == expected, arguments


async def test_all_pages_of_connections_are_listed(
    cli: CommandRunner, tiktok: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.cli.connection_commands.PAGE_SIZE", 2)
    ids = [await cli.connect(tiktok, user=UserId(f"{BEN[:-1]}{n}")) for n in range(5)]
    listed = json.loads((await cli.run("connections", "--json")).out)
    assert [connection["id"] for connection in listed] == ids[::-1]


@pytest.mark.parametrize("option", ["--status", "--family"])
async def test_an_unknown_filter_value_is_refused_with_the_known_ones(
    cli: CommandRunner, option: str
) -> None:
    result = await cli.run("connections", option, "shop")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"connector: {option} must be one of ")


async def test_a_connection_has_the_same_json_fields_as_over_http(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    id = await cli.connect(tiktok, advertisers=[{"id": "7", "name": "Northwind"}])
    connection = await cli.connection(id)
    assert set(connection) == set(ConnectionSummary.model_fields)
    assert connection["advertiser"] == {"id": "7", "name": "Northwind"}
    assert (connection["status"], connection["expires_at"]) == ("active", None)
    assert connection["failure"] is None


async def test_control_characters_in_a_name_do_not_reach_the_terminal(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await cli.connect(tiktok, advertisers=[{"id": "7", "name": "\x1b[2J[bold]Boo\x07"}])
    output = (await cli.run("connections")).out
    assert "\x1b" not in output
    assert "\x07" not in output
    assert "[bold]Boo" in output


async def test_attempts_are_listed_newest_first(cli: CommandRunner, tiktok: Simulator) -> None:
    id = await cli.connect(tiktok, family="login_kit")
    await cli.run("refresh", id)
    attempts = json.loads((await cli.run("attempts", id, "--json")).out)
    assert [(a["operation"], a["actor"], a["result"]) for a in attempts] == [
        ("refresh", "command line", "ok"),
        ("exchange", "command line", "ok"),
    ]
    lines = (await cli.run("attempts", id)).out.splitlines()
    assert ["refresh" in lines[1], "exchange" in lines[2]] == [True, True]


async def test_an_expiring_token_is_refreshed_before_it_is_printed(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await tiktok.post("/_sim/settings", {"access_seconds": 1})
    id = await cli.connect(tiktok, family="login_kit")
    await tiktok.post("/_sim/settings", {"access_seconds": 7200})
    first = (await cli.run("token", id)).out
    while (token := (await cli.run("token", id)).out) == first:
        pass
    assert tiktok.state.tokens.find_access_token(token.strip()).grant.is_active
    assert (await tiktok.stats())["refreshes"] == 1


async def test_disconnect_revokes_the_grant_at_tiktok(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    id = await cli.connect(tiktok)
    result = await cli.run("disconnect", id)
    assert (result.code, result.out, result.err) == (0, f"Disconnected {id}.\n", "")
    assert (await tiktok.stats())["revoked"] == 1
    token = await cli.run("token", id)
    assert (token.code, token.out) == (1, "")
    assert "connect the account again" in token.err


async def test_disconnect_during_an_outage_says_that_the_revocation_is_retried(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    id = await cli.connect(tiktok)
    await tiktok.fault("/oauth2/revoke_token/", "status", 500, times=-1)
    result = await cli.run("disconnect", id)
    assert result.code == 0
    assert "retries" in result.err


@pytest.mark.parametrize("command", ["token", "attempts", "disconnect", "refresh"])
@pytest.mark.parametrize("id", [UNKNOWN_ID, "nonsense"])
async def test_an_unknown_connection_id_is_reported_as_not_found(
    cli: CommandRunner, command: str, id: str
) -> None:
    result = await cli.run(command, id)
    assert (result.code, result.out) == (1, "")
    assert result.err == "connector: There is no such connection.\n"


async def test_token_prints_only_the_token_to_a_pipe(cli: CommandRunner, tiktok: Simulator) -> None:
    id = await cli.connect(tiktok)
    result = await cli.run_process("token", id)
    assert (result.code, result.err) == (0, "")
    assert result.out == (await cli.run("token", id)).out
