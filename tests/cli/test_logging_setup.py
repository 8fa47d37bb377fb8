"""The log: one line for each event, as text or as JSON, without the info of other libraries."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator

import pytest

from connector.cli import logging_setup

OWN_LOGGER, OTHER_LOGGER = logging.getLogger("connector.tokens"), logging.getLogger("httpx")


@pytest.fixture(autouse=True)
def _restore_the_log() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("connector")
    handlers, root_level, own_level = root.handlers[:], root.level, own.level
    yield
    root.handlers[:], root.level = handlers, root_level
    own.setLevel(own_level)


def test_a_text_line_has_the_time_the_level_and_the_logger(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logging_setup.configure("info")
    OWN_LOGGER.info("token refreshed connection_id=%s", "c1")
    output = capsys.readouterr()
    assert output.out == ""
    time = r"\d{4}-\d\d-\d\dT[\d:.]{12}\+00:00"
    line = rf"{time} INFO    connector\.tokens token refreshed connection_id=c1\n"
    assert re.fullmatch(line, output.err)


def test_a_json_line_is_one_object_with_the_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logging_setup.configure("info", format="json")
    try:
        raise ValueError("odd")
    except ValueError:
        OWN_LOGGER.exception("unexpected\nerror")
    (line,) = capsys.readouterr().err.splitlines()
    fields = json.loads(line)
    assert (fields["level"], fields["logger"], fields["message"]) == (
        "error",
        "connector.tokens",
        "unexpected\nerror",
    )
    assert fields["exception"].endswith("ValueError: odd")


def test_other_libraries_log_from_warning_on(capsys: pytest.CaptureFixture[str]) -> None:
    logging_setup.configure("debug")
    OTHER_LOGGER.info("GET https://example.com/?secret=s")
    OTHER_LOGGER.warning("slow")
    OWN_LOGGER.debug("details")
    output = capsys.readouterr().err
    assert "secret" not in output
    assert "slow" in output
    assert "details" in output


@pytest.mark.parametrize(
    ("level", "is_logged"), [("debug", True), ("info", False), ("error", False)]
)
def test_a_command_logs_info_only_at_debug(
    level: str, is_logged: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    logging_setup.configure_for_command(level)
    OWN_LOGGER.info("refreshed")
    assert ("refreshed" in capsys.readouterr().err) == is_logged
