"""The Display API: HTTP statuses, `{data, error}`, and fields by scope."""

from .conftest import Client

USER_INFO = "/v2/user/info/?fields="


async def test_user_info_returns_the_requested_fields(client: Client) -> None:
    tokens = await client.login_kit_tokens()
    status, body = await client.call_open_api(
        "GET", USER_INFO + "open_id,username", tokens["access_token"]
    )
    assert status == 200
    assert body["data"]["user"] == {"open_id": tokens["open_id"], "username": "robintaylor"}
    assert sorted(body["error"]) == ["code", "log_id", "message"]
    assert body["error"]["code"] == "ok"


async def test_a_field_outside_the_granted_scopes_gets_status_401(client: Client) -> None:
    token = (await client.login_kit_tokens(scopes="user.info.basic"))["access_token"]
    status, body = await client.call_open_api("GET", USER_INFO + "username", token)
    assert (status, body["error"]["code"]) == (401, "scope_not_authorized")


async def test_user_info_requires_known_fields(client: Client) -> None:
    token = (await client.login_kit_tokens())["access_token"]
    for fields in ("", "shoe_size"):
        status, body = await client.call_open_api("GET", USER_INFO + fields, token)
        assert (status, body["error"]["code"]) == (400, "invalid_params")


async def test_an_unknown_expired_or_accounts_token_gets_status_401(client: Client) -> None:
    expired_token = (await client.login_kit_tokens())["access_token"]
    client.clock.seconds += 7_200
    accounts_token = (await client.accounts_tokens())["access_token"]
    for token in ("unknown", accounts_token, expired_token):
        status, body = await client.call_open_api("GET", USER_INFO + "open_id", token)
        assert (status, body["error"]["code"]) == (401, "access_token_invalid")


async def test_a_missing_authorization_header_gets_status_401(client: Client) -> None:
    response, _ = await client.request("GET", USER_INFO + "open_id")
    assert response.status == 401


async def test_videos_are_listed_newest_first_in_pages(client: Client) -> None:
    token = (await client.login_kit_tokens())["access_token"]
    path = "/v2/video/list/?fields=id,create_time"
    _, first = await client.call_open_api("POST", path, token, json={"max_count": 20})
    _, second = await client.call_open_api(
        "POST", path, token, json={"cursor": first["data"]["cursor"]}
    )
    times = [video["create_time"] for video in first["data"]["videos"] + second["data"]["videos"]]
    assert len(times) == 30
    assert times == sorted(set(times), reverse=True)
    assert first["data"]["has_more"] is True


async def test_a_page_of_more_than_twenty_videos_is_refused(client: Client) -> None:
    token = (await client.login_kit_tokens())["access_token"]
    status, _ = await client.call_open_api(
        "POST", "/v2/video/list/?fields=id", token, json={"max_count": 21}
    )
    assert status == 400


async def test_videos_can_be_queried_by_their_ids(client: Client) -> None:
    token = (await client.login_kit_tokens())["access_token"]
    _, listed = await client.call_open_api(
        "POST", "/v2/video/list/?fields=id", token, json={"max_count": 2}
    )
    ids = [video["id"] for video in listed["data"]["videos"]]
    body = {"filters": {"video_ids": [*ids, "1"]}}
    _, queried = await client.call_open_api("POST", "/v2/video/query/?fields=id", token, json=body)
    assert [video["id"] for video in queried["data"]["videos"]] == ids


async def test_a_call_above_the_rate_limit_gets_status_429(client: Client) -> None:
    token = (await client.login_kit_tokens())["access_token"]
    await client.control("settings", qps=1)
    first_status, _ = await client.call_open_api("GET", USER_INFO + "open_id", token)
    second_status, body = await client.call_open_api("GET", USER_INFO + "open_id", token)
    assert (first_status, second_status) == (200, 429)
    assert body["error"]["code"] == "rate_limit_exceeded"


async def test_an_address_without_the_last_slash_gets_status_404(client: Client) -> None:
    response, _ = await client.request("GET", "/v2/user/info?fields=open_id")
    assert response.status == 404
