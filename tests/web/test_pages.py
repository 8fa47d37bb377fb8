"""The pages and what they are made of, as a browser asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.web.pages import FOLDER, TYPES, files
from tests.houses import AS_SERVER

from .conftest import Site


@pytest.mark.parametrize("path", ["/connect", "/status", "/oauth/callback?code=c&state=s", "/docs"])
async def test_a_page_lets_nothing_in_that_is_not_ours(site: Site, path: str) -> None:
    answer = await site.get(path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http://" not in answer.text.replace("http://www.w3.org", "")
    assert "<style" not in answer.text
    assert " style=" not in answer.text


async def test_whoever_comes_to_the_door_is_shown_in(site: Site) -> None:
    answer = await site.get("/")
    assert (answer.status, answer.headers["Location"]) == (302, "/connect")


async def test_what_did_not_change_is_not_sent_again(site: Site) -> None:
    first = await site.get("/connect")
    again = await site.get("/connect", {"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.text) == (304, "")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert (await site.get("/connect", {"If-None-Match": '"another"'})).status == 200


async def test_every_file_has_a_type_that_no_browser_guesses(site: Site) -> None:
    assert {path.name for path in FOLDER.iterdir()} == files().keys()
    for name, file in files().items():
        answer = await site.get(f"/static/{name}")
        assert answer.status == 200
        assert answer.headers["Content-Type"].partition(";")[0] == file.type
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "name", ["../pages.py", "..%2Fpages.py", "%2e%2e/pages.py", "%2Fetc%2Fpasswd", ".", "keys.py"]
)
async def test_nothing_else_is_served(site: Site, name: str) -> None:
    assert (await site.get(f"/static/{name}", AS_SERVER)).status == 404


def test_only_known_kinds_of_files_are_taken_up(tmp_path: Path) -> None:
    for name in ("page.html", "notes.txt", ".hidden", "folder.d"):
        (tmp_path / name).write_text("x")
    assert files(tmp_path).keys() == {"page.html"}
    assert files(tmp_path / "missing") == {}
    assert all(suffix.startswith(".") for suffix in TYPES)
