"""The pictures of docs/page.md, small enough to be kept beside it. PICTURES=docs writes them there."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Literal

import pytest
from PIL import Image
from playwright.async_api import Browser, Page, expect

from tests.browser.showing import ASKED, PROMPTS, SAYS, shown
from tests.browser.stage import Stage, staged

_COLOURS: Final = 256
_ALL_BYTES: Final = 500_000
_PICTURES: Final[tuple[tuple[str, str, Literal["light", "dark"], int], ...]] = (
    ("page-ask", "ask", "light", 1280),
    ("page-prompts", "prompts", "light", 1280),
    ("page-traffic", "traffic", "dark", 1280),
    ("page-in-force", "force", "dark", 1280),
    ("page-phone", "ask", "light", 360),
)


@pytest.fixture
async def show(tmp_path: Path) -> AsyncIterator[Stage]:
    """With traffic."""
    async with staged(tmp_path, says=SAYS) as stage:
        await shown(stage)
        yield stage


async def _ask(page: Page) -> None:
    await page.fill("#ask-prompt", ASKED)
    await page.click("#ask-form button[type=submit]")
    await expect(page.locator("#ask-status")).to_contain_text("The answer is complete")
    await expect(page.locator("#scale .row.waits")).to_have_count(0)


async def _prompts(page: Page) -> None:
    await page.fill("#prompts-text", "\n".join(PROMPTS))
    await page.click("#prompts-form button[type=submit]")
    await expect(page.locator("#prompts-status")).to_contain_text("scored by mf")
    await page.locator("#prompts-aim-slider").fill("0.62")
    await expect(page.locator("#prompts-sums")).to_contain_text("to weak")


async def _traffic(page: Page) -> None:
    await expect(page.locator("#traffic-body")).to_contain_text("By hop")


async def _force(page: Page) -> None:
    await expect(page.locator("#force-body")).to_contain_text("mf: shares")


_FILL: Final = {"ask": _ask, "prompts": _prompts, "traffic": _traffic, "force": _force}


async def test_the_pictures_of_the_guide_are_small(browser: Browser, show: Stage, tmp_path: Path) -> None:
    """Five, of all views, in few colours."""
    folder = Path(os.environ.get("PICTURES") or tmp_path)
    sizes = list[int]()
    for name, view, scheme, width in _PICTURES:
        context = await browser.new_context(viewport={"width": width, "height": 960}, color_scheme=scheme, reduced_motion="reduce")
        page = await context.new_page()
        await page.goto(f"{show.url}#{view}")
        await expect(page.locator("#services.ready")).to_be_visible()
        await _FILL[view](page)
        await page.mouse.move(0, 0)
        await page.evaluate("document.activeElement.blur(); document.querySelector('#prompts-text').scrollTop = 0; scrollTo(0, 0)")
        taken = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
        await context.close()
        taken.quantize(_COLOURS, dither=Image.Dither.NONE).save(folder / f"{name}.png", optimize=True)
        sizes.append((folder / f"{name}.png").stat().st_size)
    assert sum(sizes) < _ALL_BYTES, sizes
