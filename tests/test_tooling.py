"""`tools/setup`, `make` and `.env.example` work, and pytest ends a test that hangs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from connector.settings import SETTINGS

from .supabase_stack import ROOT

EXAMPLE = (ROOT / ".env.example").read_text()
SHORT_TIMEOUT_CONFTEST = """
from tests import conftest

conftest.TEST_TIMEOUT = 0.5
pytest_pyfunc_call = conftest.pytest_pyfunc_call
"""
HANGING_TESTS = """
import asyncio
import signal
import threading

import pytest

NEVER = threading.Event()


@pytest.fixture(scope="session")
def no_timer_outside_of_tests():
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    yield
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@pytest.fixture
def endless_fixture():
    NEVER.wait()


async def busy_task():
    while True:
        await asyncio.sleep(0)


async def test_that_waits_beside_a_busy_task(no_timer_outside_of_tests):
    task = asyncio.create_task(busy_task())
    try:
        await asyncio.Event().wait()
    finally:
        task.cancel()


def test_that_blocks_beside_a_thread():
    threading.Thread(target=NEVER.wait, daemon=True).start()
    NEVER.wait()


async def test_that_suppresses_the_cancellation():
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        pass


async def test_that_uses_the_same_loop():
    await asyncio.sleep(0)


def test_with_an_endless_fixture(endless_fixture):
    pass
"""
IGNORING_SIGINT = ["bash", "-c", 'trap "" INT; exec "$@"', "-"]
"""A shell starts background programs in this state."""

SHELL_TOOLS = ["bash", "cat", "dirname", "env", "mktemp", "rm"]


@pytest.fixture
def bare_machine(tmp_path: Path) -> Path:
    """A folder for PATH that contains a shell and few other programs."""
    for tool in SHELL_TOOLS:
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    write_program(tmp_path / "initdb")
    write_program(tmp_path / "setpriv")
    return tmp_path


def write_program(path: Path, script: str = "true") -> None:
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)


def run_hanging_tests(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(SHORT_TIMEOUT_CONFTEST)
    (folder / "test_hanging.py").write_text(HANGING_TESTS)
    pytest = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*IGNORING_SIGINT, *pytest, *options, folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def run_setup(programs: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "tools" / "setup", "programs"],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_setup_without_root_rights_prints_the_install_command(bare_machine: Path) -> None:
    write_program(bare_machine / "npm")
    result = run_setup(bare_machine)
    assert result.returncode == 1
    assert "sudo apt-get install --no-install-recommends chromium fonts-liberation" in result.stderr


def test_setup_with_root_rights_installs_only_missing_programs(bare_machine: Path) -> None:
    write_program(bare_machine / "id", "echo 0")
    write_program(bare_machine / "chromium")
    write_program(bare_machine / "apt-get", f'echo "$@" >>{bare_machine}/calls')
    result = run_setup(bare_machine)
    assert (result.returncode, result.stderr) == (0, "- installing with apt-get: npm\n")
    update, install = (bare_machine / "calls").read_text().splitlines()
    assert update.endswith(" update")
    assert install.endswith(" --no-install-recommends npm")


def test_a_failed_installation_is_repeated_once_and_then_reported(bare_machine: Path) -> None:
    write_program(bare_machine / "id", "echo 0")
    write_program(
        bare_machine / "apt-get", f"echo tried >>{bare_machine}/calls; echo no mirror; exit 100"
    )
    result = run_setup(bare_machine)
    assert result.returncode == 1
    assert "no mirror" in result.stderr
    assert (bare_machine / "calls").read_text() == "tried\ntried\n"


def test_setup_prints_nothing_if_every_program_is_installed(bare_machine: Path) -> None:
    for name in ("npm", "chromium"):
        write_program(bare_machine / name)
    result = run_setup(bare_machine)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_make_without_a_target_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()) - {"programs"}
    result = subprocess.run(
        ["make", "--no-print-directory"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {line.split()[1] for line in result.stdout.splitlines()} == targets


def test_the_lock_files_name_no_package_index() -> None:
    for name in ("package-lock.json", "requirements/run.txt", "requirements/dev.txt"):
        text = (ROOT / name).read_text()
        assert not re.search(r'"resolved"|^(-i|--index-url|--extra-index-url)', text, re.MULTILINE)


def test_the_env_example_contains_every_setting_with_its_default() -> None:
    written = dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    defaults: dict[str, str] = {}
    for setting in SETTINGS:
        defaults[setting.name] = (setting.default or "").format(**defaults)
    assert written == defaults


def test_the_env_example_overrides_no_default() -> None:
    active_values = re.findall(r"^[A-Z_]+=(.*)$", EXAMPLE, re.MULTILINE)
    assert set(active_values) == {""}


def test_a_hanging_test_fails_at_the_line_that_waits_and_the_other_tests_run(
    tmp_path: Path,
) -> None:
    result = run_hanging_tests(tmp_path, "-k", "not endless_fixture")
    assert "3 failed, 1 passed, 1 deselected" in result.stdout
    assert "Failed: The test hung for 0.5 seconds." in result.stdout
    assert re.search(r"^> +await asyncio\.Event\(\)\.wait\(\)$", result.stdout, re.MULTILINE)
    stacks = result.stdout.partition("test_that_blocks_beside_a_thread")[2]
    assert re.search(r"^Thread .*^Current thread ", stacks, re.MULTILINE | re.DOTALL)


def test_a_hanging_fixture_ends_the_run(tmp_path: Path) -> None:
    result = run_hanging_tests(tmp_path, "-k", "endless_fixture", "-o", "faulthandler_timeout=1")
    assert result.returncode == 1
    assert "Timeout (0:00:01)!" in result.stderr
    assert re.search(
        'test_hanging.py", line [0-9]+ in endless_fixture$', result.stderr, re.MULTILINE
    )
