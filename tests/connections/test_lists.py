"""The cursor of a list: what the service wrote is read back, anything else is refused."""

from __future__ import annotations

import base64
import zlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.connections.lists import decode_cursor, encode_cursor
from connector.errors import InvalidRequest
from connector.store import ListPosition
from tests.manual_clock import NOON

POSITION = ListPosition(1, NOON, "0b5a7c1e-4d3f-4a7b-8c9d-112233445566")
CURSOR = encode_cursor(POSITION)


@given(
    st.builds(
        ListPosition,
        st.integers(0, 3),
        st.datetimes(timezones=st.just(UTC)),
        st.uuids().map(str),
    )
)
def test_a_cursor_is_read_back_exactly(position: ListPosition) -> None:
    assert decode_cursor(encode_cursor(position)) == position


@pytest.mark.parametrize("index", range(len(CURSOR)))
def test_a_cursor_with_another_character_is_refused(index: int) -> None:
    for character in "Ax-_ é=":
        damaged = CURSOR[:index] + character + CURSOR[index + 1 :]
        if damaged != CURSOR:
            with pytest.raises(InvalidRequest, match="after must be"):
                decode_cursor(damaged)


@pytest.mark.parametrize("cursor", ["", "A", CURSOR[:-1], CURSOR + "A", CURSOR[4:], "\0", "é" * 9])
def test_a_cursor_with_another_length_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        decode_cursor(cursor)


@pytest.mark.parametrize(
    "position",
    [
        ListPosition(4, NOON, POSITION.id),
        ListPosition(-1, NOON, POSITION.id),
        ListPosition(1, NOON, "not-a-uuid"),
        ListPosition(1, NOON, str(UUID(POSITION.id)).upper()),
    ],
)
def test_a_cursor_with_a_right_checksum_and_wrong_content_is_refused(
    position: ListPosition,
) -> None:
    with pytest.raises(InvalidRequest):
        decode_cursor(encode_cursor(position))


def test_a_cursor_whose_time_has_no_equal_in_utc_is_refused() -> None:
    content = f"1 9999-12-31T23:59:59-23:59 {POSITION.id}".encode()
    signed = zlib.crc32(content).to_bytes(4) + content
    with pytest.raises(InvalidRequest):
        decode_cursor(base64.urlsafe_b64encode(signed).decode().rstrip("="))


def test_a_position_above_a_status_is_before_all_its_connections() -> None:
    newest = ListPosition(1, datetime.now(UTC) + timedelta(days=9999), "f" * 8)
    assert POSITION < newest < ListPosition.above(1) < ListPosition(2, NOON, POSITION.id)
