"""Encryption keys at the terminal: a fresh one, and everything sealed again under it."""

from __future__ import annotations

import asyncio
import os
import pty
import re

import pytest

from connector.seal import Key
from tests.houses import Simulator

from .shell import Shell, line_of, read_all
from .test_refresh import several, user

OLD, NEW = Key.new("old").text(), Key.new("new").text()
SEALED = """
    select sealed from connections where sealed is not null
    union all select tiktok_access_token from user_accounts where tiktok_access_token is not null
    union all select sealed from codes where sealed is not null
"""


@pytest.fixture
def sealing(shell: Shell) -> Shell:
    shell.environment["CONNECTOR_ENCRYPTION_KEYS"] = OLD
    return shell


def keys_in_use(shell: Shell) -> set[str]:
    return {str(sealed).split(".")[1] for (sealed,) in shell.sql(SEALED)}


async def test_a_fresh_key_is_all_there_is_to_read(shell: Shell) -> None:
    one, other = await shell("keys", "new"), await shell("keys", "new")
    assert one.out != other.out
    assert len(Key.parse(one.out.strip()).secret) == 32
    assert re.match(r"k\d{8}-[0-9a-f]{6}:", one.out)


async def test_everything_is_sealed_again_and_the_old_key_can_go(
    sealing: Shell, tiktok: Simulator
) -> None:
    ids = [*await several(sealing, tiktok, 3), await sealing.connect(tiktok)]
    assert keys_in_use(sealing) == {"old"}
    sealing.environment["CONNECTOR_ENCRYPTION_KEYS"] = f"{NEW},{OLD}"
    done = await sealing("keys", "rotate")
    assert (done.code, done.out) == (
        0,
        "5 sealed under the newest key, 0 could not be opened.\n",
    )
    assert "old keys can be taken out" in done.err
    assert keys_in_use(sealing) == {"new"}
    sealing.environment["CONNECTOR_ENCRYPTION_KEYS"] = NEW
    for id in ids:
        assert (await sealing("token", id)).code == 0


async def test_a_grant_that_waits_for_its_advertisers_is_sealed_again_too(
    sealing: Shell, tiktok: Simulator
) -> None:
    await tiktok.fault("/oauth2/advertiser/get/", "status", 500, times=-1)
    state, code = await sealing.state(), await tiktok.consent()
    assert (await sealing("exchange", code, "--state", state)).code == 1
    sealing.environment["CONNECTOR_ENCRYPTION_KEYS"] = f"{NEW},{OLD}"
    assert (await sealing("keys", "rotate")).out.startswith("1 sealed")
    await tiktok.http.delete(f"{tiktok.url}/_sim/faults")
    assert (await sealing("exchange", code, "--state", state)).code == 0
    assert (await tiktok.stats())["exchanges"] == 1


async def test_rotating_again_finds_nothing_to_do(sealing: Shell, tiktok: Simulator) -> None:
    await sealing.connect(tiktok)
    done = await sealing("keys", "rotate")
    assert (done.code, done.out.split()[0]) == (0, "0")


async def test_what_cannot_be_opened_is_told_and_left_as_it_is(
    sealing: Shell, tiktok: Simulator
) -> None:
    id = await sealing.connect(tiktok, family="login_kit")
    before = sealing.sql(SEALED)
    sealing.environment["CONNECTOR_ENCRYPTION_KEYS"] = NEW
    done = await sealing("keys", "rotate")
    assert done.code == 1
    assert f"connections/{id}: A token is sealed under key old" in done.err
    assert sealing.sql(SEALED) == before


async def test_a_token_wanted_in_plain_text_stays_plain(sealing: Shell, tiktok: Simulator) -> None:
    sealing.environment["CONNECTOR_USER_ACCOUNTS_TOKEN"] = "plain"
    await sealing.connect(tiktok)
    plain = sealing.sql("select tiktok_access_token from user_accounts")
    sealing.environment["CONNECTOR_ENCRYPTION_KEYS"] = f"{NEW},{OLD}"
    assert (await sealing("keys", "rotate")).code == 0
    assert sealing.sql("select tiktok_access_token from user_accounts") == plain


async def test_beside_a_running_service_no_token_is_lost(sealing: Shell, tiktok: Simulator) -> None:
    ids = await several(sealing, tiktok, 6)
    sealing.environment["CONNECTOR_ENCRYPTION_KEYS"] = f"{NEW},{OLD}"
    service = await sealing.start("serve")
    await line_of(service, holding="Ready")
    sealing.make_due()
    rotated, refreshed = await asyncio.gather(
        sealing.run("keys", "rotate"), sealing.run("refresh", "--all")
    )
    service.terminate()
    assert await service.wait() == 0
    assert (rotated.code, refreshed.code) == (0, 0)
    assert keys_in_use(sealing) == {"new"}
    for id in ids:
        token = (await sealing("token", id)).out.strip()
        assert tiktok.world.ledger.access(token).grant.alive


async def test_on_supabase_it_is_the_same(on_supabase: Shell, tiktok: Simulator) -> None:
    shell = on_supabase
    kit, ads = await shell.connect(tiktok, family="login_kit"), await shell.connect(tiktok)
    old = shell.environment["CONNECTOR_ENCRYPTION_KEYS"]
    shell.environment["CONNECTOR_ENCRYPTION_KEYS"] = f"{NEW},{old}"
    assert (await shell("keys", "rotate")).out.startswith("3 sealed")
    shell.environment["CONNECTOR_ENCRYPTION_KEYS"] = NEW
    for id in (kit, ads):
        assert (await shell("token", id)).code == 0


async def test_on_a_terminal_a_bar_shows_how_far_it_is(sealing: Shell, tiktok: Simulator) -> None:
    await sealing.connect(tiktok, user=user(1), family="login_kit")
    sealing.environment |= {"TERM": "xterm-256color", "COLUMNS": "100"}
    sealing.environment["CONNECTOR_ENCRYPTION_KEYS"] = f"{NEW},{OLD}"
    ours, theirs = pty.openpty()
    process = await sealing.start("keys", "rotate", stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = await asyncio.to_thread(read_all, ours)
    assert await process.wait() == 0
    assert "Sealing" in shown
    assert "1/1" in shown
