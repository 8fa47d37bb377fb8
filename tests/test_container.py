"""Checks of the Dockerfile and of compose.yaml that need no container engine.

They do not show that the image builds, that a container starts, or that Compose accepts the file:
`docker compose up --build` on a machine with Docker does.
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
from tiktok_simulator import STATE, build_simulator, serve_application

from .supabase_stack import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
FINAL_STAGE = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())[
    "services"
]
TRY_ENVIRONMENT = SERVICES["try"]["environment"]
SETTING_NAMES = {name for setting in SETTINGS for name in setting.names}


def test_hadolint_reports_nothing() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    result = subprocess.run(
        [hadolint, "--no-color", "Dockerfile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stdout + result.stderr, result.returncode) == ("", 0)


def test_the_base_image_is_pinned_to_a_patch_release() -> None:
    assert re.search(r"^ARG PYTHON=3\.\d+\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"python:${PYTHON}"}


def test_the_final_image_has_no_pip_and_does_not_run_as_root() -> None:
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", FINAL_STAGE, re.MULTILINE)
    assert "pip uninstall --yes pip" in FINAL_STAGE
    assert not re.search(r"pip install|apt-get", FINAL_STAGE)


def test_packages_are_installed_by_hash_from_the_lock_file() -> None:
    assert "--require-hashes --requirement /requirements.txt" in DOCKERFILE
    assert "COPY requirements/run.txt /requirements.txt" in DOCKERFILE


def test_only_the_copied_paths_are_in_the_build_context() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    copied = re.findall(r"^COPY ([^-]\S*)", DOCKERFILE, re.MULTILINE)
    assert patterns[0] == "*"
    assert sorted(patterns[1 : len(copied) + 1]) == sorted(f"!{path}" for path in copied)
    excluded = patterns[len(copied) + 1 :]
    assert {"**/.env*", "**/*.db*", "**/*.journal*", "**/*.keys"} <= set(excluded)
    assert not any(pattern.startswith("!") for pattern in excluded)


def test_everything_the_dockerfile_copies_exists() -> None:
    for path in re.findall(r"^COPY ([^-]\S*)", DOCKERFILE, re.MULTILINE):
        assert (ROOT / path).exists(), path


def test_the_image_and_compose_set_only_existing_settings() -> None:
    in_image = set(re.findall(r"\b(CONNECTOR_[A-Z]+)=", FINAL_STAGE))
    assert in_image
    assert in_image | set(TRY_ENVIRONMENT) <= SETTING_NAMES


@pytest.mark.parametrize("name", SERVICES)
def test_every_compose_service_runs_with_minimal_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["build"] == "."
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_port_is_published_on_loopback_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


def test_compose_starts_only_the_service_without_a_profile() -> None:
    assert [name for name, service in SERVICES.items() if "profiles" not in service] == [
        "connector"
    ]


def test_the_service_and_the_browser_use_the_same_simulator_in_the_try_profile() -> None:
    _, host_port, container_port = SERVICES["simulator"]["ports"][0].rsplit(":", 2)
    assert SERVICES["simulator"]["command"] == [
        "simulator",
        "--host",
        "0.0.0.0",
        "--port",
        container_port,
    ]
    for name in ("TIKTOK_BUSINESS_API_URL", "TIKTOK_OPEN_API_URL"):
        assert TRY_ENVIRONMENT[name] == f"http://simulator:{container_port}"
    for name in ("TIKTOK_BUSINESS_CONSENT_URL", "TIKTOK_CONSENT_URL"):
        assert TRY_ENVIRONMENT[name].startswith(f"http://localhost:{host_port}/")
    assert (
        TRY_ENVIRONMENT["CONNECTOR_PUBLIC_URL"].split(":")[-1]
        == SERVICES["try"]["ports"][0].split(":")[1]
    )


async def test_the_credentials_of_the_try_profile_are_registered_at_the_simulator() -> None:
    simulator = build_simulator()
    (script,) = SERVICES["register"]["command"]
    async with serve_application(simulator) as origin:
        local_script = script.replace("http://simulator:8090", origin)
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", local_script)
        assert await process.wait() == 0
    registered = {app.id: app.secret for app in simulator[STATE].apps.values()}
    assert registered == {
        TRY_ENVIRONMENT["TIKTOK_APP_ID"]: TRY_ENVIRONMENT["TIKTOK_APP_SECRET"],
        TRY_ENVIRONMENT["TIKTOK_CLIENT_KEY"]: TRY_ENVIRONMENT["TIKTOK_CLIENT_SECRET"],
    }
