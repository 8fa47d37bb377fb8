"""Screenshots of every page state, in both colour schemes and widths, with accessibility checks.

The screenshots are in `screenshots/`, which git ignores; the test run prints the path.
"""

from __future__ import annotations

from typing import Literal

import pytest

from . import callback_states, connect_states, event_states, link_states, status_states
from .harness import NARROW, ROOT, SCREENSHOTS, WIDE, Harness, Window
from .page_states import PAGE_STATES, PageState

# Importing these modules fills PAGE_STATES.
STATE_MODULES = (callback_states, connect_states, event_states, link_states, status_states)

AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
AXE_WIDTH_BY_SCHEME: dict[Literal["light", "dark"], str] = {"light": "narrow", "dark": "wide"}
"""axe runs once in each scheme and once in each width: colours and layout do not depend on each other."""
SIZES = {"narrow": NARROW, "wide": WIDE}

SERIOUS_VIOLATIONS = """async () => {
  const result = await axe.run(document, {resultTypes: ["violations"]});
  return result.violations
    .filter(({impact}) => impact === "serious" || impact === "critical")
    .map(({id, nodes}) => `${id}: ${nodes.map(({target}) => target.join(" ")).join(", ")}`);
}"""


@pytest.mark.parametrize("state", PAGE_STATES, ids=lambda state: str(state.__name__))
async def test_every_page_state_is_accessible_and_fits_a_phone(
    harness: Harness, window: Window, state: PageState
) -> None:
    page = window.page
    await state(harness, window)
    await page.evaluate(AXE)
    full_page = await page.get_by_role("dialog").count() == 0
    for scheme, axe_width in AXE_WIDTH_BY_SCHEME.items():
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width, size in SIZES.items():
            await page.set_viewport_size(size)
            path = SCREENSHOTS / f"{state.__name__}-{width}-{scheme}.png"
            await page.screenshot(path=path, full_page=full_page)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            if width == axe_width:
                assert await page.evaluate(SERIOUS_VIOLATIONS) == []
