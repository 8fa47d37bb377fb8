"""The list of page states, of which test_screenshots.py takes screenshots.

A page state is a function that brings the service, the simulator and the window into that state.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from .harness import Harness, Window

PageState = Callable[[Harness, Window], Awaitable[None]]
PAGE_STATES: list[PageState] = []


def page_state(function: PageState) -> PageState:
    PAGE_STATES.append(function)
    return function
