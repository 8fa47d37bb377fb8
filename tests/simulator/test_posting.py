"""The Content Posting API: start a post, announce its chunks, and poll its status."""

from typing import Any

import pytest

from .conftest import Client, Json

PUBLISH = "/v2/post/publish/"
POST_INFO = {"privacy_level": "SELF_ONLY", "title": "Hello"}


def _file_upload(size: int, chunk_size: int, count: int) -> Json:
    return {
        "source": "FILE_UPLOAD",
        "video_size": size,
        "chunk_size": chunk_size,
        "total_chunk_count": count,
    }


PULL_FROM_URL = {"source": "PULL_FROM_URL", "video_url": "https://v.example/1.mp4"}


PHOTO = {
    "source": "PULL_FROM_URL",
    "photo_images": ["https://v.example/1.webp"],
    "photo_cover_index": 0,
}


async def _init_video(client: Client, source: Json, **post_info: Any) -> tuple[int, Json]:
    token = (await client.login_kit_tokens())["access_token"]
    body = {"post_info": {**POST_INFO, **post_info}, "source_info": source}
    return await client.call_open_api("POST", PUBLISH + "video/init/", token, json=body)


async def _status(client: Client, token: str, publish_id: str) -> Json:
    _, body = await client.call_open_api(
        "POST", PUBLISH + "status/fetch/", token, json={"publish_id": publish_id}
    )
    data: Json = body["data"]
    return data


async def test_creator_info_lists_the_privacy_levels(client: Client) -> None:
    token = (await client.login_kit_tokens())["access_token"]
    _, body = await client.call_open_api("POST", PUBLISH + "creator_info/query/", token)
    assert "SELF_ONLY" in body["data"]["privacy_level_options"]


@pytest.mark.parametrize(
    ("size", "chunk_size", "count"),
    [
        (3_145_728, 3_145_728, 1),
        (50_000_123, 10_000_000, 5),
        (19_999_999, 19_999_999, 1),
        (20_000_000, 10_000_000, 2),
        (64_000_001, 10_000_000, 6),
        (150_000_000, 64_000_000, 2),
        (256_000_000, 64_000_000, 4),
        (4_294_967_296, 10_000_000, 429),
    ],
)
async def test_chunk_sizes_from_the_documentation_are_accepted(
    client: Client, size: int, chunk_size: int, count: int
) -> None:
    status, body = await _init_video(client, _file_upload(size, chunk_size, count))
    assert status == 200
    assert len(body["data"]["publish_id"]) <= 64
    assert len(body["data"]["upload_url"]) <= 256
    assert body["data"]["upload_url"].startswith(client.origin)


@pytest.mark.parametrize(
    "source",
    [
        _file_upload(50_000_123, 10_000_000, 6),
        _file_upload(50_000_123, 4_000_000, 12),
        _file_upload(100_000_000, 100_000_000, 1),
        _file_upload(66_000_000, 66_000_000, 1),
        _file_upload(19_999_999, 10_000_000, 1),
        _file_upload(50_000_123, 5_100_000, 9),
        _file_upload(10_000_000_000, 64_000_000, 156),
        _file_upload(0, 0, 0),
        {"source": "FILE_UPLOAD", "video_size": 1},
        {"source": "PULL_FROM_URL", "video_url": "http://v.example/1.mp4"},
        {"source": "EMAIL"},
    ],
    ids=str,
)
async def test_an_invalid_video_source_is_refused(client: Client, source: Json) -> None:
    status, body = await _init_video(client, source)
    assert (status, body["error"]["code"]) == (400, "invalid_params")


async def test_a_privacy_level_that_the_creator_does_not_offer_gets_status_403(
    client: Client,
) -> None:
    status, body = await _init_video(client, PULL_FROM_URL, privacy_level="EVERYBODY")
    assert (status, body["error"]["code"]) == (403, "privacy_level_option_mismatch")


async def test_a_video_url_of_an_unverified_domain_gets_status_403(client: Client) -> None:
    url = "https://unverified.example/1.mp4"
    status, body = await _init_video(client, {"source": "PULL_FROM_URL", "video_url": url})
    assert (status, body["error"]["code"]) == (403, "url_ownership_unverified")


async def test_posting_requires_the_scope_of_its_kind(client: Client) -> None:
    token = (await client.login_kit_tokens(scopes="user.info.basic,video.upload"))["access_token"]
    body = {"post_info": POST_INFO, "source_info": PULL_FROM_URL}
    status, response = await client.call_open_api("POST", PUBLISH + "video/init/", token, json=body)
    assert (status, response["error"]["code"]) == (401, "scope_not_authorized")
    status, _ = await client.call_open_api("POST", PUBLISH + "inbox/video/init/", token, json=body)
    assert status == 200


