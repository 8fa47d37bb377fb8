"""Every receiver in docs/webhooks.md verifies, on a real socket, what `connector.events` signs."""

from __future__ import annotations

import itertools
import json
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr
from pydantic_core import to_json

from connector.events.sender import render_body
from connector.events.signing import new_secret, parse_secret, signed_headers
from tests.processes import free_port

from .programs import FILES, Program, running_program

RECEIVERS = sorted(name for name in FILES if name.startswith("receive"))
SECRET, OTHER_SECRET = new_secret(), new_secret()
ACCEPTED, REFUSED = 204, 401
sequence = itertools.count(1)


@dataclass(frozen=True)
class Message:
    body: bytes
    headers: dict[str, str]


def signed_message(
    *,
    connection_id: str = "",
    status: str = "active",
    seq: int = 0,
    secrets: Sequence[SecretStr] = (SECRET,),
    signed_at: float = 0,
    message_id: str = "",
) -> Message:
    """A new event, signed now with the secret of the receiver."""
    body = render_body(
        type="connection.recovered",
        created_at=datetime(2026, 11, 21, 14, 47, 30, tzinfo=UTC),
        seq=seq or next(sequence),
        data_json=to_json(
            {
                "connection": {
                    "id": connection_id or str(uuid.uuid4()),
                    "status": status,
                    "name": "Zoë",
                }
            }
        ),
    )
    headers = signed_headers(
        [parse_secret(secret) for secret in secrets],
        message_id=message_id or str(uuid.uuid4()),
        timestamp=int(signed_at or time.time()),
        body=body,
    )
    return Message(body, headers | {"Content-Type": "application/json"})


class Receiver:
    def __init__(self, program: Program, http: ClientSession, url: str) -> None:
        self.program = program
        self._http = http
        self._url = url

    async def post(self, message: Message, **changed_headers: str) -> int:
        headers = message.headers | {
            name.replace("_", "-"): value for name, value in changed_headers.items()
        }
        async with self._http.post(self._url, data=message.body, headers=headers) as response:
            return response.status

    async def handled(self) -> list[str]:
        """Returns what was handled up to now: a last event marks the end."""
        marker = str(uuid.uuid4())
        assert await self.post(signed_message(connection_id=marker)) == ACCEPTED
        return (await self.program.read_until(marker))[:-1]


@asynccontextmanager
async def running_receiver(folder: Path, name: str) -> AsyncIterator[Receiver]:
    port = str(free_port())
    environment = {"PORT": port, "WEBHOOK_SECRET": SECRET.get_secret_value()}
    async with running_program(folder, name, environment) as program, ClientSession() as http:
        await program.read_until(port)
        yield Receiver(program, http, f"http://127.0.0.1:{port}/hooks/tiktok")


@pytest.fixture(scope="module", params=RECEIVERS)
async def receiver(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Receiver]:
    async with running_receiver(tmp_path_factory.mktemp("receiver"), request.param) as receiver:
        yield receiver


def test_the_guide_has_receivers_with_and_without_a_library() -> None:
    assert RECEIVERS == [
        "receive.mjs",
        "receive.py",
        "receive_without_library.mjs",
        "receive_without_library.py",
    ]


async def test_a_signed_event_is_accepted_and_handled(receiver: Receiver) -> None:
    message = signed_message(
        connection_id="c-1", status="refresh_failing", seq=(seq := next(sequence))
    )
    assert await receiver.post(message) == ACCEPTED
    assert f"connection.recovered {seq} c-1 refresh_failing" in await receiver.handled()


async def test_a_changed_body_is_refused(receiver: Receiver) -> None:
    message = signed_message()
    changed = Message(message.body.replace(b"active", b"revoked"), message.headers)
    assert await receiver.post(changed) == REFUSED
    assert await receiver.post(Message(b"", message.headers)) == REFUSED
    assert await receiver.handled() == []


async def test_another_id_is_refused(receiver: Receiver) -> None:
    assert await receiver.post(signed_message(), webhook_id=str(uuid.uuid4())) == REFUSED


async def test_another_timestamp_is_refused(receiver: Receiver) -> None:
    assert (
        await receiver.post(signed_message(), webhook_timestamp=str(int(time.time()) - 5))
        == REFUSED
    )


