"""`connector keys new` and `connector keys rotate`."""

from __future__ import annotations

import asyncio
import os
import pty
import re

import pytest

from connector.encryption import EncryptionKey
from tests.running_service import Simulator

from .runner import CommandRunner, first_line_with, read_terminal
from .test_refresh import connect_several, user

OLD, NEW = EncryptionKey.generate("old").format(), EncryptionKey.generate("new").format()
CIPHERTEXTS = """
    select encrypted_tokens from connections where encrypted_tokens is not null
    union all select tiktok_access_token from user_accounts where tiktok_access_token is not null
    union all select encrypted_grant from codes where encrypted_grant is not null
"""


@pytest.fixture
def cli(cli: CommandRunner) -> CommandRunner:
    """Encrypts under a key named `old`."""
    cli.environment["CONNECTOR_ENCRYPTION_KEYS"] = OLD
    return cli


def keys_in_use(cli: CommandRunner) -> set[str]:
    return {str(text).split(".")[1] for (text,) in cli.sql(CIPHERTEXTS)}


async def test_keys_new_prints_only_a_new_key(cli: CommandRunner) -> None:
    first, second = await cli.run("keys", "new"), await cli.run("keys", "new")
    assert first.out != second.out
    assert len(EncryptionKey.parse(first.out.strip()).secret) == 32
    assert re.match(r"k\d{8}-[0-9a-f]{6}:", first.out)


async def test_rotate_re_encrypts_everything_so_that_the_old_key_can_be_removed(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    ids = [
        *await connect_several(cli, tiktok, 3),
        await cli.connect(tiktok),
    ]
    assert keys_in_use(cli) == {"old"}
    cli.environment["CONNECTOR_ENCRYPTION_KEYS"] = f"{NEW},{OLD}"
    result = await cli.run("keys", "rotate")
    assert (result.code, result.out) == (
        0,
        "5 re-encrypted under the first key, 0 could not be decrypted.\n",
    )
    assert "Remove the old keys later" in result.err
    assert keys_in_use(cli) == {"new"}
    cli.environment["CONNECTOR_ENCRYPTION_KEYS"] = NEW
    for id in ids:
        assert (await cli.run("token", id)).code == 0


async def test_rotate_re_encrypts_a_pending_grant_too(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await tiktok.fault("/oauth2/advertiser/get/", "status", 500, times=-1)
    state, code = await cli.state(), await tiktok.consent()
    assert (await cli.run("exchange", code, "--state", state)).code == 1
    cli.environment["CONNECTOR_ENCRYPTION_KEYS"] = f"{NEW},{OLD}"
    assert (await cli.run("keys", "rotate")).out.startswith("1 re-encrypted")
    await tiktok.http.delete(f"{tiktok.url}/_sim/faults")
    assert (await cli.run("exchange", code, "--state", state)).code == 0
    assert (await tiktok.stats())["exchanges"] == 1


async def test_a_second_rotation_finds_nothing_to_re_encrypt(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await cli.connect(tiktok)
    result = await cli.run("keys", "rotate")
    assert (result.code, result.out.split()[0]) == (0, "0")


async def test_an_undecryptable_token_is_reported_and_left_unchanged(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    id = await cli.connect(tiktok, family="login_kit")
    before = cli.sql(CIPHERTEXTS)
    cli.environment["CONNECTOR_ENCRYPTION_KEYS"] = NEW
    result = await cli.run("keys", "rotate")
    assert result.code == 1
    assert f"connections/{id}: A token is encrypted under key old" in result.err
    assert cli.sql(CIPHERTEXTS) == before


async def test_rotate_leaves_plain_tokens_plain(cli: CommandRunner, tiktok: Simulator) -> None:
    cli.environment["CONNECTOR_USER_ACCOUNTS_TOKEN"] = "plain"
    await cli.connect(tiktok)
    plain = cli.sql("select tiktok_access_token from user_accounts")
    cli.environment["CONNECTOR_ENCRYPTION_KEYS"] = f"{NEW},{OLD}"
    assert (await cli.run("keys", "rotate")).code == 0
    assert cli.sql("select tiktok_access_token from user_accounts") == plain


async def test_rotate_beside_a_running_service_loses_no_token(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    ids = await connect_several(cli, tiktok, 6)
    cli.environment["CONNECTOR_ENCRYPTION_KEYS"] = f"{NEW},{OLD}"
    service = await cli.start_process("serve")
    await first_line_with(service, "Ready")
    cli.make_all_due()
    rotated, refreshed = await asyncio.gather(
        cli.run_process("keys", "rotate"),
        cli.run_process("refresh", "--all"),
    )
    service.terminate()
    assert await service.wait() == 0
    assert (rotated.code, refreshed.code) == (0, 0)
    assert keys_in_use(cli) == {"new"}
    for id in ids:
        token = await cli.access_token(id)
        assert tiktok.state.tokens.find_access_token(token).grant.is_active


async def test_rotate_works_on_supabase(cli_on_supabase: CommandRunner, tiktok: Simulator) -> None:
    cli = cli_on_supabase
    login_kit, marketing = await cli.connect(tiktok, family="login_kit"), await cli.connect(tiktok)
    old = cli.environment["CONNECTOR_ENCRYPTION_KEYS"]
    cli.environment["CONNECTOR_ENCRYPTION_KEYS"] = f"{NEW},{old}"
    assert (await cli.run("keys", "rotate")).out.startswith("3 re-encrypted")
    cli.environment["CONNECTOR_ENCRYPTION_KEYS"] = NEW
    for id in (login_kit, marketing):
        assert (await cli.run("token", id)).code == 0


async def test_rotate_shows_a_progress_bar_on_a_terminal(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    await cli.connect(tiktok, user=user(1), family="login_kit")
    cli.environment |= {"TERM": "xterm-256color", "COLUMNS": "100"}
    cli.environment["CONNECTOR_ENCRYPTION_KEYS"] = f"{NEW},{OLD}"
    terminal, process_side = pty.openpty()
    process = await cli.start_process("keys", "rotate", stdout=process_side, stderr=process_side)
    os.close(process_side)
    output = await asyncio.to_thread(read_terminal, terminal)
    assert await process.wait() == 0
    assert "Re-encrypting" in output
    assert "1/1" in output