async def test_the_second_status_call_publishes_a_pulled_video(client: Client) -> None:
    token = (await client.login_kit_tokens())["access_token"]
    post_info = {**POST_INFO, "privacy_level": "PUBLIC_TO_EVERYONE"}
    body = {"post_info": post_info, "source_info": PULL_FROM_URL}
    _, created = await client.call_open_api("POST", PUBLISH + "video/init/", token, json=body)
    results = [await _status(client, token, created["data"]["publish_id"]) for _ in range(2)]
    assert [result["status"] for result in results] == ["PROCESSING_DOWNLOAD", "PUBLISH_COMPLETE"]
    (post_id,) = results[1]["publicaly_available_post_id"]
    assert post_id > 2**53


async def test_a_pulled_video_is_finished_when_its_time_has_passed(client: Client) -> None:
    token = (await client.login_kit_tokens())["access_token"]
    body = {"source_info": PULL_FROM_URL}
    _, created = await client.call_open_api("POST", PUBLISH + "inbox/video/init/", token, json=body)
    client.clock.seconds += 10
    result = await _status(client, token, created["data"]["publish_id"])
    assert result["status"] == "SEND_TO_USER_INBOX"


async def test_the_status_call_of_a_failed_post_succeeds(client: Client) -> None:
    await client.control("settings", publish_fail_reason="video_pull_failed", publish_polls=1)
    token = (await client.login_kit_tokens())["access_token"]
    body = {"source_info": PULL_FROM_URL}
    _, created = await client.call_open_api("POST", PUBLISH + "inbox/video/init/", token, json=body)
    result = await _status(client, token, created["data"]["publish_id"])
    assert (result["status"], result["fail_reason"]) == ("FAILED", "video_pull_failed")


async def test_a_post_can_be_cancelled_only_once(client: Client) -> None:
    token = (await client.login_kit_tokens())["access_token"]
    _, created = await client.call_open_api(
        "POST", PUBLISH + "inbox/video/init/", token, json={"source_info": PULL_FROM_URL}
    )
    post = {"publish_id": created["data"]["publish_id"]}
    assert (await client.call_open_api("POST", PUBLISH + "cancel/", token, json=post))[0] == 200
    _, second_response = await client.call_open_api("POST", PUBLISH + "cancel/", token, json=post)
    assert second_response["error"]["code"] == "publish_not_cancellable"


async def test_the_post_of_another_person_gets_status_403(client: Client) -> None:
    token = (await client.login_kit_tokens())["access_token"]
    other_token = (await client.login_kit_tokens(person="sam"))["access_token"]
    _, created = await client.call_open_api(
        "POST", PUBLISH + "inbox/video/init/", token, json={"source_info": PULL_FROM_URL}
    )
    post = {"publish_id": created["data"]["publish_id"]}
    status, body = await client.call_open_api(
        "POST", PUBLISH + "status/fetch/", other_token, json=post
    )
    assert status == 403
    assert body["error"]["code"] == "token_not_authorized_for_specified_publish_id"


@pytest.mark.parametrize("mode", ["DIRECT_POST", "MEDIA_UPLOAD"])
async def test_photos_are_pulled_from_up_to_35_urls(client: Client, mode: str) -> None:
    token = (await client.login_kit_tokens())["access_token"]
    body = {
        "media_type": "PHOTO",
        "post_mode": mode,
        "post_info": POST_INFO,
        "source_info": PHOTO,
    }
    status, response = await client.call_open_api(
        "POST", PUBLISH + "content/init/", token, json=body
    )
    assert (status, list(response["data"])) == (200, ["publish_id"])
    for change in ({"photo_images": ["https://v.example/"] * 36}, {"photo_cover_index": None}):
        body["source_info"] = {**PHOTO, **change}
        status, _ = await client.call_open_api("POST", PUBLISH + "content/init/", token, json=body)
        assert status == 400


async def test_an_app_that_is_not_audited_posts_for_five_people_a_day(client: Client) -> None:
    await client.control("settings", unaudited=True)
    tokens = [
        (await client.login_kit_tokens(person=f"person {number}"))["access_token"]
        for number in range(6)
    ]
    body = {"post_info": POST_INFO, "source_info": PULL_FROM_URL}

    async def call(path: str, token: str) -> tuple[int, str]:
        status, response = await client.call_open_api("POST", PUBLISH + path, token, json=body)
        return status, response["error"]["code"]

    results = [await call("video/init/", token) for token in (*tokens, tokens[0])]
    assert results == [(200, "ok")] * 5 + [(403, "reached_active_user_cap"), (200, "ok")]
    assert await call("creator_info/query/", tokens[5]) == (200, "reached_active_user_cap")
    assert await call("inbox/video/init/", tokens[5]) == (200, "ok")
    client.clock.seconds += 86_400
    tokens[5] = (await client.login_kit_tokens(person="person 5"))["access_token"]
    assert await call("video/init/", tokens[5]) == (200, "ok")


async def test_an_app_that_is_not_audited_posts_only_privately(client: Client) -> None:
    await client.control("settings", unaudited=True)
    status, body = await _init_video(client, PULL_FROM_URL, privacy_level="MUTUAL_FOLLOW_FRIENDS")
    code = "unaudited_client_can_only_post_to_private_accounts"
    assert (status, body["error"]["code"]) == (403, code)
