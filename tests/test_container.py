"""What can be known of the container without a container engine.

Not checked here: that the image builds, that it starts, and that Compose accepts the file. The first
`docker compose up --build` on a machine with Docker shows all three.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.settings import SETTINGS
from connector.simulator.app import WORLD, build, serving

from .stack import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
FINAL_STAGE = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())[
    "services"
]
TRY = SERVICES["try"]["environment"]
SETTING_NAMES = {name for setting in SETTINGS for name in setting.names}


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    done = subprocess.run(
        [hadolint, "--no-color", "Dockerfile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


def test_the_base_is_pinned_to_a_patch_release() -> None:
    assert re.search(r"^ARG PYTHON=3\.\d+\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"python:${PYTHON}"}


def test_the_final_image_is_for_running_only_and_not_as_root() -> None:
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", FINAL_STAGE, re.MULTILINE)
    assert "pip uninstall --yes pip" in FINAL_STAGE
    assert not re.search(r"pip install|apt-get", FINAL_STAGE)


def test_packages_are_installed_by_hash_from_the_lock_of_the_service() -> None:
    assert "--require-hashes --requirement /requirements.txt" in DOCKERFILE
    assert "COPY requirements/run.txt /requirements.txt" in DOCKERFILE


def test_only_what_is_copied_reaches_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    copied = re.findall(r"^COPY ([^-]\S*)", DOCKERFILE, re.MULTILINE)
    assert patterns[0] == "*"
    assert sorted(patterns[1 : len(copied) + 1]) == sorted(f"!{path}" for path in copied)
    taken_back = patterns[len(copied) + 1 :]
    assert {"**/.env*", "**/*.db*", "**/*.journal*", "**/*.keys"} <= set(taken_back)
    assert not any(pattern.startswith("!") for pattern in taken_back)


def test_everything_the_dockerfile_copies_exists() -> None:
    for path in re.findall(r"^COPY ([^-]\S*)", DOCKERFILE, re.MULTILINE):
        assert (ROOT / path).exists(), path


def test_the_image_and_compose_set_only_what_is_a_setting() -> None:
    in_image = set(re.findall(r"\b(CONNECTOR_[A-Z]+)=", FINAL_STAGE))
    assert in_image
    assert in_image | set(TRY) <= SETTING_NAMES


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_locked_down(name: str) -> None:
    service = SERVICES[name]
    assert service["build"] == "."
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_port_is_published_on_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


def test_only_the_service_itself_starts_unasked() -> None:
    assert [name for name, service in SERVICES.items() if "profiles" not in service] == [
        "connector"
    ]


def test_trying_it_the_service_and_the_browser_reach_the_same_simulator() -> None:
    _, outside, inside = SERVICES["simulator"]["ports"][0].rsplit(":", 2)
    assert SERVICES["simulator"]["command"] == ["simulator", "--host", "0.0.0.0", "--port", inside]
    for name in ("TIKTOK_BUSINESS_API_URL", "TIKTOK_OPEN_API_URL"):
        assert TRY[name] == f"http://simulator:{inside}"
    for name in ("TIKTOK_BUSINESS_CONSENT_URL", "TIKTOK_CONSENT_URL"):
        assert TRY[name].startswith(f"http://localhost:{outside}/")
    assert TRY["CONNECTOR_PUBLIC_URL"].split(":")[-1] == SERVICES["try"]["ports"][0].split(":")[1]


async def test_trying_it_the_simulator_learns_the_credentials_of_the_service() -> None:
    simulator = build()
    (program,) = SERVICES["register"]["command"]
    async with serving(simulator) as origin:
        here = program.replace("http://simulator:8090", origin)
        registering = await asyncio.create_subprocess_exec(sys.executable, "-c", here)
        assert await registering.wait() == 0
    registered = {app.id: app.secret for app in simulator[WORLD].apps.values()}
    assert registered == {
        TRY["TIKTOK_APP_ID"]: TRY["TIKTOK_APP_SECRET"],
        TRY["TIKTOK_CLIENT_KEY"]: TRY["TIKTOK_CLIENT_SECRET"],
    }
