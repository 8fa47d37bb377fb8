"""Every page in every state: seen in both schemes and widths, and found accessible in all of them.

The screenshots go to `screenshots/`, which git ignores; the test says where.
"""

from __future__ import annotations

from typing import Literal

import pytest

from . import states_back, states_status
from .scene import NARROW, ROOT, SHOTS, WIDE, Scene, Window
from .states import STATES, State

# Each adds its own to STATES.
PAGES = (states_back, states_status)

AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
SCHEMES: dict[Literal["light", "dark"], str] = {"light": "narrow", "dark": "wide"}
"""Each with the width at which axe looks: it is the colours and the reflow that can differ."""
SIZES = {"narrow": NARROW, "wide": WIDE}

SERIOUS = """async () => {
  const found = await axe.run(document, {resultTypes: ["violations"]});
  return found.violations
    .filter(({impact}) => impact === "serious" || impact === "critical")
    .map(({id, nodes}) => `${id}: ${nodes.map(({target}) => target.join(" ")).join(", ")}`);
}"""


@pytest.mark.parametrize("state", STATES, ids=lambda state: str(state.__name__))
async def test_every_state_is_accessible_and_fits_a_phone(
    scene: Scene, window: Window, state: State
) -> None:
    page = window.page
    await state(scene, window)
    await page.evaluate(AXE)
    whole = await page.get_by_role("dialog").count() == 0
    for scheme, checked in SCHEMES.items():
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width, size in SIZES.items():
            await page.set_viewport_size(size)
            shot = SHOTS / f"{state.__name__}-{width}-{scheme}.png"
            await page.screenshot(path=shot, full_page=whole)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            if width == checked:
                assert await page.evaluate(SERIOUS) == []
