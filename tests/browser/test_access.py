"""For everybody: axe finds nothing serious, everything is reachable by keyboard, and a phone's width is enough."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.browser.stage import Stage

VIEWS = ("ask", "prompts", "traffic", "force")
Scheme = Literal["light", "dark"]


async def _filled(page: Page, stage: Stage, view: str) -> None:
    """The view with something in it."""
    await page.goto(f"{stage.url}#{view}")
    await expect(page.locator("#services.ready")).to_be_visible()
    if view == "ask":
        await page.fill("#ask-prompt", "Compare fixed and floating exchange rates, with an example of each. 0.63")
        await page.click("#ask-form button[type=submit]")
        await expect(page.locator("#ask-status")).to_contain_text("The answer is complete")
    elif view == "prompts":
        await page.fill("#prompts-text", "\n".join(f"A prompt whose difficulty is {index / 60:.2f}" for index in range(60)))
        await page.click("#prompts-form button[type=submit]")
        await expect(page.locator("#prompts-status")).to_contain_text("scored by mf")
        await page.locator("#prompts-aim-slider").fill("0.62")
    elif view == "traffic":
        await expect(page.locator("#tiles .tile")).to_have_count(5)


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious_and_nothing_scrolls_sideways(browser: Browser, stage: Stage, scheme: Scheme, width: int) -> None:
    """In each view, both schemes, and on a phone. With SCREENSHOTS=FOLDER each is kept as a picture."""
    for view in VIEWS:
        context = await browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce")
        page = await context.new_page()
        await _filled(page, stage, view)
        if folder := os.environ.get("SCREENSHOTS"):
            await page.screenshot(path=Path(folder) / f"{view}-{scheme}-{width}.png", full_page=True)
        found = (await Axe().run(page)).response["violations"]
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == [], view
        assert await page.evaluate("document.documentElement.scrollWidth") == width, view
        await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_where_there_is_nothing_yet_or_something_is_wrong(browser: Browser, stage: Stage, scheme: Scheme) -> None:
    """Empty views with the key's box open; then errors and a strategy that is down."""
    context = await browser.new_context(viewport={"width": 360, "height": 800}, color_scheme=scheme, reduced_motion="reduce")
    page = await context.new_page()
    for view in VIEWS:
        await page.goto(f"{stage.url}#{view}")
        await expect(page.locator("#services.ready")).to_be_visible()
        await page.locator("#key-box").evaluate("(box) => { box.open = true; }")
        assert (await Axe().run(page)).response["violations"] == [], view
    del stage.scorers.rates["bert"]
    await page.goto(f"{stage.url}#prompts")
    await page.click("#prompts-form button[type=submit]")
    await expect(page.locator("#prompts-error")).to_contain_text("There is no prompt")
    assert (await Axe().run(page)).response["violations"] == []
    await page.goto(f"{stage.url}#force")
    await expect(page.locator("#force-body .state.down")).to_be_visible(timeout=30_000)
    assert (await Axe().run(page)).response["violations"] == []
    await context.close()


_FOCUSED = """(() => {
  const node = document.activeElement;
  if (node === document.body) return ["", ""];
  return [node.id || node.textContent.trim(), getComputedStyle(node).outlineStyle];
})()"""


async def test_everything_is_reached_by_tab_in_order_and_shows_that_it_is(page: Page, stage: Stage) -> None:
    """From the link that skips the navigation to the end; each with an outline."""
    await expect(page.locator("#services.ready")).to_be_visible()
    await page.fill("#ask-prompt", "hi 0.6")
    await page.press("#ask-prompt", "Control+Enter")
    await expect(page.locator("#ask-status")).to_contain_text("The answer is complete")
    reached = list[str]()
    while reached.count("ask-prompt") < 2:
        await page.keyboard.press("Tab")
        name, outline = await page.evaluate(_FOCUSED)
        assert not name or outline != "none", name
        reached.append(name)
    assert stage.strong.received
    begins = reached.index("Skip to the content")
    assert reached[begins : begins + 8] == [
        *("Skip to the content", "Ask", "Prompts", "Traffic", "In force", "API key: none"),
        *("ask-prompt", "ask-by"),
    ]
    assert {"ask-aim-slider", "ask-compare", "answer", "Receipt", "openapi.json"} <= set(reached)


async def test_a_screen_reader_is_told_what_changes(page: Page) -> None:
    """Live regions for states and errors; headings, landmarks and names for the rest."""
    for selector, role in (
        ("#services", "status"),
        ("#ask-status", "status"),
        ("#decision", "status"),
        ("#ask-error", "alert"),
        ("#prompts-error", "alert"),
    ):
        assert await page.get_attribute(selector, "role") == role
    assert await page.get_by_role("navigation", name="Views").count() == 1
    assert await page.get_by_role("main").count() == 1
    assert await page.get_by_role("slider", name="Threshold").count() == 1
    await expect(page.get_by_role("heading", name="Ask", level=2)).to_be_visible()
    await expect(page).to_have_title("Ask · Pointsman")
    await page.fill("#ask-prompt", "hi 0.6")
    await page.press("#ask-prompt", "Control+Enter")
    await expect(page.get_by_role("status").filter(has_text="The answer is complete")).to_be_visible()
    row = page.get_by_role("listitem").filter(has_text="mf")
    await expect(row).to_contain_text("10 % strong at 0.900")
