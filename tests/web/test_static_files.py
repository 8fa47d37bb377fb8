"""The pages and their parts, as a browser loads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.web.static_files import CONTENT_TYPES, FOLDER, load_static_files
from tests.running_service import AS_SERVER

from .conftest import Harness


@pytest.mark.parametrize("path", ["/connect", "/status", "/oauth/callback?code=c&state=s", "/docs"])
async def test_a_page_loads_nothing_from_other_origins(harness: Harness, path: str) -> None:
    response = await harness.get(path)
    assert (response.status, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http://" not in response.text.replace("http://www.w3.org", "")
    assert "<style" not in response.text
    assert " style=" not in response.text


async def test_the_root_redirects_to_the_connect_page(harness: Harness) -> None:
    response = await harness.get("/")
    assert (response.status, response.headers["Location"]) == (302, "/connect")


async def test_an_unchanged_page_is_not_sent_again(harness: Harness) -> None:
    first = await harness.get("/connect")
    again = await harness.get("/connect", {"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.text) == (304, "")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert (await harness.get("/connect", {"If-None-Match": '"another"'})).status == 200


async def test_each_static_file_is_served_with_its_content_type(harness: Harness) -> None:
    paths = [path for path in FOLDER.rglob("*") if path.is_file()]
    files = load_static_files()
    assert {path.relative_to(FOLDER).as_posix() for path in paths} == files.keys()
    for name, file in files.items():
        response = await harness.get(f"/static/{name}")
        assert response.status == 200
        assert response.headers["Content-Type"].partition(";")[0] == file.content_type
        assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "name",
    ["../routes.py", "..%2Froutes.py", "%2e%2e/routes.py", "%2Fetc%2Fpasswd", ".", "routes.py"],
)
async def test_a_file_outside_the_static_folder_is_not_served(harness: Harness, name: str) -> None:
    assert (await harness.get(f"/static/{name}", AS_SERVER)).status == 404


def test_only_files_with_a_known_content_type_are_loaded(tmp_path: Path) -> None:
    for name in ("page.html", "notes.txt", ".hidden", "folder.d"):
        (tmp_path / name).write_text("x")
    assert load_static_files(tmp_path).keys() == {"page.html"}
    assert load_static_files(tmp_path / "missing") == {}
    assert all(suffix.startswith(".") for suffix in CONTENT_TYPES)
