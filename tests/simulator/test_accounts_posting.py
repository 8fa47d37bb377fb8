"""The TikTok Accounts API: a published video, photos, a draft, and the limits of posting."""

import pytest

from .conftest import Client, Json

ROOT = "/open_api/v1.3/"
DISCLOSURES = {"is_brand_organic": False, "is_branded_content": False}


async def test_the_second_status_call_finishes_a_published_video(client: Client) -> None:
    tokens = await client.accounts_tokens()
    account = {"token": tokens["access_token"], "business_id": tokens["open_id"]}
    response = await client.post(
        ROOT + "business/video/publish/",
        video_url="https://v.example/1.mp4",
        post_info=DISCLOSURES,
        **account,
    )
    share_id = response["data"]["share_id"]
    status_path = ROOT + "business/publish/status/"
    first = await client.get(status_path, publish_id=share_id, **account)
    second = await client.get(status_path, publish_id=share_id, **account)
    assert first["data"]["status"] == "PROCESSING_DOWNLOAD"
    assert second["data"]["status"] == "PUBLISH_COMPLETE"


@pytest.mark.parametrize("missing", sorted(DISCLOSURES))
async def test_a_published_video_needs_both_disclosures(client: Client, missing: str) -> None:
    tokens = await client.accounts_tokens()
    response = await client.post(
        ROOT + "business/video/publish/",
        token=tokens["access_token"],
        business_id=tokens["open_id"],
        video_url="https://v.example/1.mp4",
        post_info={name: False for name in DISCLOSURES if name != missing},
    )
    assert (response["code"], missing in response["message"]) == (40002, True)


@pytest.mark.parametrize(
    ("post_info", "problem"),
    [
        ({}, None),
        ({"is_draft": True}, None),
        ({"privacy_level": ""}, "privacy_level"),
        ({"caption": "x" * 4_001}, "caption"),
        ({"title": "x" * 91}, "title"),
        ({"is_branded_content": None}, "is_branded_content"),
    ],
    ids=str,
)
async def test_published_photos_need_a_privacy_level_and_both_disclosures(
    client: Client, post_info: Json, problem: str | None
) -> None:
    tokens = await client.accounts_tokens()
    response = await client.post(
        ROOT + "business/photo/publish/",
        token=tokens["access_token"],
        business_id=tokens["open_id"],
        photo_images=["https://v.example/1.webp"],
        post_info={"privacy_level": "SELF_ONLY", **DISCLOSURES, **post_info},
    )
    assert response["code"] == (40002 if problem else 0)
    assert (problem or "OK") in response["message"]


async def test_a_draft_video_is_sent_to_the_inbox_and_ignores_the_other_fields(
    client: Client,
) -> None:
    tokens = await client.accounts_tokens()
    account = {"token": tokens["access_token"], "business_id": tokens["open_id"]}
    await client.control("settings", publish_polls=1)
    response = await client.post(
        ROOT + "business/video/publish/",
        video_url="https://v.example/1.mp4",
        post_info={"upload_to_draft": True},
        **account,
    )
    share_id = response["data"]["share_id"]
    status = await client.get(ROOT + "business/publish/status/", publish_id=share_id, **account)
    assert status["data"]["status"] == "SEND_TO_USER_INBOX"


async def test_an_account_can_post_six_videos_a_minute_and_fifteen_a_day(client: Client) -> None:
    await client.control("settings", accounts_limits=True)
    tokens = await client.accounts_tokens()
    codes = []
    for _ in range(3):
        for _ in range(7):
            response = await client.post(
                ROOT + "business/video/publish/",
                token=tokens["access_token"],
                business_id=tokens["open_id"],
                video_url="https://v.example/1.mp4",
                post_info=DISCLOSURES,
            )
            codes.append(response["code"])
        client.clock.seconds += 60
    assert codes == ([0] * 6 + [40100]) * 2 + [0] * 3 + [40100] * 4
