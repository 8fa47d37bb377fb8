"""`connector refresh`, as cron runs it: safe beside anybody, and plain about what came of it."""

from __future__ import annotations

import asyncio
import os
import pty
import signal

from aiohttp import ClientSession

from connector.model import UserId
from tests.houses import AS_SERVER, Simulator

from .shell import Shell, line_of, read_all

KIT_TOKENS, ADVERTISERS = "/v2/oauth/token/", "/advertiser/get/"


def user(number: int) -> UserId:
    return UserId(f"00000000-0000-4000-8000-{number:012}")


async def several(
    shell: Shell, tiktok: Simulator, count: int, family: str = "login_kit"
) -> list[str]:
    return [
        await shell.connect(tiktok, user=user(n), family=family, person=f"person{n}")
        for n in range(count)
    ]


async def test_what_is_not_due_is_left_alone(shell: Shell, tiktok: Simulator) -> None:
    await several(shell, tiktok, 2)
    done = await shell("refresh", "--due")
    assert (done.code, done.out, done.err) == (0, "Nothing is due.\n", "")
    assert (await tiktok.stats())["refreshes"] == 0


async def test_what_is_due_is_refreshed_with_a_plain_line_each(
    shell: Shell, tiktok: Simulator
) -> None:
    ids = await several(shell, tiktok, 3)
    shell.make_due()
    done = await shell("refresh", "--due")
    assert (done.code, done.err) == (0, "")
    *lines, summary = done.out.splitlines()
    assert {line.split()[1].removeprefix("connection=") for line in lines} == set(ids)
    assert all(line.startswith("refreshed ") for line in lines)
    assert summary == "3 well, 0 failed."
    assert (await tiktok.stats())["refreshes"] == 3


async def test_a_token_without_expiry_is_checked_instead(shell: Shell, tiktok: Simulator) -> None:
    id = await shell.connect(tiktok)
    shell.make_due()
    done = await shell("refresh", "--due")
    assert f"checked connection={id} family=marketing expires_at=never" in done.out


async def test_on_supabase_all_of_them_are_refreshed(on_supabase: Shell, tiktok: Simulator) -> None:
    await several(on_supabase, tiktok, 2)
    done = await on_supabase("refresh", "--all")
    assert (done.code, done.out.splitlines()[-1]) == (0, "2 well, 0 failed.")
    assert (await tiktok.stats())["refreshes"] == 2


async def test_all_means_all_that_are_not_over(shell: Shell, tiktok: Simulator) -> None:
    kit, ads = await shell.connect(tiktok, family="login_kit"), await shell.connect(tiktok)
    gone = await shell.connect(tiktok, user=user(1))
    await shell("disconnect", gone)
    done = await shell("refresh", "--all")
    assert done.code == 0
    assert (kit in done.out, ads in done.out, gone in done.out) == (True, True, False)


async def test_one_is_refreshed_by_its_id(shell: Shell, tiktok: Simulator) -> None:
    id, other = await several(shell, tiktok, 2)
    done = await shell("refresh", id)
    assert done.code == 0
    assert (id in done.out, other in done.out) == (True, False)


async def test_one_that_fails_is_told_and_leaves_with_1(shell: Shell, tiktok: Simulator) -> None:
    good, bad = await several(shell, tiktok, 2)
    await tiktok.post("/_sim/revoke", {"person": "person1"})
    shell.make_due()
    done = await shell("refresh", "--due")
    assert done.code == 1
    assert f"refreshed connection={good}" in done.out
    assert f"failed connection={bad} code=reconnect_required: " in done.out
    assert done.out.splitlines()[-1] == "1 well, 1 failed."


async def test_an_outage_ends_the_run_and_leaves_the_rest_to_the_next(
    shell: Shell, tiktok: Simulator
) -> None:
    await several(shell, tiktok, 8)
    await tiktok.fault(KIT_TOKENS, "status", 503, times=-1)
    done = await shell("refresh", "--all")
    assert done.code == 1
    assert "does not answer" in done.err
    assert "code=tiktok_unreachable" in done.out
    assert (await shell("refresh", "--due")).code in (0, 1)


async def test_what_is_due_in_an_outage_does_not_keep_the_run_going(
    shell: Shell, tiktok: Simulator
) -> None:
    await several(shell, tiktok, 3)
    shell.make_due()
    await tiktok.fault(KIT_TOKENS, "status", 503, times=-1)
    done = await shell("refresh", "--due")
    assert (done.code, done.out.splitlines()[-1]) == (1, "0 well, 3 failed.")


async def test_told_how_often_it_runs_it_looks_ahead(shell: Shell, tiktok: Simulator) -> None:
    """Two hours of life: due after about an hour and a half."""
    await shell.connect(tiktok, family="login_kit")
    assert (await shell("refresh", "--due", "--every", "60")).out == "Nothing is due.\n"
    done = await shell("refresh", "--due", "--every", "110")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("refreshed ")


