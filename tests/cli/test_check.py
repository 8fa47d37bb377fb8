"""`connector check`: every problem at once, each with its remedy, and the exit code to go with it."""

from __future__ import annotations

import stat

import pytest

from connector.seal import Key
from tests.houses import Simulator
from tests.loopback import ok, saying, server
from tests.stack import Stack

from .shell import Shell

TIKTOKS_OWN = {"TIKTOK_BUSINESS_API_URL": "", "TIKTOK_OPEN_API_URL": ""}


async def told(shell: Shell, **changed: str) -> str:
    """The one line that is about a setting changed, whether problem or warning."""
    shell.environment |= changed
    done = await shell("check")
    lines = [line for line in done.out.splitlines() if any(f" {n}: " in line for n in changed)]
    assert done.code == any(line.startswith("PROBLEM") for line in done.out.splitlines())
    assert len(lines) == 1, done.out
    return lines[0]


async def test_with_everything_well_it_says_so_and_leaves_with_0(shell: Shell) -> None:
    done = await shell("check")
    assert (done.code, done.err) == (0, "")
    assert "PROBLEM" not in done.out
    for part in ("settings", "store: SQLite", "encryption keys", "journal", "the clocks agree"):
        assert f"ok       {part}" in done.out or part in done.out


async def test_a_whole_supabase_is_well_too(on_supabase: Shell) -> None:
    done = await on_supabase("check")
    assert done.code == 0, done.out
    assert f"ok       store: Supabase, {on_supabase.environment['SUPABASE_URL']}" in done.out


async def test_everything_that_is_wrong_is_told_at_once(shell: Shell) -> None:
    shell.environment |= {
        "TIKTOK_APP_ID": "your_app_id",
        "TIKTOK_REDIRECT_URI": "http://app.example.com/callback",
        "CONNECTOR_PORT": "http",
        "CONNECTOR_LOG": "loud",
        "CONNECTOR_JOURNAL": "/proc/journal",
        "CONNECTOR_DATABASE": "/proc/connector.db",
        "CONNECTOR_ENCRYPTION_KEYS": Key.new("k").text(),
    }
    done = await shell("check")
    assert done.code == 1
    problems = [line for line in done.out.splitlines() if line.startswith("PROBLEM")]
    assert {line.split()[1].rstrip(":") for line in problems} == {
        "TIKTOK_APP_ID",
        "TIKTOK_REDIRECT_URI",
        "CONNECTOR_PORT",
        "CONNECTOR_LOG",
        "CONNECTOR_JOURNAL",
        "CONNECTOR_DATABASE",
    }
    assert done.out.splitlines()[-1].startswith("Problems: 6")


async def test_with_nothing_set_at_all_the_rest_is_still_looked_at(shell: Shell) -> None:
    shell.environment = {"CONNECTOR_JOURNAL": "/proc/journal"}
    done = await shell("check")
    assert done.code == 1
    assert "PROBLEM  TIKTOK_APP_ID: No TikTok app is set" in done.out
    assert "PROBLEM  CONNECTOR_JOURNAL: " in done.out
    assert "ok       store: SQLite" in done.out


async def test_a_store_that_is_away_is_told(shell: Shell) -> None:
    shell.environment["CONNECTOR_ENCRYPTION_KEYS"] = Key.new("k").text()
    shell.environment["SUPABASE_SERVICE_ROLE_KEY"] = "sb_secret_of_some_length"
    line = await told(shell, SUPABASE_URL="http://127.0.0.1:9")
    assert "Supabase does not answer" in line


async def test_a_schema_that_was_not_applied_is_told_with_the_files(
    on_supabase: Shell, stack: Stack
) -> None:
    stack.script("alter function public.connector_ready() rename to not_ready")
    stack.reload()
    try:
        done = await on_supabase("check")
    finally:
        stack.script("alter function public.not_ready() rename to connector_ready")
        stack.reload()
    assert done.code == 1
    assert "apply sql/001_tables.sql and sql/002_functions.sql" in done.out


