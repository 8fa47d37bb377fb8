"""`connector check`: all problems together, each with its remedy, and the exit code."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.encryption import EncryptionKey
from tests.raw_servers import http_server, ok_response, respond_with
from tests.running_service import Simulator
from tests.supabase_stack import Stack, schema_files

from .runner import CommandRunner, line_about


async def test_check_without_problems_lists_the_passed_checks_and_exits_with_0(
    cli: CommandRunner,
) -> None:
    result = await cli.run("check")
    assert (result.code, result.err) == (0, "")
    assert "PROBLEM" not in result.out
    for part in ("settings", "store: SQLite", "encryption keys", "journal", "the clocks agree"):
        assert f"ok       {part}" in result.out or part in result.out


async def test_check_passes_on_a_supabase_project_that_is_set_up(
    cli_on_supabase: CommandRunner,
) -> None:
    result = await cli_on_supabase.run("check")
    assert result.code == 0, result.out
    assert f"ok       store: Supabase, {cli_on_supabase.environment['SUPABASE_URL']}" in result.out


async def test_check_reports_all_problems_together(cli: CommandRunner) -> None:
    cli.environment |= {
        "TIKTOK_APP_ID": "your_app_id",
        "TIKTOK_REDIRECT_URI": "http://app.example.com/callback",
        "CONNECTOR_PORT": "http",
        "CONNECTOR_LOG_LEVEL": "loud",
        "CONNECTOR_JOURNAL": "/proc/journal",
        "CONNECTOR_DATABASE": "/proc/connector.db",
        "CONNECTOR_ENCRYPTION_KEYS": EncryptionKey.generate("k").format(),
    }
    result = await cli.run("check")
    assert result.code == 1
    problems = [line for line in result.out.splitlines() if line.startswith("PROBLEM")]
    assert {line.split()[1].rstrip(":") for line in problems} == {
        "TIKTOK_APP_ID",
        "TIKTOK_REDIRECT_URI",
        "CONNECTOR_PORT",
        "CONNECTOR_LOG_LEVEL",
        "CONNECTOR_JOURNAL",
        "CONNECTOR_DATABASE",
    }
    assert result.out.splitlines()[-1].startswith("Problems: 6")


async def test_check_tests_the_store_and_the_journal_without_any_setting(
    cli: CommandRunner,
) -> None:
    cli.environment = {"CONNECTOR_JOURNAL": "/proc/journal"}
    result = await cli.run("check")
    assert result.code == 1
    assert "PROBLEM  TIKTOK_APP_ID: No TikTok app is set" in result.out
    assert "PROBLEM  CONNECTOR_JOURNAL: " in result.out
    assert "ok       store: SQLite" in result.out


async def test_a_store_that_does_not_respond_is_a_problem(cli: CommandRunner) -> None:
    cli.environment["CONNECTOR_ENCRYPTION_KEYS"] = EncryptionKey.generate("k").format()
    cli.environment["SUPABASE_SERVICE_ROLE_KEY"] = "sb_secret_of_some_length"
    line = await line_about(cli, SUPABASE_URL="http://127.0.0.1:9")
    assert "Supabase does not answer" in line


async def test_a_missing_schema_is_a_problem_whose_remedy_names_the_sql_files(
    cli_on_supabase: CommandRunner, stack: Stack
) -> None:
    stack.script("alter function public.connector_schema_version() rename to renamed")
    stack.reload_postgrest()
    try:
        result = await cli_on_supabase.run("check")
    finally:
        stack.script("alter function public.renamed() rename to connector_schema_version")
        stack.reload_postgrest()
    assert result.code == 1
    assert "apply sql/tables/*.sql, then sql/functions/*.sql, in one transaction" in result.out
    assert "cat sql/tables/*.sql sql/functions/*.sql | psql" in result.out


@pytest.fixture
def restored_privileges(stack: Stack) -> Iterator[None]:
    """What a restore under Supabase's default privileges gives back."""
    stack.script(
        "grant all on all functions in schema public to anon, authenticated;"
        "grant select on public.user_accounts to authenticated;"
    )
    yield
    stack.apply(*schema_files())


@pytest.mark.usefixtures("restored_privileges")
@pytest.mark.parametrize("direct", [False, True], ids=["supabase", "postgres"])
async def test_privileges_that_a_restore_gave_back_are_problems_with_the_remedy(
    cli_on_supabase: CommandRunner, stack: Stack, direct: bool
) -> None:
    cli_on_supabase.environment["SUPABASE_DB_URL"] = stack.dsn if direct else ""
    result = await cli_on_supabase.run("check")
    assert result.code == 1
    execute, select = (line for line in result.out.splitlines() if " privileges: " in line)
    assert execute.startswith("PROBLEM  privileges: In the database, anon, authenticated must not")
    assert "select on public.user_accounts.tiktok_access_token." in select
    assert "cat sql/tables/*.sql sql/functions/*.sql | psql" in select