async def test_a_cron_that_runs_too_seldom_is_warned_of(shell: Shell, tiktok: Simulator) -> None:
    await shell.connect(tiktok, family="login_kit")
    await shell.connect(tiktok, family="accounts")
    done = await shell("refresh", "--due", "--every", "720")
    assert done.code == 0
    assert "every 12 h is too seldom: the shortest-lived token here lasts 2 h" in done.err
    assert "Run it every 84 min" in done.err


async def test_tokens_that_never_expire_put_no_bound_on_cron(
    shell: Shell, tiktok: Simulator
) -> None:
    await shell.connect(tiktok)
    assert (await shell("refresh", "--due", "--every", "10000")).err == ""


async def test_an_interval_without_a_cron_is_asked_wrongly(shell: Shell) -> None:
    done = await shell("refresh", user(1), "--every", "60")
    assert (done.code, done.out) == (2, "")


async def test_beside_itself_each_token_is_refreshed_once(shell: Shell, tiktok: Simulator) -> None:
    await several(shell, tiktok, 12)
    shell.make_due()
    runs = await asyncio.gather(*(shell.run("refresh", "--due") for _ in range(3)))
    assert [run.code for run in runs] == [0, 0, 0]
    assert sum(run.out.count("refreshed ") for run in runs) == 12
    stats = await tiktok.stats()
    assert (stats["refreshes"], stats["dead_refresh_token_presented"]) == (12, 0)


async def test_beside_a_running_service_nothing_is_lost(shell: Shell, tiktok: Simulator) -> None:
    ids = await several(shell, tiktok, 6)
    service = await shell.start("serve")
    await line_of(service, holding="Ready")
    shell.make_due()
    url = f"http://127.0.0.1:{shell.environment['CONNECTOR_PORT']}"
    async with ClientSession(headers=AS_SERVER) as http:
        runs = [shell.run("refresh", "--all"), shell.run("refresh", "--due", "--every", "119")]
        reads = [http.get(f"{url}/connections/{id}/token") for id in ids]
        done, answers = await asyncio.gather(asyncio.gather(*runs), asyncio.gather(*reads))
        assert {answer.status for answer in answers} == {200}
    service.terminate()
    assert await service.wait() == 0
    assert [run.code for run in done] == [0, 0]
    stats = await tiktok.stats()
    assert (stats["refreshes_refused"], stats["dead_refresh_token_presented"]) == (0, 0)
    for id in ids:
        token = (await shell("token", id)).out.strip()
        assert tiktok.world.ledger.access(token).grant.alive


async def test_interrupted_it_leaves_with_130_and_finishes_what_it_began(
    shell: Shell, tiktok: Simulator
) -> None:
    (id,) = await several(shell, tiktok, 1)
    await tiktok.post("/_sim/settings", {"latency_ms": 300})
    process = await shell.start("refresh", "--all")
    while (await tiktok.stats())["in_flight"] == 0:
        pass
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert (process.returncode, err) == (130, b"")
    token = (await shell("token", id)).out.strip()
    assert tiktok.world.ledger.access(token).grant.alive
    assert (await tiktok.stats())["refreshes"] == 1


async def test_a_revocation_tiktok_was_away_for_is_made_up_for(
    shell: Shell, tiktok: Simulator
) -> None:
    id = await shell.connect(tiktok)
    await tiktok.fault("/oauth2/revoke_token/", "status", 500)
    await shell("disconnect", id)
    shell.make_due()
    done = await shell("refresh", "--due")
    assert f"revoked connection={id}" in done.out
    assert (await tiktok.stats())["revoked"] == 1


async def test_on_a_terminal_a_bar_shows_how_far_it_is(shell: Shell, tiktok: Simulator) -> None:
    await several(shell, tiktok, 2)
    shell.environment |= {"TERM": "xterm-256color", "COLUMNS": "100"}
    ours, theirs = pty.openpty()
    process = await shell.start("refresh", "--all", stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = await asyncio.to_thread(read_all, ours)
    assert await process.wait() == 0
    assert "Refreshing" in shown
    assert "2/2" in shown
    assert "2 well, 0 failed." in shown
    assert "refreshed connection=" not in shown


async def test_the_lifetime_is_what_tiktok_last_said(shell: Shell, tiktok: Simulator) -> None:
    id = await shell.connect(tiktok, family="login_kit")
    assert "lasts 2 h," in (await shell("refresh", "--due", "--every", "700")).err
    await tiktok.post("/_sim/settings", {"access_seconds": 86_400})
    await shell("refresh", id)
    assert (await shell("refresh", "--due", "--every", "700")).err == ""
