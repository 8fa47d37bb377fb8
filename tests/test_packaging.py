"""The wheel: what it contains, and that its types are usable."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from .supabase_stack import ROOT

TYPED_PROGRAM = """
import asyncio

from aiohttp import web

from connector.app import Service
from connector.model import Connection, UserId
from connector.settings import Settings


async def active_connections(service: Service, user_id: UserId) -> list[Connection]:
    connections = service.store.list_connections(user_id=user_id)
    return [connection async for connection in connections if connection.is_active]


def application(environment: dict[str, str]) -> web.Application:
    return Service.build(Settings.read(environment, dotenv=None)).web_application()


async def main() -> None:
    async with Service.build(Settings.read({}, dotenv=None)) as service:
        for connection in await active_connections(service, UserId("somebody")):
            print(connection.expires_at)


if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.fixture(scope="module")
def unpacked_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [wheel] = directory.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory / "site")
    return directory / "site"


def test_the_wheel_contains_both_packages_and_the_sql(unpacked_wheel: Path) -> None:
    sql = {path.relative_to(ROOT / "sql") for path in (ROOT / "sql").rglob("*.sql")}
    packaged = unpacked_wheel / "connector" / "sql"
    assert {path.relative_to(packaged) for path in packaged.rglob("*.sql")} == sql
    for file in (
        "connector/py.typed",
        "connector/store/sqlite/schema.sql",
        "connector/web/static/connect.html",
        "connector/web/static/css/base.css",
        "tiktok_simulator/py.typed",
        "tiktok_simulator/static/consent.html",
    ):
        assert (unpacked_wheel / file).exists()
    assert not (unpacked_wheel / "tests").exists()


def test_a_typed_program_against_the_package_passes_mypy_strict(
    unpacked_wheel: Path, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(TYPED_PROGRAM)
    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--follow-imports=silent",
            "--config-file=",
            str(program),
        ],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(unpacked_wheel)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