async def test_a_wrong_secret_is_refused(receiver: Receiver) -> None:
    assert await receiver.post(signed_message(secrets=[OTHER_SECRET])) == REFUSED


@pytest.mark.parametrize("minutes", [-6, 6])
async def test_an_old_timestamp_and_one_in_the_future_are_refused(
    receiver: Receiver, minutes: int
) -> None:
    message = signed_message(signed_at=time.time() + 60 * minutes)
    assert await receiver.post(message) == REFUSED


@pytest.mark.parametrize("minutes", [-4, 4])
async def test_clocks_may_differ_by_four_minutes(receiver: Receiver, minutes: int) -> None:
    message = signed_message(signed_at=time.time() + 60 * minutes)
    assert await receiver.post(message) == ACCEPTED


@pytest.mark.parametrize("secrets", [(SECRET, OTHER_SECRET), (OTHER_SECRET, SECRET)])
async def test_one_of_two_signatures_is_enough(
    receiver: Receiver, secrets: tuple[SecretStr, ...]
) -> None:
    assert await receiver.post(signed_message(secrets=secrets)) == ACCEPTED


@pytest.mark.parametrize(
    "header",
    [
        {"webhook_signature": "v1"},
        {"webhook_signature": "v1,"},
        {"webhook_signature": "v1,a"},
        {"webhook_signature": "v1,\u00e9 v2,x"},
        {"webhook_signature": ""},
        {"webhook_timestamp": "soon"},
        {"webhook_timestamp": "9" * 5000},
        {"webhook_timestamp": ""},
        {"webhook_id": ""},
    ],
    ids=str,
)
async def test_a_malformed_header_is_refused(receiver: Receiver, header: dict[str, str]) -> None:
    assert await receiver.post(signed_message(), **header) == REFUSED


async def test_a_body_that_is_not_text_is_refused(receiver: Receiver) -> None:
    assert await receiver.post(Message(b"\xff\xfe", signed_message().headers)) == REFUSED


async def test_an_event_that_arrives_twice_is_handled_once(receiver: Receiver) -> None:
    first = signed_message(connection_id="twice", message_id="m-1")
    # With a higher seq, so that only its id shows that it is not new.
    second = signed_message(connection_id="twice", message_id="m-1")
    assert await receiver.post(first) == ACCEPTED
    assert await receiver.post(first) == ACCEPTED
    assert await receiver.post(second) == ACCEPTED
    lines = await receiver.handled()
    assert len([line for line in lines if "twice" in line]) == 1


async def test_an_earlier_event_that_arrives_late_changes_nothing(receiver: Receiver) -> None:
    earlier, later = next(sequence), next(sequence)
    for seq, status in ((later, "reconnect_required"), (earlier, "active")):
        message = signed_message(connection_id="late", status=status, seq=seq)
        assert await receiver.post(message) == ACCEPTED
    lines = [line for line in await receiver.handled() if "late" in line]
    assert lines == [f"connection.recovered {later} late reconnect_required"]


async def test_an_event_that_cannot_be_handled_stays_in_the_inbox_and_stops_no_other(
    tmp_path: Path,
) -> None:
    async with running_receiver(tmp_path, "receive_without_library.py") as receiver:
        unusable = signed_message()
        headers = signed_headers(
            [parse_secret(SECRET)],
            message_id="unusable",
            timestamp=int(time.time()),
            body=(body := unusable.body.replace(b"status", b"state")),
        )
        assert await receiver.post(Message(body, headers)) == ACCEPTED
        assert await receiver.handled() == []
    with closing(sqlite3.connect(tmp_path / "inbox.db")) as database:
        assert ("unusable",) in database.execute("select id from inbox where not done").fetchall()


async def test_an_event_that_was_stored_before_a_crash_is_handled_after_the_next_start(
    tmp_path: Path,
) -> None:
    async with running_receiver(tmp_path, "receive.py") as receiver:
        await receiver.handled()  # The tables exist now.
    event = json.loads(signed_message(connection_id="stored").body)
    with closing(sqlite3.connect(tmp_path / "inbox.db")) as database, database:
        database.execute("insert into inbox (id, event) values ('stored', ?)", (json.dumps(event),))
    async with running_receiver(tmp_path, "receive.py") as receiver:
        await receiver.program.read_until(" stored ")
