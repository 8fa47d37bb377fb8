"""Signatures of Standard Webhooks."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from connector.events.signing import (
    SECRET_BYTES,
    InvalidSecret,
    new_secret,
    parse_secret,
    signed_headers,
)

SECRET = SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
MESSAGE_ID, TIMESTAMP = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_example_of_the_specification_has_the_documented_signature() -> None:
    headers = signed_headers(
        [parse_secret(SECRET)], message_id=MESSAGE_ID, timestamp=TIMESTAMP, body=BODY
    )
    assert headers == {
        "webhook-id": MESSAGE_ID,
        "webhook-timestamp": str(TIMESTAMP),
        "webhook-signature": SIGNATURE,
    }


def test_two_secrets_give_two_signatures() -> None:
    keys = [parse_secret(new_secret()), parse_secret(SECRET)]
    headers = signed_headers(keys, message_id=MESSAGE_ID, timestamp=TIMESTAMP, body=BODY)
    first, second = headers["webhook-signature"].split(" ")
    assert first.startswith("v1,")
    assert second == SIGNATURE


def test_a_new_secret_has_32_random_bytes() -> None:
    first, second = new_secret(), new_secret()
    assert len(parse_secret(first)) == SECRET_BYTES
    assert first != second


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "does not start with whsec_"),
        ("whsec_", "0 bytes"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!", "not base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "not base64"),
        ("whsec_c2hvcnQ=", "5 bytes"),
        ("whsec_" + "QUFB" * 22, "66 bytes"),
    ],
)
def test_another_text_is_no_secret_and_is_not_repeated(text: str, problem: str) -> None:
    with pytest.raises(InvalidSecret, match=problem) as caught:
        parse_secret(SecretStr(text))
    assert text.removeprefix("whsec_") == "" or text not in str(caught.value)
