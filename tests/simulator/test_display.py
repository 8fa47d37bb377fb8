"""The Display API: true statuses, `{data, error}`, fields by scope."""

from .conftest import Tap

ME = "/v2/user/info/?fields="


async def test_a_person_is_shown_by_the_fields_asked_for(tap: Tap) -> None:
    tokens = await tap.kit()
    status, body = await tap.open("GET", ME + "open_id,username", tokens["access_token"])
    assert status == 200
    assert body["data"]["user"] == {"open_id": tokens["open_id"], "username": "robintaylor"}
    assert sorted(body["error"]) == ["code", "log_id", "message"]
    assert body["error"]["code"] == "ok"


async def test_a_field_outside_the_scope_is_401(tap: Tap) -> None:
    token = (await tap.kit(scopes="user.info.basic"))["access_token"]
    status, body = await tap.open("GET", ME + "username", token)
    assert (status, body["error"]["code"]) == (401, "scope_not_authorized")


async def test_fields_are_required_and_must_exist(tap: Tap) -> None:
    token = (await tap.kit())["access_token"]
    for fields in ("", "shoe_size"):
        status, body = await tap.open("GET", ME + fields, token)
        assert (status, body["error"]["code"]) == (400, "invalid_params")


async def test_a_token_that_is_wrong_expired_or_of_the_other_host_is_401(tap: Tap) -> None:
    mine, theirs = (await tap.kit())["access_token"], (await tap.account())["access_token"]
    tap.clock.seconds += 7_200
    for token in ("made-up", theirs, mine):
        status, body = await tap.open("GET", ME + "open_id", token)
        assert (status, body["error"]["code"]) == (401, "access_token_invalid")


async def test_no_authorization_header_is_401(tap: Tap) -> None:
    answer, _ = await tap.call("GET", ME + "open_id")
    assert answer.status == 401


async def test_videos_are_listed_by_cursor_newest_first(tap: Tap) -> None:
    token = (await tap.kit())["access_token"]
    path = "/v2/video/list/?fields=id,create_time"
    _, first = await tap.open("POST", path, token, json={"max_count": 20})
    _, second = await tap.open("POST", path, token, json={"cursor": first["data"]["cursor"]})
    times = [v["create_time"] for v in first["data"]["videos"] + second["data"]["videos"]]
    assert len(times) == 30
    assert times == sorted(set(times), reverse=True)
    assert first["data"]["has_more"] is True


async def test_more_than_twenty_videos_at_once_are_too_many(tap: Tap) -> None:
    token = (await tap.kit())["access_token"]
    status, _ = await tap.open("POST", "/v2/video/list/?fields=id", token, json={"max_count": 21})
    assert status == 400


async def test_videos_are_found_by_their_ids(tap: Tap) -> None:
    token = (await tap.kit())["access_token"]
    _, listed = await tap.open("POST", "/v2/video/list/?fields=id", token, json={"max_count": 2})
    ids = [video["id"] for video in listed["data"]["videos"]]
    asked = {"filters": {"video_ids": [*ids, "1"]}}
    _, found = await tap.open("POST", "/v2/video/query/?fields=id", token, json=asked)
    assert [video["id"] for video in found["data"]["videos"]] == ids


async def test_beyond_the_limit_of_a_second_the_answer_is_429(tap: Tap) -> None:
    token = (await tap.kit())["access_token"]
    await tap.sim("settings", qps=1)
    statuses = [await tap.open("GET", ME + "open_id", token) for _ in range(2)]
    assert [status for status, _ in statuses] == [200, 429]
    assert statuses[1][1]["error"]["code"] == "rate_limit_exceeded"


async def test_an_unknown_address_is_not_found(tap: Tap) -> None:
    answer, _ = await tap.call("GET", "/v2/user/info?fields=open_id")
    assert answer.status == 404
