"""The log: one line for each thing, as text or as JSON, and other people's loggers held back."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator

import pytest

from connector.cli import logs

OURS, THEIRS = logging.getLogger("connector.keeper"), logging.getLogger("httpx")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("connector")
    before = (root.handlers[:], root.level, ours.level)
    yield
    root.handlers[:], root.level = before[0], before[1]
    ours.setLevel(before[2])


def test_as_text_a_line_says_when_how_bad_and_who(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    OURS.info("refreshed connection=%s", "c1")
    said = capsys.readouterr()
    assert said.out == ""
    pattern = (
        r"\d{4}-\d\d-\d\dT[\d:.]{12}\+00:00 INFO    connector\.keeper refreshed connection=c1\n"
    )
    assert re.fullmatch(pattern, said.err)


def test_as_json_a_line_is_one_object_and_keeps_the_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("info", format="json")
    try:
        raise ValueError("odd")
    except ValueError:
        OURS.exception("it\nbroke")
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["level"], said["logger"], said["message"]) == (
        "error",
        "connector.keeper",
        "it\nbroke",
    )
    assert said["exception"].endswith("ValueError: odd")


def test_below_a_warning_only_we_speak(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug")
    THEIRS.info("GET https://example.com/?secret=s")
    THEIRS.warning("slow")
    OURS.debug("heard")
    said = capsys.readouterr().err
    assert "secret" not in said
    assert "slow" in said
    assert "heard" in said


@pytest.mark.parametrize(("level", "heard"), [("debug", True), ("info", False), ("error", False)])
def test_a_command_says_what_changed_only_when_asked_for_everything(
    level: str, heard: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure_quietly(level)
    OURS.info("refreshed")
    assert ("refreshed" in capsys.readouterr().err) == heard
