"""Only a permanent reply is stored, and each further POST gets the same reply."""

from __future__ import annotations

import json

import pytest

from connector.errors import (
    AccessTokenRejected,
    Busy,
    CodeSpent,
    ConfigurationError,
    ConnectorError,
    JournalUnwritable,
    NoAdvertisers,
    RateLimited,
    ReconnectRequired,
    StoreUnreachable,
    TikTokRefused,
    TikTokUnreachable,
    UpstreamError,
)
from connector.model import Account
from connector.oauth.replies import (
    SuccessReply,
    is_permanent,
    refusal_error,
    stored_error,
    stored_refusal,
    success_reply,
)

SHOPS = tuple(Account(id=str(n), name=f"Shop {n}") for n in (7533163835474346001, 2))
PROFILE = Account(id="-000mia", name="Mia", kind="profile")


def marketing_reply(selected: Account | None = None) -> SuccessReply:
    return success_reply("connection", family="marketing", accounts=SHOPS, selected=selected)


def test_several_advertisers_without_a_selection_require_a_selection() -> None:
    reply = marketing_reply()
    assert reply.selection_required
    assert (reply.business_id, reply.account_id) == (None, None)
    assert reply.advertisers[0].model_dump() == {
        "id": "7533163835474346001",
        "name": "Shop 7533163835474346001",
    }


def test_a_selected_advertiser_is_named_by_its_id_and_name() -> None:
    reply = marketing_reply(SHOPS[1])
    assert not reply.selection_required
    assert (reply.business_id, reply.account_id) == ("2", "Shop 2")


def test_a_profile_is_not_an_advertiser_and_requires_no_selection() -> None:
    reply = success_reply("connection", family="login_kit", accounts=(PROFILE,), selected=None)
    assert (reply.advertisers, reply.selection_required) == ((), False)


def test_the_return_address_is_not_part_of_the_stored_reply() -> None:
    assert "return_to" not in marketing_reply().model_dump()


@pytest.mark.parametrize("kind", [CodeSpent, NoAdvertisers])
def test_a_definite_refusal_is_permanent(kind: type[ConnectorError]) -> None:
    assert is_permanent(kind("No."))


@pytest.mark.parametrize(
    "kind",
    [
        *(Busy, StoreUnreachable, JournalUnwritable),
        *(ConfigurationError, RateLimited, TikTokRefused, TikTokUnreachable),
        *(AccessTokenRejected, ReconnectRequired),
    ],
)
def test_an_error_that_may_not_happen_again_is_not_permanent(kind: type[ConnectorError]) -> None:
    assert not is_permanent(kind("Not now."))


@pytest.mark.parametrize(
    "error",
    [
        CodeSpent("Spent.", upstream=UpstreamError(40110, "The auth_code is canceled", "2026-1")),
        CodeSpent("Spent."),
        NoAdvertisers("None."),
    ],
)
def test_a_stored_refusal_is_returned_as_the_same_error(error: ConnectorError) -> None:
    stored = stored_error(json.loads(json.dumps(stored_refusal(error))))
    assert type(stored) is type(error)
    assert stored.message == error.message
    assert getattr(stored, "upstream", None) == getattr(error, "upstream", None)


@pytest.mark.parametrize("code", ["superseded", "invalid_state"])
def test_a_refusal_that_the_store_recorded_has_a_message(code: str) -> None:
    error = stored_error({"code": code})
    assert error is not None
    assert (error.code, error.message) == (code, refusal_error(code).message)


def test_a_refusal_of_an_earlier_version_may_lack_fields() -> None:
    error = stored_error({"code": "code_spent", "message": "Spent."})
    assert isinstance(error, CodeSpent)
    assert error.upstream is None


def test_a_stored_connection_is_no_error() -> None:
    assert stored_error({"connection_id": "some id"}) is None
