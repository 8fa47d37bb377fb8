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
    refusal_reply,
    replay,
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
def test_a_stored_refusal_is_raised_again_unchanged(error: ConnectorError) -> None:
    stored = json.loads(refusal_reply(error).model_dump_json())
    with pytest.raises(type(error)) as caught:
        replay(stored)
    assert caught.value.message == error.message
    assert getattr(caught.value, "upstream", None) == getattr(error, "upstream", None)


def test_a_stored_success_is_returned_unchanged() -> None:
    reply = marketing_reply()
    assert replay(json.loads(reply.model_dump_json())) == reply
