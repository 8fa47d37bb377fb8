"""The changes of one commit, and the error for callers whose changes were not written."""

from __future__ import annotations

import asyncio

from connector.errors import JournalUnwritable

UNWRITABLE_MESSAGE = (
    "The service cannot write its journal, so it does not use a code or a refresh token now. "
    "Try again later."
)
RETRY_AFTER_SECONDS = 30.0


class PendingCommit:
    def __init__(self) -> None:
        self.ids: list[int] = []
        """The ids of the new records."""
        self.removals: list[int] = []
        self.is_requested = False
        """Removals alone wait for a timer."""
        self.is_done = asyncio.Event()
        self.error: str | None = "The commit was interrupted."
        """None after the changes were written."""


def unwritable(detail: str) -> JournalUnwritable:
    return JournalUnwritable(UNWRITABLE_MESSAGE, detail=detail, retry_after=RETRY_AFTER_SECONDS)
