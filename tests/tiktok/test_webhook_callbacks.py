"""The calls that configure where TikTok sends the webhooks of an Accounts app."""

from __future__ import annotations

import pytest

from connector.errors import ConfigurationError, TikTokRefused
from connector.tiktok import delete_callback_call, get_callback_call, set_callback_call

from .responses import ACCOUNTS, business_error, json_body, query_of, response

APP = ACCOUNTS.app
PARAMETERS = {"app_id": "7100", "secret": "fake-app-secret", "event_type": "VIDEO"}
URL = "https://connector.example.com/webhooks/tiktok"
BASE = "https://business.test/open_api/v1.3/business/webhook"


def test_the_callback_of_an_event_type_is_set_with_the_apps_credentials_and_no_token() -> None:
    request = set_callback_call(APP, event_type="VIDEO", url=URL).request
    assert (request.method, request.url) == ("POST", f"{BASE}/update/")
    assert json_body(request) == {**PARAMETERS, "callback_url": URL}
    assert request.headers == {"Content-Type": "application/json"}


def test_the_callback_of_an_event_type_is_deleted_with_a_post() -> None:
    request = delete_callback_call(APP, event_type="VIDEO").request
    assert (request.method, request.url) == ("POST", f"{BASE}/delete/")
    assert json_body(request) == PARAMETERS


def test_the_callback_is_read_with_the_parameters_in_the_query() -> None:
    request = get_callback_call(APP, event_type="VIDEO").request
    assert (request.method, request.url.partition("?")[0]) == ("GET", f"{BASE}/list/")
    assert query_of(request.url) == PARAMETERS


@pytest.mark.parametrize(
    ("data", "url"),
    [
        ({"app_id": "7100", "event_type": "VIDEO", "callback_url": URL}, URL),
        ({"app_id": "7100", "event_type": "VIDEO"}, None),
        ({"callback_url": ""}, None),
        ({"callback_url": None}, None),
    ],
)
def test_a_response_without_an_address_means_that_none_is_set(
    data: dict[str, object], url: str | None
) -> None:
    call = get_callback_call(APP, event_type="VIDEO")
    assert call.parse(response({"code": 0, "message": "OK", "data": data})) == url


def test_a_refusal_does_not_repeat_the_secret() -> None:
    call = set_callback_call(APP, event_type="VIDEO", url=URL)
    with pytest.raises(TikTokRefused) as raised:
        call.parse(business_error(40002, "secret fake-app-secret: is not valid"))
    assert raised.value.upstream is not None
    assert "fake-app-secret" not in raised.value.upstream.message


def test_a_wrong_secret_is_the_operators_fault() -> None:
    call = get_callback_call(APP, event_type="VIDEO")
    with pytest.raises(ConfigurationError):
        call.parse(business_error(40113, "The secret is incorrect."))