async def test_a_key_that_cannot_be_used_and_a_required_column_are_problems(
    cli_on_supabase: CommandRunner, stack: Stack
) -> None:
    stack.script(
        "set role postgres; drop table public.user_accounts;"
        "create table public.user_accounts (born date primary key, company text not null);"
        "reset role"
    )
    try:
        stack.apply(*schema_files())
        result = await cli_on_supabase.run("check")
    finally:
        stack.script("drop table public.user_accounts")
        stack.apply(*schema_files())
        stack.reload_postgrest()
    assert result.code == 1
    assert "PROBLEM  user_accounts_key: The primary key born of public.user_accounts" in result.out
    assert "PROBLEM  user_accounts_required_columns: In public.user_accounts, company" in result.out


async def test_tokens_under_a_removed_encryption_key_are_a_problem(
    cli: CommandRunner, tiktok: Simulator
) -> None:
    cli.environment["CONNECTOR_ENCRYPTION_KEYS"] = EncryptionKey.generate("old").format()
    await cli.connect(tiktok)
    line = await line_about(cli, CONNECTOR_ENCRYPTION_KEYS=EncryptionKey.generate("new").format())
    assert "2 stored tokens are encrypted under old, which this list lacks" in line


async def test_a_key_file_that_others_can_read_is_a_problem(cli: CommandRunner) -> None:
    await cli.run("connections")
    (cli.folder / "connector.db.keys").chmod(0o644)
    result = await cli.run("check")
    assert result.code == 1
    assert "chmod 600" in result.out
    assert stat.S_IMODE((cli.folder / "connector.db").stat().st_mode) == 0o600


async def test_a_journal_on_a_network_file_system_is_a_problem_with_a_remedy(
    cli: CommandRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"37 36 0:50 / {cli.folder.resolve()} rw - nfs4 server:/ rw\n")
    monkeypatch.setattr("connector.cli.mounts.MOUNTS", mounts)
    line = await line_about(cli, CONNECTOR_JOURNAL="connector.journal")
    assert line.startswith("PROBLEM")
    assert "network file system (nfs4)" in line
    assert "Choose a folder on a local disk." in line
    assert not (cli.folder / "connector.journal").exists()


@pytest.mark.parametrize("days", [-1, 1])
async def test_a_wrong_clock_is_a_problem(cli: CommandRunner, days: int) -> None:
    date = {-1: "Thu, 19 Nov 2020 12:00:00 GMT", 1: "Fri, 19 Nov 2100 12:00:00 GMT"}[days]
    async with http_server(respond_with(ok_response(b"", f"Date: {date}"))) as url:
        cli.environment["TIKTOK_BUSINESS_API_URL"] = url
        result = await cli.run("check")
    assert result.code == 1
    assert ("behind" if days > 0 else "ahead of") in result.out


async def test_check_names_the_api_keys_and_their_scopes_and_never_a_key(
    cli: CommandRunner,
) -> None:
    key = "canary-0123456789"
    cli.environment["CONNECTOR_API_KEYS"] = f"prometheus:metrics:{key},all:tokens+read:{key}2"
    result = await cli.run("check")
    assert "ok       API keys: prometheus (metrics), all (read tokens)" in result.out
    assert "canary" not in result.out


async def test_an_unreachable_tiktok_is_only_a_warning(cli: CommandRunner) -> None:
    line = await line_about(cli, TIKTOK_BUSINESS_API_URL="http://127.0.0.1:9")
    assert line.startswith("warning")


async def test_an_example_value_is_a_problem(cli: CommandRunner) -> None:
    line = await line_about(cli, TIKTOK_CLIENT_SECRET="<your client secret>x".replace(" ", "-"))
    assert line.startswith("PROBLEM")
    assert "developers.tiktok.com" in line


async def test_an_app_id_that_is_not_a_number_is_a_problem(cli: CommandRunner) -> None:
    cli.environment["TIKTOK_BUSINESS_API_URL"] = ""
    assert "not a number" in await line_about(cli, TIKTOK_APP_ID="awabcdef1234")


async def test_an_app_id_as_client_key_is_a_problem(cli: CommandRunner) -> None:
    cli.environment["TIKTOK_OPEN_API_URL"] = ""
    assert "the app's id" in await line_about(cli, TIKTOK_CLIENT_KEY="7123456789012345678")


