"""What can be asked for, and what is answered to what cannot."""

from __future__ import annotations

import subprocess
import sys

import pytest

from connector import __version__
from connector.cli import main
from connector.cli.parser import parsed
from tests.stack import ROOT

COMMANDS = {
    "serve": ("--workers",),
    "demo": ("--port",),
    "simulator": ("--host", "--port"),
    "auth-url": ("--user", "--family", "--redirect-uri"),
    "exchange": ("CODE", "--state"),
    "refresh": ("ID", "--due", "--all", "--every"),
    "connections": ("--user", "--json"),
    "token": ("ID",),
    "attempts": ("ID", "--json"),
    "ticket": ("--user",),
    "disconnect": ("ID",),
    "check": (),
    "keys": ("new", "rotate"),
}


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert [c for c in COMMANDS if f"    {c}" not in shown] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_tells_what_it_takes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert [option for option in COMMANDS[command] if option not in shown] == []


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"connector {__version__}\n"


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["fly"],
        ["token"],
        ["auth-url"],
        ["keys"],
        ["refresh"],
        ["refresh", "--due", "--all"],
        ["refresh", "--due", "--every", "0"],
        ["serve", "--workers", "none"],
        ["demo", "--port", "70000"],
    ],
    ids=" ".join,
)
def test_what_was_asked_wrongly_leaves_with_2(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(wrong) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "usage: connector" in said.err


@pytest.mark.parametrize("state", [["--state", "S"], ["--state=S"]])
def test_a_code_that_begins_with_a_dash_is_still_a_code(state: list[str]) -> None:
    for words in (["-code", *state], [*state, "-code"], [*state, "--", "-code"]):
        options = parsed(["exchange", *words])
        assert (options.code, options.state) == ("-code", "S")


def test_help_costs_no_import_of_what_it_does_not_need() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "connector", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for heavy in ("aiohttp", "pydantic", "rich", "cryptography", "supabase"):
        assert f"| {heavy}" not in done.stderr.replace("  ", " "), heavy
