"""A page explains every error that a person can meet. Other errors share one general text."""

from __future__ import annotations

import re

from connector import errors
from connector.web.static_files import FOLDER

MADE_BY_PROGRAMS = {
    "endpoint_disabled",
    "endpoint_refused",
    "events_gone",
    "internal_error",
    "method_not_allowed",
    "too_large",
    "unsupported_media_type",
}
"""A page that works as intended never causes these errors by what a person does."""


def test_a_page_has_a_text_for_every_error_that_a_person_can_meet() -> None:
    text = (FOLDER / "texts" / "errors.en.js").read_text()
    explained = set(re.findall(r"^  (\w+): {$", text, re.MULTILINE))
    codes = {
        error.code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.ConnectorError)
    }
    assert codes - explained == MADE_BY_PROGRAMS