async def test_tokens_under_a_key_that_is_gone_are_told(shell: Shell, tiktok: Simulator) -> None:
    shell.environment["CONNECTOR_ENCRYPTION_KEYS"] = Key.new("old").text()
    await shell.connect(tiktok)
    line = await told(shell, CONNECTOR_ENCRYPTION_KEYS=Key.new("new").text())
    assert "sealed under key old" in line


async def test_a_key_file_others_may_read_is_told(shell: Shell) -> None:
    await shell("connections")
    (shell.home / "connector.db.keys").chmod(0o644)
    done = await shell("check")
    assert done.code == 1
    assert "chmod 600" in done.out
    assert stat.S_IMODE((shell.home / "connector.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("days", [-1, 1])
async def test_a_wrong_clock_is_told(shell: Shell, days: int) -> None:
    date = {-1: "Thu, 19 Nov 2020 12:00:00 GMT", 1: "Fri, 19 Nov 2100 12:00:00 GMT"}[days]
    async with server(saying(ok(b"", f"Date: {date}"))) as url:
        shell.environment["TIKTOK_BUSINESS_API_URL"] = url
        done = await shell("check")
    assert done.code == 1
    assert ("behind" if days > 0 else "ahead of") in done.out


async def test_a_tiktok_that_cannot_be_reached_is_only_a_warning(shell: Shell) -> None:
    line = await told(shell, TIKTOK_BUSINESS_API_URL="http://127.0.0.1:9")
    assert line.startswith("warning")


async def test_an_example_left_as_it_was_is_told(shell: Shell) -> None:
    line = await told(shell, TIKTOK_CLIENT_SECRET="<your client secret>x".replace(" ", "-"))
    assert line.startswith("PROBLEM")
    assert "developers.tiktok.com" in line


async def test_what_cannot_be_an_app_id_of_tiktoks_is_told(shell: Shell) -> None:
    shell.environment["TIKTOK_BUSINESS_API_URL"] = ""
    assert "not a number" in await told(shell, TIKTOK_APP_ID="awabcdef1234")


async def test_an_app_id_in_the_place_of_the_client_key_is_told(shell: Shell) -> None:
    shell.environment["TIKTOK_OPEN_API_URL"] = ""
    assert "the app's id" in await told(shell, TIKTOK_CLIENT_KEY="7123456789012345678")


async def test_half_a_secret_is_told_and_not_repeated(shell: Shell) -> None:
    shell.environment["TIKTOK_BUSINESS_API_URL"] = ""
    line = await told(shell, TIKTOK_APP_SECRET="canary-half")
    assert "shorter" in line
    assert "canary" not in line


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("TIKTOK_REDIRECT_URI", "http://app.example.com/callback", "not https"),
        ("TIKTOK_REDIRECT_URI", ",".join(f"http://localhost/{n}" for n in range(11)), "takes 10"),
        ("TIKTOK_REDIRECT_URI", "http://localhost/" + 500 * "x", "longer than 512"),
        ("TIKTOK_REDIRECT_URI", "https://app.example.com:8443/back", "a port or a query"),
        ("CONNECTOR_PUBLIC_URL", "http://connect.example.com", "unencrypted"),
        ("CONNECTOR_ALLOWED_ORIGINS", "http://app.example.com", "Anybody on the way"),
        ("CONNECTOR_API_KEYS", "", "no server of yours"),
        ("CONNECTOR_ACCEPT_UNSIGNED_STATE", "true", "Anybody can connect"),
    ],
)
async def test_what_reads_well_but_will_not_work_is_told(
    shell: Shell, setting: str, value: str, sentence: str
) -> None:
    if setting == "CONNECTOR_PUBLIC_URL":
        shell.environment["TIKTOK_REDIRECT_URI"] = "https://app.example.com/callback"
    assert sentence in await told(shell, **{setting: value})


async def test_a_callback_page_whose_origin_may_not_call_us_is_told(shell: Shell) -> None:
    shell.environment["TIKTOK_REDIRECT_URI"] = "https://app.example.com/callback"
    done = await shell("check")
    assert "warning  CONNECTOR_ALLOWED_ORIGINS: TikTok sends people to" in done.out
    shell.environment["CONNECTOR_ALLOWED_ORIGINS"] = "https://app.example.com"
    assert "CONNECTOR_ALLOWED_ORIGINS" not in (await shell("check")).out
