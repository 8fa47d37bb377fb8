"""A body becomes a request model, or an error that names the fields and never repeats the input."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.running_service import AS_SERVER

from .conftest import Harness

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "message"),
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
        (b'{"state": "s\\u0000"}', "state contains a character that is not allowed."),
        (b'{"state": "s", "code": "' + b"c" * 3000 + b'"}', "code is longer than 2048 characters."),
    ],
)
async def test_an_invalid_body_is_rejected_with_a_message_that_does_not_repeat_it(
    harness: Harness, body: bytes, message: str
) -> None:
    response = await harness.call("POST", "/oauth/exchange", headers=JSON, data=body)
    assert (response.status, response.json["error"]) == (400, message)


async def test_every_invalid_field_is_named_in_the_error(harness: Harness) -> None:
    response = await harness.post("/oauth/exchange", code=1, auth_code=["canary"])
    assert response.json["error"] == (
        "auth_code must be text, in quotes. code must be text, in quotes. state is missing."
    )


@pytest.mark.parametrize(
    "media_type",
    ["application/json; charset=UTF-8", "Application/JSON", "application/vnd.api+json"],
)
async def test_each_json_media_type_is_accepted(harness: Harness, media_type: str) -> None:
    headers = AS_SERVER | {"Content-Type": media_type}
    response = await harness.call("POST", "/tickets", headers=headers, data=b"{}")
    assert response.json["error"] == "user_id is missing."


async def test_a_body_without_a_media_type_is_rejected(harness: Harness) -> None:
    response = await harness.call(
        "POST", "/oauth/exchange", data=b"{}", skip_auto_headers=["Content-Type"]
    )
    assert response.status == 415


async def test_a_field_that_is_null_counts_as_missing(harness: Harness) -> None:
    response = await harness.post(
        "/oauth/start",
        harness.as_user(),
        family=None,
        user_id=None,
        return_to=None,
        redirect_uri=None,
    )
    assert response.status == 200


async def test_a_body_that_does_not_match_its_content_encoding_is_rejected(
    harness: Harness,
) -> None:
    headers = JSON | {"Content-Encoding": "gzip"}
    response = await harness.call(
        "POST", "/oauth/exchange", headers=headers, data=b"canary" * 9, compress=False
    )
    assert (response.status, response.code) == (400, "invalid_request")


async def test_a_body_that_ends_too_early_is_rejected_without_a_warning_in_the_log(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    host, _, port = harness.url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /oauth/exchange HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    while "status=400" not in caplog.text:
        await harness.get("/healthz")
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


async def test_the_first_value_of_a_repeated_query_parameter_is_used(harness: Harness) -> None:
    response = await harness.get("/connections?limit=1&limit=0", AS_SERVER)
    assert response.status == 200
