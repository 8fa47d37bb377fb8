"""Content Posting: announce, send in chunks, ask how far it has come."""

from typing import Any

import pytest

from .conftest import Json, Tap

PUBLISH = "/v2/post/publish/"
INFO = {"privacy_level": "SELF_ONLY", "title": "Hello"}


def _file(size: int, chunk: int, count: int) -> Json:
    return {
        "source": "FILE_UPLOAD",
        "video_size": size,
        "chunk_size": chunk,
        "total_chunk_count": count,
    }


PULL = {"source": "PULL_FROM_URL", "video_url": "https://v.example/1.mp4"}


async def _init(tap: Tap, source: Json, **info: Any) -> tuple[int, Json]:
    token = (await tap.kit())["access_token"]
    body = {"post_info": {**INFO, **info}, "source_info": source}
    return await tap.open("POST", PUBLISH + "video/init/", token, json=body)


async def _status(tap: Tap, token: str, id: str) -> Json:
    _, body = await tap.open("POST", PUBLISH + "status/fetch/", token, json={"publish_id": id})
    data: Json = body["data"]
    return data


async def test_the_creator_offers_privacy_levels(tap: Tap) -> None:
    token = (await tap.kit())["access_token"]
    _, body = await tap.open("POST", PUBLISH + "creator_info/query/", token)
    assert "SELF_ONLY" in body["data"]["privacy_level_options"]


@pytest.mark.parametrize(
    ("size", "chunk", "count"),
    [
        (3_145_728, 3_145_728, 1),
        (50_000_123, 10_000_000, 5),
        (64_000_001, 64_000_000, 1),
        (150_000_000, 64_000_000, 2),
        (256_000_000, 64_000_000, 4),
        (4_294_967_296, 64_000_000, 67),
    ],
)
async def test_chunks_as_documented_are_accepted(
    tap: Tap, size: int, chunk: int, count: int
) -> None:
    status, body = await _init(tap, _file(size, chunk, count))
    assert status == 200
    assert len(body["data"]["publish_id"]) <= 64
    assert len(body["data"]["upload_url"]) <= 256
    assert body["data"]["upload_url"].startswith(tap.origin)


@pytest.mark.parametrize(
    "source",
    [
        _file(50_000_123, 10_000_000, 6),
        _file(50_000_123, 4_000_000, 12),
        _file(100_000_000, 100_000_000, 1),
        _file(10_000_000_000, 64_000_000, 156),
        _file(0, 0, 0),
        {"source": "FILE_UPLOAD", "video_size": 1},
        {"source": "PULL_FROM_URL", "video_url": "http://v.example/1.mp4"},
        {"source": "CARRIER_PIGEON"},
    ],
    ids=str,
)
async def test_a_source_outside_the_rules_is_refused(tap: Tap, source: Json) -> None:
    status, body = await _init(tap, source)
    assert (status, body["error"]["code"]) == (400, "invalid_param")


async def test_a_privacy_level_that_was_not_offered_is_403(tap: Tap) -> None:
    status, body = await _init(tap, PULL, privacy_level="MY_CAT")
    assert (status, body["error"]["code"]) == (403, "privacy_level_option_mismatch")


async def test_a_domain_nobody_verified_is_403(tap: Tap) -> None:
    url = "https://unverified.example/1.mp4"
    status, body = await _init(tap, {"source": "PULL_FROM_URL", "video_url": url})
    assert (status, body["error"]["code"]) == (403, "url_ownership_unverified")


async def test_posting_wants_its_scope(tap: Tap) -> None:
    token = (await tap.kit(scopes="user.info.basic,video.upload"))["access_token"]
    body = {"post_info": INFO, "source_info": PULL}
    status, answer = await tap.open("POST", PUBLISH + "video/init/", token, json=body)
    assert (status, answer["error"]["code"]) == (401, "scope_not_authorized")
    status, _ = await tap.open("POST", PUBLISH + "inbox/video/init/", token, json=body)
    assert status == 200


async def test_a_pulled_video_is_public_after_two_looks(tap: Tap) -> None:
    token = (await tap.kit())["access_token"]
    info = {**INFO, "privacy_level": "PUBLIC_TO_EVERYONE"}
    body = {"post_info": info, "source_info": PULL}
    _, begun = await tap.open("POST", PUBLISH + "video/init/", token, json=body)
    looks = [await _status(tap, token, begun["data"]["publish_id"]) for _ in range(2)]
    assert [look["status"] for look in looks] == ["PROCESSING_DOWNLOAD", "PUBLISH_COMPLETE"]
    (post_id,) = looks[1]["publicaly_available_post_id"]
    assert post_id > 2**53


async def test_a_pulled_video_is_done_when_its_time_is_over(tap: Tap) -> None:
    token = (await tap.kit())["access_token"]
    body = {"source_info": PULL}
    _, begun = await tap.open("POST", PUBLISH + "inbox/video/init/", token, json=body)
    tap.clock.seconds += 10
    look = await _status(tap, token, begun["data"]["publish_id"])
    assert look["status"] == "SEND_TO_USER_INBOX"


async def test_a_failed_post_is_a_successful_answer(tap: Tap) -> None:
    await tap.sim("settings", publish_fail_reason="video_pull_failed", publish_polls=1)
    token = (await tap.kit())["access_token"]
    body = {"source_info": PULL}
    _, begun = await tap.open("POST", PUBLISH + "inbox/video/init/", token, json=body)
    look = await _status(tap, token, begun["data"]["publish_id"])
    assert (look["status"], look["fail_reason"]) == ("FAILED", "video_pull_failed")


async def test_a_post_is_cancelled_once(tap: Tap) -> None:
    token = (await tap.kit())["access_token"]
    _, begun = await tap.open(
        "POST", PUBLISH + "inbox/video/init/", token, json={"source_info": PULL}
    )
    id = {"publish_id": begun["data"]["publish_id"]}
    assert (await tap.open("POST", PUBLISH + "cancel/", token, json=id))[0] == 200
    _, again = await tap.open("POST", PUBLISH + "cancel/", token, json=id)
    assert again["error"]["code"] == "publish_not_cancellable"


async def test_somebody_elses_post_is_out_of_reach(tap: Tap) -> None:
    mine, theirs = (await tap.kit())["access_token"], (await tap.kit(person="sam"))["access_token"]
    _, begun = await tap.open(
        "POST", PUBLISH + "inbox/video/init/", mine, json={"source_info": PULL}
    )
    id = {"publish_id": begun["data"]["publish_id"]}
    status, body = await tap.open("POST", PUBLISH + "status/fetch/", theirs, json=id)
    assert status == 403
    assert body["error"]["code"] == "token_not_authorized_for_specified_publish_id"


@pytest.mark.parametrize("mode", ["DIRECT_POST", "MEDIA_UPLOAD"])
async def test_photos_are_pulled(tap: Tap, mode: str) -> None:
    token = (await tap.kit())["access_token"]
    body = {
        "media_type": "PHOTO",
        "post_mode": mode,
        "post_info": INFO,
        "source_info": {"source": "PULL_FROM_URL", "photo_images": ["https://v.example/1.webp"]},
    }
    status, answer = await tap.open("POST", PUBLISH + "content/init/", token, json=body)
    assert (status, list(answer["data"])) == (200, ["publish_id"])
    body["source_info"] = {"source": "PULL_FROM_URL", "photo_images": ["https://v.example/"] * 36}
    status, _ = await tap.open("POST", PUBLISH + "content/init/", token, json=body)
    assert status == 400
