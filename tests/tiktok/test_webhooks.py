"""Webhooks: the signature is verified first, then its age, then the event is parsed."""

from __future__ import annotations

import hashlib
import hmac
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from connector.errors import ClientError, InvalidRequest, Unauthenticated
from connector.model import WebhookEvent
from connector.tiktok import webhooks

from .responses import property_settings

SECRET = SecretStr("test_client_secret")
SIGNED_AT = datetime.fromtimestamp(1633174587, UTC)
BODY = (
    b'{"client_key":"bwo2m45353a6k85","event":"authorization.removed","create_time":1615338610,'
    b'"user_openid":"act.example12345Example12345Example","content":"{\\"reason\\": 1 }"}'
)
HEX = "39c29244091b6bb0d67eca735a97218805842b7c8cea52dde8296f6c0c36ae09"
HEADER = f"t=1633174587,s={HEX}"


def verify_and_parse(
    body: bytes = BODY, *, signature: str | None = HEADER, now: datetime = SIGNED_AT
) -> WebhookEvent:
    secrets = [SecretStr("another"), SECRET]
    return webhooks.verify_and_parse(body, signature=signature, secrets=secrets, now=now)


def sign(body: bytes, timestamp: int = 1633174587) -> str:
    digest = hmac.new(b"test_client_secret", b"%d." % timestamp + body, hashlib.sha256)
    return f"t={timestamp},s={digest.hexdigest()}"


def test_the_event_of_a_signed_webhook_is_parsed_with_its_content() -> None:
    assert verify_and_parse() == WebhookEvent(
        event="authorization.removed",
        at=datetime.fromtimestamp(1615338610, UTC),
        app_id="bwo2m45353a6k85",
        tiktok_user_id="act.example12345Example12345Example",
        content={"reason": 1},
    )


@pytest.mark.parametrize(
    "header",
    [
        f"s={HEX},t=1633174587",
        f"T=1633174587, S={HEX.upper()}",
        f" t = 1633174587 , s = {HEX} ",
        f"t=1633174587,s={'0' * 64},s={HEX}",
        f"t=1633174587,v=2,s={HEX}",
    ],
)
def test_a_signature_header_may_differ_in_order_case_and_spacing(header: str) -> None:
    assert verify_and_parse(signature=header).event == "authorization.removed"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "t=1633174587",
        f"s={HEX}",
        f"t=,s={HEX}",
        f"t=1633174588,s={HEX}",
        f"t=01633174587,s={HEX}",
        f"t=1633174587,t=1633174587,s={HEX}",
        f"t=-1633174587,s={HEX}",
        f"t=١٦٣٣١٧٤٥٨٧,s={HEX}",
        f"t={'9' * 30},s={HEX}",
        f"t=1633174587,s={HEX[:-1]}",
        "t=1633174587,s=ü\udcff",
        f"t=1633174587,{f's={HEX[::-1]},' * 50}s={HEX}",
    ],
)
def test_a_webhook_with_a_missing_malformed_or_wrong_signature_is_rejected(
    header: str | None,
) -> None:
    with pytest.raises(Unauthenticated):
        verify_and_parse(signature=header)


def test_a_webhook_with_one_changed_byte_is_rejected() -> None:
    with pytest.raises(Unauthenticated):
        verify_and_parse(BODY.replace(b"removed", b"remoued"))


def test_a_signature_made_with_an_empty_secret_is_rejected() -> None:
    forged = hmac.new(b"", b"1633174587." + BODY, hashlib.sha256).hexdigest()
    with pytest.raises(Unauthenticated):
        webhooks.verify_and_parse(
            BODY, signature=f"t=1633174587,s={forged}", secrets=[SecretStr("")], now=SIGNED_AT
        )


@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_signature_up_to_five_minutes_old_or_ahead_is_accepted(seconds: int) -> None:
    event = verify_and_parse(now=SIGNED_AT + timedelta(seconds=seconds))
    assert event.app_id == "bwo2m45353a6k85"


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_valid_signature_more_than_five_minutes_old_or_ahead_is_rejected(seconds: int) -> None:
    with pytest.raises(Unauthenticated, match="clock"):
        verify_and_parse(now=SIGNED_AT + timedelta(seconds=seconds))


def test_an_event_that_concerns_no_person_has_no_tiktok_user_id() -> None:
    body = b'{"client_key":7100,"event":"portability.download.ready","content":"{\\"request_id\\":9007199254740993}"}'
    event = verify_and_parse(body, signature=sign(body))
    assert event.tiktok_user_id is None
    assert event.app_id == "7100"
    assert event.content == {"request_id": 9007199254740993}
    assert event.at == SIGNED_AT


@pytest.mark.parametrize("content", ["", "no json", "[]", '"\\ud800"', None, 7, []])
def test_an_event_whose_content_is_not_an_object_has_empty_content(content: object) -> None:
    body = json.dumps({"event": "authorization.removed", "content": content}).encode()
    assert verify_and_parse(body, signature=sign(body)).content == {}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"event": 7}', b"\xff"])
def test_a_correctly_signed_body_without_an_event_is_an_invalid_request(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        verify_and_parse(body, signature=sign(body))


@property_settings
@given(body=st.binary(max_size=200), header=st.none() | st.text(max_size=200))
def test_any_unsigned_body_with_any_header_is_rejected(body: bytes, header: str | None) -> None:
    with pytest.raises(ClientError):
        verify_and_parse(body, signature=header)


@property_settings
@given(
    st.dictionaries(
        st.sampled_from(["event", "client_key", "create_time", "user_openid", "content"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    )
)
def test_any_signed_json_object_is_parsed_or_rejected(fields: dict[str, object]) -> None:
    body = json.dumps(fields).encode()
    with suppress(ClientError):
        assert isinstance(verify_and_parse(body, signature=sign(body)), WebhookEvent)
