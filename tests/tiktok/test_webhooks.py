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

from connector.errors import ClientError, Unauthenticated
from connector.tiktok import Webhook, verify_webhook

from .responses import property_settings

APP = "bwo2m45353a6k85"
SECRETS = {"7100": SecretStr("another"), APP: SecretStr("test_client_secret")}
SIGNED_AT = datetime.fromtimestamp(1633174587, UTC)
BODY = (
    b'{"client_key":"bwo2m45353a6k85","event":"authorization.removed","create_time":1615338610,'
    b'"user_openid":"act.example12345Example12345Example","content":"{\\"reason\\": 1 }"}'
)
HEX = "39c29244091b6bb0d67eca735a97218805842b7c8cea52dde8296f6c0c36ae09"
HEADER = f"t=1633174587,s={HEX}"


def verify(
    body: bytes = BODY, *, signature: str | None = HEADER, now: datetime = SIGNED_AT
) -> Webhook:
    return verify_webhook(body, signature=signature, secrets=SECRETS, now=now)


def sign(body: bytes, *, secret: str = "test_client_secret", timestamp: int = 1633174587) -> str:
    digest = hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256)
    return f"t={timestamp},s={digest.hexdigest()}"


def verify_signed(**fields: object) -> Webhook:
    body = json.dumps({"client_key": APP, **fields}).encode()
    return verify(body, signature=sign(body))


def removed(**fields: object) -> Webhook:
    return verify_signed(event="authorization.removed", content=json.dumps(fields))


def test_the_documented_example_is_accepted_a_second_after_it_was_signed() -> None:
    assert verify(now=SIGNED_AT + timedelta(seconds=1)) == Webhook(
        digest=hashlib.sha256(APP.encode() + BODY).hexdigest(),
        app=APP,
        event="authorization.removed",
        created_at=datetime.fromtimestamp(1615338610, UTC),
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
    assert verify(signature=header).event == "authorization.removed"


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
        verify(signature=header)


@pytest.mark.parametrize("position", range(0, len(BODY), 7))
def test_a_webhook_with_one_changed_byte_is_rejected(position: int) -> None:
    changed = bytes([*BODY[:position], BODY[position] ^ 1, *BODY[position + 1 :]])
    with pytest.raises(Unauthenticated):
        verify(changed)


def test_a_webhook_signed_with_the_secret_of_another_app_is_rejected() -> None:
    with pytest.raises(Unauthenticated):
        verify(signature=sign(BODY, secret="another"))


def test_a_webhook_of_an_app_that_is_not_configured_is_rejected() -> None:
    body = BODY.replace(APP.encode(), b"somebody-else")
    with pytest.raises(Unauthenticated):
        verify(body, signature=sign(body))


@pytest.mark.parametrize("client_key", [7100, "7100"])
def test_the_app_may_be_named_by_a_number_or_by_text(client_key: object) -> None:
    body = json.dumps({"client_key": client_key, "event": "comment.update"}).encode()
    assert verify(body, signature=sign(body, secret="another")).app == "7100"


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"\xff", b"[]", b'{"event":"x","client_key":[]}']
)
@pytest.mark.parametrize(("app", "secret"), [("7100", "another"), (APP, "test_client_secret")])
def test_a_body_without_a_readable_app_belongs_to_the_app_that_signed_it(
    body: bytes, app: str, secret: str
) -> None:
    assert verify(body, signature=sign(body, secret=secret)).app == app


def test_a_signature_made_with_an_empty_secret_is_rejected() -> None:
    with pytest.raises(Unauthenticated):
        verify_webhook(
            BODY,
            signature=sign(BODY, secret=""),
            secrets={APP: SecretStr("")},
            now=SIGNED_AT,
        )


@pytest.mark.parametrize("age", [timedelta(hours=73), timedelta(hours=71), -timedelta(minutes=5)])
def test_a_signature_up_to_73_hours_old_or_5_minutes_ahead_is_accepted(age: timedelta) -> None:
    assert verify(now=SIGNED_AT + age).app == APP


