"""The commands, their help, and wrong usage."""

from __future__ import annotations

import subprocess
import sys

import pytest

from connector import __version__
from connector.cli import main
from connector.cli.parser import parse_arguments
from tests.supabase_stack import ROOT

COMMANDS = {
    "serve": (),
    "demo": ("--port",),
    "simulator": ("--host", "--port"),
    "auth-url": ("--user", "--family", "--redirect-uri"),
    "exchange": ("CODE", "--state"),
    "refresh": ("ID", "--due", "--all", "--every"),
    "connections": ("--user", "--json"),
    "token": ("ID",),
    "attempts": ("ID", "--json"),
    "ticket": ("--user", "--display-name"),
    "disconnect": ("ID",),
    "events": ("--follow", "--after", "--types", "--connection", "--json"),
    "endpoints": ("list", "add", "show", "enable", "disable", "delete", "rotate", "test", "replay"),
    "check": (),
    "keys": ("new", "rotate"),
}


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    output = capsys.readouterr().out
    assert [c for c in COMMANDS if f"    {c}" not in output] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_lists_its_options(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    output = capsys.readouterr().out
    assert [option for option in COMMANDS[command] if option not in output] == []


def test_version_prints_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"connector {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["unknown"],
        ["token"],
        ["auth-url"],
        ["keys"],
        ["endpoints"],
        ["endpoints", "add"],
        ["endpoints", "replay", "ID"],
        ["refresh"],
        ["refresh", "--due", "--all"],
        ["refresh", "--due", "--every", "0"],
        ["serve", "--workers", "2"],
        ["demo", "--port", "70000"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2_and_prints_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "usage: connector" in output.err


@pytest.mark.parametrize("state", [["--state", "S"], ["--state=S"]])
def test_an_authorization_code_may_start_with_a_dash(state: list[str]) -> None:
    for words in (["-code", *state], [*state, "-code"], [*state, "--", "-code"]):
        options = parse_arguments(["exchange", *words])
        assert (options.code, options.state) == ("-code", "S")


def test_help_imports_no_large_package() -> None:
    process = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "connector", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for package in ("aiohttp", "pydantic", "rich", "cryptography", "supabase"):
        assert f"| {package}" not in process.stderr.replace("  ", " "), package
