"""Webhooks: the signature first, then the age, then what it says."""

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

from connector.errors import InvalidRequest, Refused, Unauthenticated
from connector.model import Notice
from connector.tiktok import notices

from .answers import unhurried

SECRET = SecretStr("test_client_secret")
SIGNED_AT = datetime.fromtimestamp(1633174587, UTC)
BODY = (
    b'{"client_key":"bwo2m45353a6k85","event":"authorization.removed","create_time":1615338610,'
    b'"user_openid":"act.example12345Example12345Example","content":"{\\"reason\\": 1 }"}'
)
HEX = "39c29244091b6bb0d67eca735a97218805842b7c8cea52dde8296f6c0c36ae09"
HEADER = f"t=1633174587,s={HEX}"


def read(
    body: bytes = BODY, *, signature: str | None = HEADER, now: datetime = SIGNED_AT
) -> Notice:
    return notices.read(body, signature=signature, secrets=[SecretStr("another"), SECRET], now=now)


def signed(body: bytes, at: int = 1633174587) -> str:
    digest = hmac.new(b"test_client_secret", b"%d." % at + body, hashlib.sha256)
    return f"t={at},s={digest.hexdigest()}"


def test_the_notice_inside_is_told_and_its_content_parsed_once_more() -> None:
    assert read() == Notice(
        event="authorization.removed",
        at=datetime.fromtimestamp(1615338610, UTC),
        client="bwo2m45353a6k85",
        subject="act.example12345Example12345Example",
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
def test_a_signature_may_be_spelt_in_several_ways(header: str) -> None:
    assert read(signature=header).event == "authorization.removed"


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
def test_anything_else_is_no_signature(header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        read(signature=header)


def test_one_changed_byte_is_noticed() -> None:
    with pytest.raises(Unauthenticated):
        read(BODY.replace(b"removed", b"remoued"))


def test_an_empty_secret_signs_nothing() -> None:
    forged = hmac.new(b"", b"1633174587." + BODY, hashlib.sha256).hexdigest()
    with pytest.raises(Unauthenticated):
        notices.read(
            BODY, signature=f"t=1633174587,s={forged}", secrets=[SecretStr("")], now=SIGNED_AT
        )


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_either_way_are_allowed(seconds: int) -> None:
    assert read(now=SIGNED_AT + timedelta(seconds=seconds)).client == "bwo2m45353a6k85"


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_signature_is_refused_though_it_is_genuine(seconds: int) -> None:
    with pytest.raises(Unauthenticated, match="clock"):
        read(now=SIGNED_AT + timedelta(seconds=seconds))


def test_a_notice_about_nobody_in_particular_has_no_subject() -> None:
    body = b'{"client_key":7100,"event":"portability.download.ready","content":"{\\"request_id\\":9007199254740993}"}'
    notice = read(body, signature=signed(body))
    assert notice.subject is None
    assert notice.client == "7100"
    assert notice.content == {"request_id": 9007199254740993}
    assert notice.at == SIGNED_AT


@pytest.mark.parametrize("content", ["", "no json", "[]", '"\\ud800"', None, 7, []])
def test_content_that_is_no_object_does_not_hide_the_event(content: object) -> None:
    body = json.dumps({"event": "authorization.removed", "content": content}).encode()
    assert read(body, signature=signed(body)).content == {}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"event": 7}', b"\xff"])
def test_a_genuine_signature_over_no_notice_is_an_invalid_request(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(body, signature=signed(body))


@unhurried
@given(body=st.binary(max_size=200), header=st.none() | st.text(max_size=200))
def test_whatever_a_stranger_sends_is_refused(body: bytes, header: str | None) -> None:
    with pytest.raises(Refused):
        read(body, signature=header)


@unhurried
@given(
    st.dictionaries(
        st.sampled_from(["event", "client_key", "create_time", "user_openid", "content"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    )
)
def test_whatever_is_signed_is_a_notice_or_refused(fields: dict[str, object]) -> None:
    body = json.dumps(fields).encode()
    with suppress(Refused):
        assert isinstance(read(body, signature=signed(body)), Notice)