async def test_a_secret_that_is_too_short_is_a_problem_that_does_not_repeat_the_secret(
    cli: CommandRunner,
) -> None:
    cli.environment["TIKTOK_BUSINESS_API_URL"] = ""
    line = await line_about(cli, TIKTOK_APP_SECRET="canary-half")
    assert "shorter" in line
    assert "canary" not in line


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("TIKTOK_REDIRECT_URI", "http://app.example.com/callback", "not https"),
        ("TIKTOK_REDIRECT_URI", ",".join(f"http://localhost/{n}" for n in range(11)), "allows 10"),
        ("TIKTOK_REDIRECT_URI", "http://localhost/" + 500 * "x", "longer than 512"),
        ("TIKTOK_REDIRECT_URI", "https://app.example.com:8443/back", "a port or a query"),
        ("CONNECTOR_PUBLIC_URL", "http://connect.example.com", "unencrypted"),
        ("CONNECTOR_ALLOWED_ORIGINS", "http://app.example.com", "Any machine on the network"),
        ("CONNECTOR_API_KEYS", "", "none of your servers"),
        ("CONNECTOR_ACCEPT_UNSIGNED_STATE", "true", "Any person who knows"),
    ],
)
async def test_a_valid_setting_that_cannot_work_is_reported(
    cli: CommandRunner, setting: str, value: str, message: str
) -> None:
    if setting == "CONNECTOR_PUBLIC_URL":
        cli.environment["TIKTOK_REDIRECT_URI"] = "https://app.example.com/callback"
    assert message in await line_about(cli, **{setting: value})


async def test_a_redirect_uri_whose_origin_is_not_allowed_causes_a_warning(
    cli: CommandRunner,
) -> None:
    cli.environment["TIKTOK_REDIRECT_URI"] = "https://app.example.com/callback"
    result = await cli.run("check")
    assert "warning  CONNECTOR_ALLOWED_ORIGINS: TikTok sends people to" in result.out
    cli.environment["CONNECTOR_ALLOWED_ORIGINS"] = "https://app.example.com"
    assert "CONNECTOR_ALLOWED_ORIGINS" not in (await cli.run("check")).out


async def test_a_page_of_the_customer_that_sends_no_token_of_the_user_is_a_warning(
    cli: CommandRunner,
) -> None:
    assert "CONNECTOR_REQUIRE_USER" not in (await cli.run("check")).out
    cli.environment["TIKTOK_REDIRECT_URI"] = "https://app.example.com/callback"
    result = await cli.run("check")
    assert (
        "warning  CONNECTOR_REQUIRE_USER: The page https://app.example.com/callback" in result.out
    )
    cli.environment["CONNECTOR_REQUIRE_USER"] = "true"
    assert "CONNECTOR_REQUIRE_USER" not in (await cli.run("check")).out


@pytest.mark.parametrize(("mode", "is_reported"), [(0o644, True), (0o604, True), (0o640, False)])
async def test_a_dotenv_file_that_everybody_can_read_is_a_warning(
    cli: CommandRunner, mode: int, is_reported: bool
) -> None:
    dotenv = cli.folder / ".env"
    dotenv.write_text("\n")
    dotenv.chmod(mode)
    result = await cli.run("check")
    assert result.code == 0
    assert ("warning  .env: Everybody on this machine can read" in result.out) == is_reported


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONNECTOR_ACCEPT_UNSIGNED_STATE", "true"),
        ("CONNECTOR_RETURN_ACCESS_TOKEN", "true"),
        ("CONNECTOR_USER_ACCOUNTS_TOKEN", "plain"),
    ],
)
async def test_a_setting_that_weakens_a_protection_is_a_warning(
    cli: CommandRunner, name: str, value: str
) -> None:
    assert (await line_about(cli, **{name: value})).startswith("warning")


async def test_a_database_on_the_internet_without_certain_encryption_stops_check_and_serve(
    cli: CommandRunner,
) -> None:
    address = "postgresql://u:canary@db.example.com/postgres?sslmode=prefer"
    cli.environment["CONNECTOR_ENCRYPTION_KEYS"] = EncryptionKey.generate("k").format()
    line = await line_about(cli, SUPABASE_DB_URL=address)
    assert line.startswith("PROBLEM  SUPABASE_DB_URL: sslmode=prefer may send the password")
    result = await cli.run_process("serve")
    assert result.code == 2
    assert "sslmode=verify-full" in result.err
    assert "canary" not in line + result.err
