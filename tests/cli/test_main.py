"""Settings, errors and closed pipes, which every command handles in the same way."""

from __future__ import annotations

from .runner import CommandRunner

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


async def test_invalid_settings_exit_with_2_and_all_problems_are_printed(
    cli: CommandRunner,
) -> None:
    cli.environment |= {"TIKTOK_APP_SECRET": "", "CONNECTOR_LOG_LEVEL": "loud"}
    result = await cli.run("connections")
    assert (result.code, result.out) == (2, "")
    assert "TIKTOK_APP_SECRET: Required because" in result.err
    assert "CONNECTOR_LOG_LEVEL: The value is unknown. Write one of" in result.err


async def test_an_invalid_encryption_key_is_not_printed(cli: CommandRunner) -> None:
    cli.environment["CONNECTOR_ENCRYPTION_KEYS"] = "canary-of-a-key"
    result = await cli.run("connections")
    assert result.code == 2
    assert "canary" not in result.err


async def test_settings_are_read_from_the_env_file_in_the_working_directory(
    cli: CommandRunner,
) -> None:
    written = "\n".join(f"{name}={value}" for name, value in cli.environment.items())
    (cli.folder / ".env").write_text(written)
    cli.environment = {}
    assert (await cli.run("connections")).code == 0


async def test_a_store_that_does_not_respond_is_reported_without_a_traceback(
    cli: CommandRunner,
) -> None:
    cli.environment["CONNECTOR_DATABASE"] = "missing/folder/connector.db"
    cli.environment["CONNECTOR_ENCRYPTION_KEYS"] = (await cli.run("keys", "new")).out.strip()
    for command in (["connections"], ["token", UNKNOWN_ID]):
        result = await cli.run(*command)
        assert (result.code, result.out) == (1, "")
        assert "The SQLite database does not answer" in result.err


async def test_a_closed_pipe_causes_no_traceback(cli: CommandRunner) -> None:
    process = await cli.start_process("keys", "new")
    assert process.stdout is not None
    process.stdout._transport.close()  # type: ignore[attr-defined]
    _, err = await process.communicate()
    assert "Traceback" not in err.decode()
