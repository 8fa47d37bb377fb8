"""From bytes to a model, or a sentence about what is wrong with them."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from tests.houses import AS_SERVER

from .conftest import Site

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"canary", "The body is not valid JSON."),
        (b'{"state": "canary', "The body is not valid JSON."),
        (b'{"state": "\xff"}', "The body is not valid JSON."),
        (b'{"state": "\\ud800"}', "The body is not valid JSON."),
        (b"[" * 60_000, "The body is not valid JSON."),
        (b'["canary"]', "The body must be a JSON object."),
        (b"null", "The body must be a JSON object."),
        (b"{}", "state is missing."),
        (b'{"state": 7}', "state must be text, in quotes."),
        (b'{"state": ""}', "state is empty."),
        (b'{"state": "s", "code": " "}', "code is empty."),
        (b'{"state": "s\\u0000"}', "state holds a character that is not allowed."),
        (b'{"state": "s", "code": "' + b"c" * 3000 + b'"}', "code is longer than 2048 characters."),
    ],
)
async def test_what_is_wrong_is_told_by_name_and_never_repeated(
    site: Site, body: bytes, sentence: str
) -> None:
    answer = await site.call("POST", "/oauth/exchange", headers=JSON, data=body)
    assert (answer.status, answer.said["error"]) == (400, sentence)


async def test_every_field_that_is_wrong_is_told(site: Site) -> None:
    answer = await site.post("/oauth/exchange", code=1, auth_code=["canary"])
    assert answer.said["error"] == (
        "auth_code must be text, in quotes. code must be text, in quotes. state is missing."
    )


@pytest.mark.parametrize(
    "type", ["application/json; charset=UTF-8", "Application/JSON", "application/vnd.api+json"]
)
async def test_json_by_any_of_its_names_is_read(site: Site, type: str) -> None:
    headers = AS_SERVER | {"Content-Type": type}
    answer = await site.call("POST", "/tickets", headers=headers, data=b"{}")
    assert answer.said["error"] == "user_id is missing."


async def test_a_body_without_a_type_is_not_guessed_at(site: Site) -> None:
    answer = await site.call(
        "POST", "/oauth/exchange", data=b"{}", skip_auto_headers=["Content-Type"]
    )
    assert answer.status == 415


async def test_null_means_left_out(site: Site) -> None:
    answer = await site.post(
        "/oauth/start", site.user(), family=None, user_id=None, return_to=None, redirect_uri=None
    )
    assert answer.status == 200


async def test_a_body_that_is_not_what_its_headers_say_is_refused(site: Site) -> None:
    headers = JSON | {"Content-Encoding": "gzip"}
    answer = await site.call(
        "POST", "/oauth/exchange", headers=headers, data=b"canary" * 9, compress=False
    )
    assert (answer.status, answer.code) == (400, "invalid_request")


async def test_a_body_that_breaks_off_is_nobodys_fault_here(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    host, _, port = site.url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /oauth/exchange HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    while "status=400" not in caplog.text:
        await site.get("/healthz")
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


async def test_a_question_with_a_field_twice_takes_the_first(site: Site) -> None:
    answer: Any = await site.get("/connections?limit=1&limit=0", AS_SERVER)
    assert answer.status == 200
