"""HTTP 401 with a word that TikTok does not document rejects neither a refresh token nor a code."""

from __future__ import annotations

import json
import uuid

import pytest

from connector.errors import TikTokRefused
from connector.model import OAuthState
from tests.credentials import ANNA
from tests.raw_servers import http_server, respond_with

from .harness import REDIRECT_URI, Replica, TokenHarness

BODY = json.dumps({"error": "a_word_of_the_future", "error_description": "No."}).encode()
UNAUTHORIZED = (
    b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n" % len(BODY)
)


async def test_an_unknown_word_with_status_401_ends_no_connection(
    harness: TokenHarness, replica: Replica
) -> None:
    connection_id = await harness.connect(replica)
    async with http_server(respond_with(UNAUTHORIZED + BODY)) as origin:
        refused = await harness.start_replica({"TIKTOK_OPEN_API_URL": origin})
        with pytest.raises(TikTokRefused) as caught:
            await refused.refresh(connection_id)
    assert caught.value.code == "tiktok_refused"
    connection = await replica.connection(connection_id)
    assert (connection.status, connection.due_at is not None) == ("refresh_failing", True)
    harness.clock.advance(3600)
    await replica.run_background()
    assert (await replica.connection(connection_id)).status == "active"


async def test_an_unknown_word_with_status_401_does_not_use_up_a_code(
    harness: TokenHarness, replica: Replica
) -> None:
    code = await harness.simulator.consent("login_kit", redirect_uri=REDIRECT_URI)
    state = uuid.uuid4().hex
    oauth_state = OAuthState(ANNA, harness.clock.now(), "login_kit", REDIRECT_URI)

    async def post(to: Replica) -> str:
        exchange = to.service.code_exchange
        reply = await exchange.exchange(code, state=state, oauth_state=oauth_state, actor="user")
        return reply.connection_id

    async with http_server(respond_with(UNAUTHORIZED + BODY)) as origin:
        refused = await harness.start_replica({"TIKTOK_OPEN_API_URL": origin})
        with pytest.raises(TikTokRefused) as caught:
            await post(refused)
    assert caught.value.code == "tiktok_refused"
    assert (await replica.connection(await post(replica))).status == "active"
