"""The tables and examples in docs/webhooks.md are those of the code."""

from __future__ import annotations

import json
import re
from datetime import datetime
from ipaddress import ip_network

import pytest
from pydantic_core import to_json

from connector.events import EVENT_RETENTION, EVENT_TYPES
from connector.events.delivery_queues import MAX_OPEN, MAX_OPEN_PER_ENDPOINT
from connector.events.dispatcher import DISABLE_AFTER_SECONDS
from connector.events.endpoints import DEFAULT_GRACE_HOURS, MAX_GRACE_HOURS, MAX_REPLAYED_EVENTS
from connector.events.feed import DEFAULT_EVENTS, MAX_EVENTS, MAX_WAIT_SECONDS
from connector.events.retry_schedule import (
    HOUR,
    JITTER,
    MAX_ATTEMPTS,
    MAX_RETRY_AFTER,
    OVERLOADED_PAUSE,
    OVERLOADED_STATUSES,
    PAUSES,
)
from connector.events.sender import render_body
from connector.outbound.addresses import REFUSED_NETWORKS, is_allowed
from connector.outbound.client import CONNECT_SECONDS, MAX_RESPONSE_BYTES, TOTAL_SECONDS
from connector.outbound.endpoint_url import FIRST_UNPRIVILEGED_PORT, HTTPS_PORT
from tools.event_catalogue import replace_section

from .programs import FILES, GUIDE

TEXT = " ".join(GUIDE.split())
"""Without line breaks."""


def rows_of_the_table(header: str) -> list[list[str]]:
    lines = GUIDE.split(f"\n{header}\n")[1].splitlines()[1:]
    end = next(number for number, line in enumerate(lines) if not line.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:end]]


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:g} seconds"
    if seconds < HOUR:
        return f"{seconds // 60:g} minutes"
    return f"{round(seconds / HOUR, 1):g} hours"


def test_the_section_of_the_events_equals_the_catalogue() -> None:
    assert replace_section(GUIDE) == GUIDE, "Run: python -m tools.event_catalogue"


def test_the_guide_has_an_example_of_every_event() -> None:
    examples = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)]
    assert examples == [kind.example_body for kind in EVENT_TYPES]


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: str(kind.name))
def test_an_example_is_what_the_service_sends(kind) -> None:  # type: ignore[no-untyped-def]
    example = kind.example_body
    sent = render_body(
        type=kind.name,
        created_at=datetime.fromisoformat(str(example["timestamp"])),
        seq=None if example["seq"] is None else 4711,
        data_json=to_json(kind.example),
    )
    assert json.loads(sent) == example


def test_the_table_of_attempts_is_the_retry_schedule() -> None:
    rows = [["1", "", "at once"]]
    for attempt, pause in enumerate(PAUSES, start=2):
        rows.append([str(attempt), duration(pause), duration(sum(PAUSES[: attempt - 1]))])
    header = "| attempt | after the attempt before | after the first attempt |"
    assert rows_of_the_table(header) == rows
    assert len(rows) == MAX_ATTEMPTS == 10


def test_the_sentences_about_attempts_are_true() -> None:
    statuses = ", ".join(map(str, sorted(OVERLOADED_STATUSES)))
    assert f"up to {JITTER:.0%} ".replace("%", " %") in TEXT
    assert f"After {statuses} and a time-out it is at least {OVERLOADED_PAUSE:g} seconds." in TEXT
    assert f"`Retry-After` can make a pause longer, up to {duration(MAX_RETRY_AFTER)}." in TEXT
    assert f"every attempt has failed for {DISABLE_AFTER_SECONDS / 24 / HOUR:g} days" in TEXT


def test_the_limits_are_those_of_the_code() -> None:
    limits = dict(rows_of_the_table("| | |"))
    assert limits["time for a connection, with TLS"] == f"{CONNECT_SECONDS:g} seconds"
    assert limits["time for a complete response"] == f"{TOTAL_SECONDS:g} seconds"
    assert f"{MAX_RESPONSE_BYTES // 1024} KiB" in limits["what is read of the response"]
    assert limits["open requests to one endpoint, from all replicas"] == str(MAX_OPEN_PER_ENDPOINT)
    assert limits["open requests of one process"] == str(MAX_OPEN)
    assert limits["how long events are kept"] == f"{EVENT_RETENTION.days} days"


def test_the_sentences_about_replays_and_secrets_are_true() -> None:
    assert f"At most {MAX_REPLAYED_EVENTS:,} events are sent per call" in TEXT
    assert f"`grace_hours` is at most {MAX_GRACE_HOURS};" in TEXT
    assert f'{{"grace_hours": {DEFAULT_GRACE_HOURS}}}' in TEXT


def test_the_parameters_of_the_feed_have_the_limits_of_the_code() -> None:
    parameters = dict(rows_of_the_table("| parameter | meaning |"))
    assert f"1 to {MAX_EVENTS}, default {DEFAULT_EVENTS}" in parameters["`limit`"]
    assert parameters["`wait`"].startswith(f"0 to {MAX_WAIT_SECONDS:g}:")


def test_every_refused_network_is_refused_and_in_the_guide() -> None:
    documented = {
        ip_network(network)
        for refused, _ in rows_of_the_table("| refused | because |")
        for network in re.findall("`([^`]+)`", refused)
    }
    for network in documented:
        assert not is_allowed(network[0], ()), network
        assert not is_allowed(network[-1], ()), network
    assert set(REFUSED_NETWORKS) <= documented
    assert f"with port {HTTPS_PORT} or a port from {FIRST_UNPRIVILEGED_PORT}" in TEXT


def test_every_code_block_with_a_file_name_is_run_by_a_test() -> None:
    assert set(FILES) == {
        "inbox.py",
        "inbox.mjs",
        "receive.py",
        "receive.mjs",
        "receive_without_library.py",
        "receive_without_library.mjs",
        "follow.py",
    }
    named = re.findall(r"^```\w+ title=(\S+)$", GUIDE, re.MULTILINE)
    unnamed = re.findall(r"^```(\w+)$", GUIDE, re.MULTILINE)
    assert len(named) == len(FILES)
    assert set(unnamed) == {"json", "sh"}
