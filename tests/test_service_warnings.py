"""Warnings are kept between the rounds, and a source that fails changes nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest

from connector.concurrency import scoped_task
from connector.errors import StoreUnreachable
from connector.service_warnings import REFRESH_SECONDS, ServiceWarning, ServiceWarnings

from .manual_clock import ManualClock

PRIVILEGES = ServiceWarning("privileges", "anon may read.", "Apply it again.")
KEY = ServiceWarning("user_accounts_key", "There is no key.", "Add a key.")


class Source:
    def __init__(self, *found: ServiceWarning) -> None:
        self.found = list(found)
        self.error: Exception | None = None
        self.calls = 0

    async def __call__(self) -> Sequence[ServiceWarning]:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return list(self.found)


def warnings_of(*sources: Source) -> ServiceWarnings:
    return ServiceWarnings(sources, clock=ManualClock())


async def test_the_warnings_of_all_sources_are_current_after_a_refresh() -> None:
    warnings = warnings_of(Source(PRIVILEGES), Source(KEY))
    assert not warnings.current
    await warnings.refresh()
    assert warnings.current == (PRIVILEGES, KEY)


@pytest.mark.parametrize("error", [StoreUnreachable("away"), ZeroDivisionError()])
async def test_a_source_that_fails_keeps_its_warnings_and_stops_no_other_source(
    error: Exception,
) -> None:
    failing, other = Source(PRIVILEGES), Source()
    warnings = warnings_of(failing, other)
    await warnings.refresh()
    failing.error, other.found = error, [KEY]
    await warnings.refresh()
    assert warnings.current == (PRIVILEGES, KEY)


async def test_a_command_learns_that_a_source_fails() -> None:
    failing = Source()
    failing.error = StoreUnreachable("away")
    with pytest.raises(StoreUnreachable):
        await warnings_of(failing).find()


async def test_a_warning_is_logged_once_until_it_is_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="connector")
    source = Source(PRIVILEGES)
    warnings = warnings_of(source)
    await warnings.refresh()
    await warnings.refresh()
    source.found = []
    await warnings.refresh()
    assert caplog.messages == [
        "problem found kind=privileges message=anon may read. Apply it again.",
        "problem solved kind=privileges",
    ]


async def test_the_sources_are_asked_at_the_start_and_every_thirty_seconds() -> None:
    clock, source = ManualClock(), Source()
    warnings = ServiceWarnings([source], clock=clock)
    async with scoped_task(warnings.run_forever()):
        for calls in (1, 2, 3):
            await clock.until_asleep()
            assert source.calls == calls
            clock.advance(REFRESH_SECONDS)
            await asyncio.sleep(0)
