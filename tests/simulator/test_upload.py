"""The upload host: chunks in order, and a status for each kind of invalid request."""

import io
from dataclasses import dataclass

import pytest

from .conftest import Client

VIDEO_SIZE, CHUNK_SIZE = 13_000_000, 6_000_000
CHUNK_BODY = bytes(CHUNK_SIZE)


@dataclass
class Uploader:
    client: Client
    token: str
    publish_id: str
    path: str

    async def put(self, body: bytes, range: str, type: str = "video/mp4") -> tuple[int, str]:
        headers = {"Content-Range": f"bytes {range}", "Content-Type": type}
        response, _ = await self.client.request(
            "PUT", self.path, data=io.BytesIO(body), headers=headers
        )
        return response.status, response.headers.get("Content-Range", "")

    async def status(self) -> tuple[str, int]:
        _, body = await self.client.call_open_api(
            "POST",
            "/v2/post/publish/status/fetch/",
            self.token,
            json={"publish_id": self.publish_id},
        )
        return body["data"]["status"], body["data"]["uploaded_bytes"]


@pytest.fixture
async def uploader(client: Client) -> Uploader:
    token = (await client.login_kit_tokens())["access_token"]
    source = {
        "source": "FILE_UPLOAD",
        "video_size": VIDEO_SIZE,
        "chunk_size": CHUNK_SIZE,
        "total_chunk_count": 2,
    }
    _, body = await client.call_open_api(
        "POST", "/v2/post/publish/inbox/video/init/", token, json={"source_info": source}
    )
    url = body["data"]["upload_url"]
    return Uploader(client, token, body["data"]["publish_id"], url.removeprefix(client.origin))


async def test_chunks_in_order_complete_the_post(uploader: Uploader) -> None:
    first = await uploader.put(CHUNK_BODY, f"0-{CHUNK_SIZE - 1}/{VIDEO_SIZE}")
    last = await uploader.put(
        bytes(VIDEO_SIZE - CHUNK_SIZE), f"{CHUNK_SIZE}-{VIDEO_SIZE - 1}/{VIDEO_SIZE}"
    )
    assert first == (206, f"bytes 0-{CHUNK_SIZE - 1}/{VIDEO_SIZE}")
    assert last == (201, f"bytes 0-{VIDEO_SIZE - 1}/{VIDEO_SIZE}")
    assert [await uploader.status(), await uploader.status()] == [
        ("PROCESSING_UPLOAD", VIDEO_SIZE),
        ("SEND_TO_USER_INBOX", VIDEO_SIZE),
    ]


async def test_a_post_with_an_incomplete_upload_is_not_published(uploader: Uploader) -> None:
    await uploader.put(CHUNK_BODY, f"0-{CHUNK_SIZE - 1}/{VIDEO_SIZE}")
    uploader.client.clock.seconds += 60
    assert [await uploader.status() for _ in range(3)] == [("PROCESSING_UPLOAD", CHUNK_SIZE)] * 3


async def test_a_chunk_sent_twice_gets_status_416_with_the_received_range(
    uploader: Uploader,
) -> None:
    await uploader.put(CHUNK_BODY, f"0-{CHUNK_SIZE - 1}/{VIDEO_SIZE}")
    second_response = await uploader.put(CHUNK_BODY, f"0-{CHUNK_SIZE - 1}/{VIDEO_SIZE}")
    assert second_response == (416, f"bytes 0-{CHUNK_SIZE - 1}/{VIDEO_SIZE}")


@pytest.mark.parametrize(
    ("range", "type"),
    [
        (f"0-{CHUNK_SIZE - 1}/{VIDEO_SIZE + 1}", "video/mp4"),
        (f"0-{CHUNK_SIZE}/{VIDEO_SIZE}", "video/mp4"),
        ("not a range", "video/mp4"),
        (f"0-{CHUNK_SIZE - 1}/{VIDEO_SIZE}", "text/plain"),
    ],
)
async def test_a_chunk_with_invalid_headers_gets_status_400(
    uploader: Uploader, range: str, type: str
) -> None:
    assert (await uploader.put(CHUNK_BODY, range, type))[0] == 400


async def test_a_chunk_of_another_size_than_announced_gets_status_400(uploader: Uploader) -> None:
    assert (await uploader.put(CHUNK_BODY[:-1], f"0-{CHUNK_SIZE - 2}/{VIDEO_SIZE}"))[0] == 400


async def test_the_upload_link_expires_after_one_hour(uploader: Uploader) -> None:
    uploader.client.clock.seconds += 3_601
    assert (await uploader.put(CHUNK_BODY, f"0-{CHUNK_SIZE - 1}/{VIDEO_SIZE}"))[0] == 403


async def test_a_wrong_upload_token_gets_status_403_and_an_unknown_upload_gets_status_404(
    uploader: Uploader,
) -> None:
    uploader.path = uploader.path[:-1] + "~"
    assert (await uploader.put(CHUNK_BODY, f"0-{CHUNK_SIZE - 1}/{VIDEO_SIZE}"))[0] == 403
    uploader.path = "/video/?upload_id=nobody&upload_token=x"
    assert (await uploader.put(CHUNK_BODY, f"0-{CHUNK_SIZE - 1}/{VIDEO_SIZE}"))[0] == 404
