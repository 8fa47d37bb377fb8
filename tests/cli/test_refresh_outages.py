"""`connector refresh` in an outage, with scattered failures, and in the run after them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from connector.model import format_utc
from tests.running_service import Simulator

from .runner import CommandRunner
from .test_refresh import LOGIN_KIT_TOKENS, connect_several


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run then tries the connections in the order of their ids."""
    monkeypatch.setattr("connector.cli.refresh.CONCURRENCY", 1)


async def test_an_outage_ends_the_run_and_leaves_the_remaining_connections_to_the_next_run(
    cli: CommandRunner, tiktok: Simulator, one_at_a_time: None
) -> None:
    ids = await connect_several(cli, tiktok, 8)
    await tiktok.fault(LOGIN_KIT_TOKENS, "status", 503, times=-1)
    result = await cli.run("refresh", "--all")
    assert result.code == 1
    assert result.err == (
        "connector: TikTok or the database does not respond; the next run handles the remaining "
        "connections (3).\n"
    )
    assert result.out.count("code=tiktok_unreachable") == 5
    assert result.out.splitlines()[-1] == "0 succeeded, 5 failed."
    tiktok.state.faults.clear()
    cli.make_all_due()
    result = await cli.run("refresh", "--due")
    assert (result.code, result.err) == (0, "")
    assert {id for id in ids if f"refreshed connection_id={id}" in result.out} == set(ids)


async def test_scattered_failures_do_not_end_a_run(
    cli: CommandRunner, tiktok: Simulator, one_at_a_time: None
) -> None:
    """Every second connection gets no answer from TikTok, in the first run and in the second."""
    failing = await connect_several(cli, tiktok, 6)
    working = await connect_several(cli, tiktok, 6, family="marketing")
    for number, (bad, good) in enumerate(zip(failing, working, strict=True)):
        for id, place in ((bad, 2 * number), (good, 2 * number + 1)):
            cli.sql("update connections set id = ? where id = ?", str(UUID(int=place)), id)
    await tiktok.fault(LOGIN_KIT_TOKENS, "status", 503, times=-1)
    for _ in range(2):
        result = await cli.run("refresh", "--all")
        assert (result.code, result.err) == (1, "")
        assert result.out.splitlines()[-1] == "6 succeeded, 6 failed."


async def test_a_run_that_looks_ahead_does_not_refresh_a_connection_that_is_backing_off(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await connect_several(cli, tiktok, 2)
    cli.make_all_due()
    await tiktok.fault(LOGIN_KIT_TOKENS, "status", 503)
    first = await cli.run("refresh", "--due", "--every", "60")
    assert first.out.splitlines()[-1] == "1 succeeded, 1 failed."
    [failed] = re.findall(r"failed connection_id=(\S+)", first.out)
    in_half_an_hour = format_utc(datetime.now(UTC) + timedelta(minutes=30))
    cli.sql("update connections set due_at = ?", in_half_an_hour)
    second = await cli.run("refresh", "--due", "--every", "60")
    assert second.out.splitlines()[-1] == "1 succeeded, 0 failed."
    assert failed not in second.out
    assert (await tiktok.stats())["refreshes"] == 2


async def test_a_run_ends_although_due_connections_fail_in_an_outage(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await connect_several(cli, tiktok, 3)
    cli.make_all_due()
    await tiktok.fault(LOGIN_KIT_TOKENS, "status", 503, times=-1)
    result = await cli.run("refresh", "--due")
    assert (result.code, result.out.splitlines()[-1]) == (1, "0 succeeded, 3 failed.")
