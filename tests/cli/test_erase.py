"""`connector erase`: revokes at TikTok, deletes everything about one person, and asks before it does."""

from __future__ import annotations

import os
import pty

from connector.model import UserId
from tests.credentials import ANNA
from tests.running_service import Simulator

from .runner import CommandRunner

BEN = UserId("0f0e0d0c-0b0a-4908-8706-050403020100")
TABLES = ("connections", "codes", "events", "attempts")


def row_counts(cli: CommandRunner) -> dict[str, int]:
    return {table: cli.sql(f"select count(*) from {table}")[0][0] for table in TABLES}


async def test_erasing_a_user_revokes_the_tokens_and_deletes_every_row(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await cli.connect(tiktok)
    await cli.connect(tiktok, family="login_kit")
    result = await cli.run("erase", "--user", ANNA, "--yes")
    assert (result.code, result.err) == (0, "")
    assert result.out == f"Erased user {ANNA}: 2 connections were deleted.\n"
    stats = await tiktok.stats()
    assert (stats["revoked"], stats["live_access_tokens"]) == (2, 0)
    assert row_counts(cli) == dict.fromkeys(TABLES, 0)
    assert cli.sql("select * from user_accounts") == [(ANNA, None, None, None)]
    again = await cli.run("erase", "--user", ANNA, "--yes")
    assert (again.code, again.out) == (0, f"Erased user {ANNA}: 0 connections were deleted.\n")


async def test_erasing_a_user_works_on_supabase(
    cli_on_supabase: CommandRunner, tiktok: Simulator
) -> None:
    cli = cli_on_supabase
    await cli.connect(tiktok)
    assert (await cli.run("erase", "--user", ANNA, "--yes")).code == 0
    assert (await cli.run("connections", "--json")).out == "[]\n"


async def test_another_user_keeps_a_working_token(cli: CommandRunner, tiktok: Simulator) -> None:
    await cli.connect(tiktok, person="anna")
    id = await cli.connect(tiktok, user=BEN, person="ben")
    await cli.run("erase", "--user", ANNA, "--yes")
    token = await cli.access_token(id)
    assert tiktok.state.tokens.find_access_token(token).grant.is_active


async def test_everything_is_deleted_although_tiktok_does_not_confirm_the_revocation(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await cli.connect(tiktok, family="login_kit")
    await tiktok.fault("/v2/oauth/revoke", "status", 503, times=-1)
    result = await cli.run("erase", "--user", ANNA, "--yes")
    assert result.code == 1
    assert "TikTok did not confirm the revocation for login_kit" in result.err
    assert row_counts(cli) == dict.fromkeys(TABLES, 0)


async def test_a_grant_in_the_journal_is_erased_too(cli: CommandRunner, tiktok: Simulator) -> None:
    state, code = await cli.state(), await tiktok.consent()
    await tiktok.fault("oauth2/advertiser/get", "status", 503, times=-1)
    assert (await cli.run("exchange", code, "--state", state)).code == 1
    assert (await cli.run("erase", "--user", ANNA, "--yes")).code == 0
    tiktok.state.faults.clear()
    id = await cli.connect(tiktok, user=BEN, family="login_kit")
    assert [row[0] for row in cli.sql("select id from connections")] == [id]
    assert list((cli.folder / "connector.journal").iterdir()) == []


async def test_nothing_is_erased_without_a_terminal_or_yes(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await cli.connect(tiktok)
    before = row_counts(cli)
    result = await cli.run_process("erase", "--user", ANNA)
    assert (result.code, result.out) == (2, "")
    assert "Add --yes" in result.err
    assert row_counts(cli) == before


async def test_nothing_is_erased_if_the_question_is_not_answered_with_yes(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await cli.connect(tiktok)
    before = row_counts(cli)
    for answer, code in ((b"n\n", 1), (b"y\n", 0)):
        ours, theirs = pty.openpty()
        os.write(ours, answer)
        process = await cli.start_process("erase", "--user", ANNA, stdin=theirs)
        _, err = await process.communicate()
        os.close(ours)
        os.close(theirs)
        assert process.returncode == code
        assert "deletes everything about the user" in err.decode()
        assert (row_counts(cli) == before) == (code == 1)


async def test_a_user_id_that_is_not_valid_is_wrong_usage(cli: CommandRunner) -> None:
    result = await cli.run("erase", "--user", "\0", "--yes")
    assert result.code == 2
    assert "--user" in result.err
