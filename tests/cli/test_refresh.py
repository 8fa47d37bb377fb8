"""`connector refresh`, as cron runs it: beside a running service and beside itself."""

from __future__ import annotations

import asyncio
import os
import pty
import signal

from aiohttp import ClientSession

from connector.model import UserId
from tests.running_service import AS_SERVER, Simulator

from .runner import CommandRunner, first_line_with, read_terminal

LOGIN_KIT_TOKENS = "/v2/oauth/token/"


def user(number: int) -> UserId:
    return UserId(f"00000000-0000-4000-8000-{number:012}")


async def connect_several(
    cli: CommandRunner, tiktok: Simulator, count: int, family: str = "login_kit"
) -> list[str]:
    return [
        await cli.connect(tiktok, user=user(n), family=family, person=f"person{n}")
        for n in range(count)
    ]


async def test_a_connection_that_is_not_due_is_not_refreshed(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await connect_several(cli, tiktok, 2)
    result = await cli.run("refresh", "--due")
    assert (result.code, result.out, result.err) == (0, "Nothing is due.\n", "")
    assert (await tiktok.stats())["refreshes"] == 0


async def test_each_due_connection_is_refreshed_and_printed_on_a_line(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    ids = await connect_several(cli, tiktok, 3)
    cli.make_all_due()
    result = await cli.run("refresh", "--due")
    assert (result.code, result.err) == (0, "")
    *lines, summary = result.out.splitlines()
    assert {line.split()[1].removeprefix("connection_id=") for line in lines} == set(ids)
    assert all(line.startswith("refreshed ") for line in lines)
    assert summary == "3 succeeded, 0 failed."
    assert (await tiktok.stats())["refreshes"] == 3


async def test_a_token_without_expiry_is_checked_instead_of_refreshed(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    id = await cli.connect(tiktok)
    cli.make_all_due()
    result = await cli.run("refresh", "--due")
    assert f"checked connection_id={id} family=marketing expires_at=never" in result.out


async def test_refresh_all_works_on_supabase(
    cli_on_supabase: CommandRunner, tiktok: Simulator
) -> None:
    await connect_several(cli_on_supabase, tiktok, 2)
    result = await cli_on_supabase.run("refresh", "--all")
    assert (result.code, result.out.splitlines()[-1]) == (0, "2 succeeded, 0 failed.")
    assert (await tiktok.stats())["refreshes"] == 2


async def test_refresh_all_skips_disconnected_connections(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    login_kit, marketing = await cli.connect(tiktok, family="login_kit"), await cli.connect(tiktok)
    disconnected = await cli.connect(tiktok, user=user(1), person="sam")
    await cli.run("disconnect", disconnected)
    result = await cli.run("refresh", "--all")
    assert result.code == 0
    assert (login_kit in result.out, marketing in result.out) == (True, True)
    assert disconnected not in result.out


async def test_one_connection_is_refreshed_by_its_id(cli: CommandRunner, tiktok: Simulator) -> None:
    id, other = await connect_several(cli, tiktok, 2)
    result = await cli.run("refresh", id)
    assert result.code == 0
    assert (id in result.out, other in result.out) == (True, False)


async def test_a_failed_refresh_is_printed_and_the_exit_code_is_1(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    good, bad = await connect_several(cli, tiktok, 2)
    await tiktok.post("/_sim/revoke", {"person": "person1"})
    cli.make_all_due()
    result = await cli.run("refresh", "--due")
    assert result.code == 1
    assert f"refreshed connection_id={good}" in result.out
    assert f"failed connection_id={bad} code=reconnect_required error=" in result.out
    assert result.out.splitlines()[-1] == "1 succeeded, 1 failed."


async def test_refresh_with_an_interval_also_refreshes_connections_that_are_due_before_the_next_run(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    """The token is valid for two hours, and due after about an hour and a half."""
    await cli.connect(tiktok, family="login_kit")
    assert (await cli.run("refresh", "--due", "--every", "60")).out == "Nothing is due.\n"
    result = await cli.run("refresh", "--due", "--every", "110")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("refreshed ")


async def test_an_interval_that_is_too_long_for_the_tokens_causes_a_warning(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await cli.connect(tiktok, family="login_kit")
    await cli.connect(tiktok, family="accounts")
    result = await cli.run("refresh", "--due", "--every", "720")
    assert result.code == 0
    assert (
        "An interval of 12 h is too long: the shortest-lived token is valid for 2 h" in result.err
    )
    assert "Run the command every 84 min" in result.err


async def test_tokens_without_expiry_allow_any_interval(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await cli.connect(tiktok)
    assert (await cli.run("refresh", "--due", "--every", "10000")).err == ""


async def test_an_interval_for_a_single_connection_is_wrong_usage(cli: CommandRunner) -> None:
    result = await cli.run("refresh", user(1), "--every", "60")
    assert (result.code, result.out) == (2, "")


async def test_runs_at_the_same_time_refresh_each_token_once(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await connect_several(cli, tiktok, 12)
    cli.make_all_due()
    runs = await asyncio.gather(*(cli.run_process("refresh", "--due") for _ in range(3)))
    assert [run.code for run in runs] == [0, 0, 0]
    assert sum(run.out.count("refreshed ") for run in runs) == 12
    stats = await tiktok.stats()
    assert (stats["refreshes"], stats["dead_refresh_token_presented"]) == (12, 0)


async def test_refresh_beside_a_running_service_loses_no_token(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    ids = await connect_several(cli, tiktok, 6)
    service = await cli.start_process("serve")
    await first_line_with(service, "Ready")
    cli.make_all_due()
    url = f"http://127.0.0.1:{cli.environment['CONNECTOR_PORT']}"
    async with ClientSession(headers=AS_SERVER) as http:
        runs = [
            cli.run_process("refresh", "--all"),
            cli.run_process("refresh", "--due", "--every", "119"),
        ]
        reads = [http.get(f"{url}/connections/{id}/token") for id in ids]
        results, responses = await asyncio.gather(asyncio.gather(*runs), asyncio.gather(*reads))
        assert {response.status for response in responses} == {200}
    service.terminate()
    assert await service.wait() == 0
    assert [run.code for run in results] == [0, 0]
    stats = await tiktok.stats()
    assert (stats["refreshes_refused"], stats["dead_refresh_token_presented"]) == (0, 0)
    for id in ids:
        token = await cli.access_token(id)
        assert tiktok.state.tokens.find_access_token(token).grant.is_active


async def test_an_interrupted_run_exits_with_130_and_finishes_the_running_refresh(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    (id,) = await connect_several(cli, tiktok, 1)
    await tiktok.post("/_sim/settings", {"latency_ms": 300})
    process = await cli.start_process("refresh", "--all")
    while (await tiktok.stats())["in_flight"] == 0:
        pass
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert (process.returncode, err) == (130, b"")
    token = await cli.access_token(id)
    assert tiktok.state.tokens.find_access_token(token).grant.is_active
    assert (await tiktok.stats())["refreshes"] == 1


async def test_a_revocation_that_failed_in_an_outage_is_repeated(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    id = await cli.connect(tiktok)
    await tiktok.fault("/oauth2/revoke_token/", "status", 500)
    await cli.run("disconnect", id)
    cli.make_all_due()
    result = await cli.run("refresh", "--due")
    assert f"revoked connection_id={id}" in result.out
    assert (await tiktok.stats())["revoked"] == 1


async def test_refresh_shows_a_progress_bar_and_no_line_per_connection_on_a_terminal(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await connect_several(cli, tiktok, 2)
    cli.environment |= {"TERM": "xterm-256color", "COLUMNS": "100"}
    terminal, process_side = pty.openpty()
    process = await cli.start_process("refresh", "--all", stdout=process_side, stderr=process_side)
    os.close(process_side)
    output = await asyncio.to_thread(read_terminal, terminal)
    assert await process.wait() == 0
    assert "Refreshing" in output
    assert "2/2" in output
    assert "2 succeeded, 0 failed." in output
    assert "refreshed connection_id=" not in output


async def test_the_interval_warning_uses_the_lifetime_of_the_last_response(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    id = await cli.connect(tiktok, family="login_kit")
    assert "valid for 2 h," in (await cli.run("refresh", "--due", "--every", "700")).err
    await tiktok.post("/_sim/settings", {"access_seconds": 86_400})
    await cli.run("refresh", id)
    assert (await cli.run("refresh", "--due", "--every", "700")).err == ""
