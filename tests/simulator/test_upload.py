"""The upload host: chunks in order, and a status for every way to get it wrong."""

import io
from dataclasses import dataclass

import pytest

from .conftest import Tap

SIZE, CHUNK = 11_000_000, 5_000_000
PART = bytes(CHUNK)


@dataclass
class Sender:
    tap: Tap
    token: str
    id: str
    path: str

    async def put(self, body: bytes, range: str, type: str = "video/mp4") -> tuple[int, str]:
        headers = {"Content-Range": f"bytes {range}", "Content-Type": type}
        answer, _ = await self.tap.call("PUT", self.path, data=io.BytesIO(body), headers=headers)
        return answer.status, answer.headers.get("Content-Range", "")

    async def status(self) -> tuple[str, int]:
        _, body = await self.tap.open(
            "POST", "/v2/post/publish/status/fetch/", self.token, json={"publish_id": self.id}
        )
        return body["data"]["status"], body["data"]["uploaded_bytes"]


@pytest.fixture
async def sender(tap: Tap) -> Sender:
    token = (await tap.kit())["access_token"]
    source = {
        "source": "FILE_UPLOAD",
        "video_size": SIZE,
        "chunk_size": CHUNK,
        "total_chunk_count": 2,
    }
    _, body = await tap.open(
        "POST", "/v2/post/publish/inbox/video/init/", token, json={"source_info": source}
    )
    url = body["data"]["upload_url"]
    return Sender(tap, token, body["data"]["publish_id"], url.removeprefix(tap.origin))


async def test_chunks_in_order_make_a_post(sender: Sender) -> None:
    first = await sender.put(PART, f"0-{CHUNK - 1}/{SIZE}")
    last = await sender.put(bytes(SIZE - CHUNK), f"{CHUNK}-{SIZE - 1}/{SIZE}")
    assert first == (206, f"bytes 0-{CHUNK - 1}/{SIZE}")
    assert last == (201, f"bytes 0-{SIZE - 1}/{SIZE}")
    assert [await sender.status(), await sender.status()] == [
        ("PROCESSING_UPLOAD", SIZE),
        ("SEND_TO_USER_INBOX", SIZE),
    ]


async def test_an_unfinished_upload_does_not_move(sender: Sender) -> None:
    await sender.put(PART, f"0-{CHUNK - 1}/{SIZE}")
    sender.tap.clock.seconds += 60
    assert [await sender.status() for _ in range(3)] == [("PROCESSING_UPLOAD", CHUNK)] * 3


async def test_a_chunk_sent_twice_is_told_where_to_go_on(sender: Sender) -> None:
    await sender.put(PART, f"0-{CHUNK - 1}/{SIZE}")
    again = await sender.put(PART, f"0-{CHUNK - 1}/{SIZE}")
    assert again == (416, f"bytes 0-{CHUNK - 1}/{SIZE}")


@pytest.mark.parametrize(
    ("range", "type"),
    [
        (f"0-{CHUNK - 1}/{SIZE + 1}", "video/mp4"),
        (f"0-{CHUNK}/{SIZE}", "video/mp4"),
        ("all of it", "video/mp4"),
        (f"0-{CHUNK - 1}/{SIZE}", "text/plain"),
    ],
)
async def test_a_chunk_that_does_not_fit_is_400(sender: Sender, range: str, type: str) -> None:
    assert (await sender.put(PART, range, type))[0] == 400


async def test_a_chunk_of_another_size_than_announced_is_400(sender: Sender) -> None:
    assert (await sender.put(PART[:-1], f"0-{CHUNK - 2}/{SIZE}"))[0] == 400


async def test_the_link_expires_after_an_hour(sender: Sender) -> None:
    sender.tap.clock.seconds += 3_601
    assert (await sender.put(PART, f"0-{CHUNK - 1}/{SIZE}"))[0] == 403


async def test_a_wrong_token_is_403_and_an_unknown_task_404(sender: Sender) -> None:
    sender.path = sender.path[:-1] + "~"
    assert (await sender.put(PART, f"0-{CHUNK - 1}/{SIZE}"))[0] == 403
    sender.path = "/video/?upload_id=nobody&upload_token=x"
    assert (await sender.put(PART, f"0-{CHUNK - 1}/{SIZE}"))[0] == 404