@pytest.mark.parametrize("age", [timedelta(hours=73, seconds=1), -timedelta(minutes=5, seconds=1)])
def test_a_valid_signature_that_is_older_or_further_ahead_is_rejected(age: timedelta) -> None:
    with pytest.raises(Unauthenticated, match="clock"):
        verify(now=SIGNED_AT + age)


def test_a_repetition_that_is_signed_anew_has_the_same_digest() -> None:
    later = sign(BODY, timestamp=1633174587 + 60)
    assert verify(signature=later).digest == verify().digest


def test_an_event_that_concerns_no_person_has_no_tiktok_user_id() -> None:
    webhook = verify_signed(event="portability.download.ready", content='{"request_id":7}')
    assert webhook.tiktok_user_id is None
    assert webhook.created_at is None


def test_ids_beyond_2_53_keep_their_digits() -> None:
    webhook = verify_signed(
        event="post.publish.complete",
        user_openid=9007199254740993,
        content='{"publish_id":9007199254740995,"post_id":9007199254740997}',
    )
    assert webhook.tiktok_user_id == "9007199254740993"
    assert webhook.content == {"publish_id": 9007199254740995, "post_id": 9007199254740997}


def test_content_that_is_an_object_itself_is_accepted() -> None:
    assert verify_signed(event="comment.update", content={"id": 7}).content == {"id": 7}


@pytest.mark.parametrize(
    ("content", "reason", "message"),
    [
        ({"reason": 0}, 0, "TikTok withdrew the access."),
        ({"reason": 1}, 1, "The person disconnected the app in TikTok."),
        ({"reason": "2"}, 2, "The TikTok account was deleted."),
        ({"reason": 3}, 3, "The account's age was changed."),
        ({"reason": 4}, 4, "The account was banned."),
        ({"reason": 5}, 5, "The app revoked the access."),
        ({"reason": 99}, 99, "TikTok withdrew the access."),
        ({"reason": 10**30}, None, "TikTok withdrew the access."),
        ({"reason": True}, None, "TikTok withdrew the access."),
        ({"reason": "none"}, None, "TikTok withdrew the access."),
        ({}, None, "TikTok withdrew the access."),
    ],
)
def test_the_reason_of_a_removed_authorization_has_a_sentence(
    content: dict[str, object], reason: int | None, message: str
) -> None:
    webhook = removed(**content)
    assert (webhook.reason, webhook.message) == (reason, message)


def test_the_reason_of_a_failed_post_is_not_the_reason_of_a_removed_authorization() -> None:
    webhook = verify_signed(event="post.publish.failed", content='{"reason":"5"}')
    assert (webhook.reason, webhook.message) == (None, "")


@pytest.mark.parametrize(
    "content",
    ["", "no json", "[]", '"\\ud800"', '{"n":1e999}', '{"a":' * 40 + "0" + "}" * 40, None, 7, []],
)
def test_content_that_is_not_an_object_or_cannot_be_stored_is_empty(content: object) -> None:
    webhook = verify_signed(event="comment.update", content=content)
    assert (webhook.event, webhook.content) == ("comment.update", {})


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"event": 7}', b"\xff", b'{"event":""}', b'{"event":"a b"}'],
)
def test_a_signed_body_without_an_event_is_unreadable(body: bytes) -> None:
    webhook = verify(body, signature=sign(body))
    assert webhook == Webhook(digest=hashlib.sha256(APP.encode() + body).hexdigest(), app=APP)
    assert webhook.is_unreadable


@property_settings
@given(body=st.binary(max_size=200), header=st.none() | st.text(max_size=200))
def test_any_unsigned_body_with_any_header_is_rejected(body: bytes, header: str | None) -> None:
    with pytest.raises(ClientError):
        verify(body, signature=header)


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
        assert isinstance(verify(body, signature=sign(body)), Webhook)
