"""The words a newcomer types, and what they say when something is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from connector.settings import SETTINGS

from .stack import ROOT

EXAMPLE = (ROOT / ".env.example").read_text()
HURRIED = """
from tests import conftest

conftest.LONGEST = 0.1
pytest_pyfunc_call = conftest.pytest_pyfunc_call
"""
HANGING = """
import asyncio
import signal
import threading

import pytest

NEVER = threading.Event()


@pytest.fixture(scope="session")
def unhurried():
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    yield
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@pytest.fixture
def endless():
    NEVER.wait()


async def busy():
    while True:
        await asyncio.sleep(0)


async def test_that_waits_beside_a_busy_task(unhurried):
    bystander = asyncio.create_task(busy())
    try:
        await asyncio.Event().wait()
    finally:
        bystander.cancel()


def test_that_blocks_beside_a_thread():
    threading.Thread(target=NEVER.wait, daemon=True).start()
    NEVER.wait()


async def test_that_does_as_if_nothing_were():
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        pass


async def test_on_the_same_loop():
    await asyncio.sleep(0)


def test_in_an_endless_fixture(endless):
    pass
"""
DEAF = ["bash", "-c", 'trap "" INT; exec "$@"', "-"]
"""As whatever a shell runs in the background."""

TOOLS = ["bash", "cat", "dirname", "env", "mktemp", "rm"]


@pytest.fixture
def bare_machine(tmp_path: Path) -> Path:
    """A PATH with a shell and little else."""
    for tool in TOOLS:
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    program(tmp_path / "initdb")
    program(tmp_path / "setpriv")
    return tmp_path


def program(path: Path, does: str = "true") -> None:
    path.write_text(f"#!/bin/bash\n{does}\n")
    path.chmod(0o755)


def hanging(place: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (place / "conftest.py").write_text(HURRIED)
    (place / "test_hanging.py").write_text(HANGING)
    pytest = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*DEAF, *pytest, *options, place],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def set_up(programs: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "tools" / "setup", "programs"],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_the_right_to_install_it_says_what_to_install(bare_machine: Path) -> None:
    program(bare_machine / "npm")
    done = set_up(bare_machine)
    assert done.returncode == 1
    assert "sudo apt-get install --no-install-recommends chromium fonts-liberation" in done.stderr


def test_with_it_only_what_is_missing_is_installed(bare_machine: Path) -> None:
    program(bare_machine / "id", "echo 0")
    program(bare_machine / "chromium")
    program(bare_machine / "apt-get", f'echo "$@" >>{bare_machine}/asked')
    done = set_up(bare_machine)
    assert (done.returncode, done.stderr) == (0, "- installing with apt-get: npm\n")
    update, install = (bare_machine / "asked").read_text().splitlines()
    assert update.endswith(" update")
    assert install.endswith(" --no-install-recommends npm")


def test_a_failed_installation_is_tried_again_and_then_told(bare_machine: Path) -> None:
    program(bare_machine / "id", "echo 0")
    program(
        bare_machine / "apt-get", f"echo tried >>{bare_machine}/asked; echo no mirror; exit 100"
    )
    done = set_up(bare_machine)
    assert done.returncode == 1
    assert "no mirror" in done.stderr
    assert (bare_machine / "asked").read_text() == "tried\ntried\n"


def test_with_everything_there_it_says_nothing(bare_machine: Path) -> None:
    for name in ("npm", "chromium"):
        program(bare_machine / name)
    done = set_up(bare_machine)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_make_alone_lists_every_word() -> None:
    makefile = (ROOT / "Makefile").read_text()
    words = set(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()) - {"programs"}
    done = subprocess.run(
        ["make", "--no-print-directory"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {line.split()[1] for line in done.stdout.splitlines()} == words


def test_no_address_of_a_package_index_is_written_down() -> None:
    for name in ("package-lock.json", "requirements/run.txt", "requirements/dev.txt"):
        text = (ROOT / name).read_text()
        assert not re.search(r'"resolved"|^(-i|--index-url|--extra-index-url)', text, re.MULTILINE)


def test_every_setting_is_in_the_example_with_its_default() -> None:
    shown = dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    defaults: dict[str, str] = {}
    for setting in SETTINGS:
        defaults[setting.name] = (setting.default or "").format(**defaults)
    assert shown == defaults


def test_the_example_unsets_nothing_that_has_a_default() -> None:
    filled_in = re.findall(r"^[A-Z_]+=(.*)$", EXAMPLE, re.MULTILINE)
    assert set(filled_in) == {""}


def test_a_test_that_hangs_fails_where_it_waits_and_the_others_go_on(tmp_path: Path) -> None:
    done = hanging(tmp_path, "-k", "not endless")
    assert "3 failed, 1 passed, 1 deselected" in done.stdout
    assert "Failed: It hung: 0.1 seconds were not enough." in done.stdout
    assert re.search(r"^> +await asyncio\.Event\(\)\.wait\(\)$", done.stdout, re.MULTILINE)
    stacks = done.stdout.partition("test_that_blocks_beside_a_thread")[2]
    assert re.search(r"^Thread .*^Current thread ", stacks, re.MULTILINE | re.DOTALL)


def test_a_fixture_that_hangs_ends_the_run_at_last(tmp_path: Path) -> None:
    done = hanging(tmp_path, "-k", "endless", "-o", "faulthandler_timeout=0.2")
    assert done.returncode == 1
    assert "Timeout (0:00:00.200000)!" in done.stderr
    assert re.search('test_hanging.py", line [0-9]+ in endless$', done.stderr, re.MULTILINE)
